"""Experiment: a controlled comparison of models on slices of its own. It ships nothing; it ends in a Decision."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictBool, StrictInt

from crossfade_operator.api.experiment_design import ArmName, Design
from crossfade_operator.api.experiment_status import ArmRole, ExperimentStatus
from crossfade_operator.api.meta import (
    CHILDREN_NAMES,
    Column,
    ObjectName,
    Owner,
    Resource,
    SpecModel,
    WrittenTime,
)
from crossfade_operator.api.review import Reasoning
from crossfade_operator.api.rules import Rule, unchangeable


class DesiredState(StrEnum):
    """What the experiment is wanted to be. It stops by itself too, when its design is complete."""

    DRAFT = "Draft"
    RUNNING = "Running"
    STOPPED = "Stopped"
    ARCHIVED = "Archived"


class ExperimentType(StrEnum):
    """AB compares models. AA compares a model with itself, and so measures the measuring."""

    AB = "AB"
    AA = "AA"


class DecisionChoice(StrEnum):
    """What may be decided when the evidence is in."""

    SHIP = "Ship"
    ABORT = "Abort"


class Lane(StrEnum):
    """Regular decisions wait for reviews and deliberation; an Emergency acts at once and is reviewed afterwards."""

    REGULAR = "Regular"
    EMERGENCY = "Emergency"


class Exclusion(SpecModel):
    """A time that is left out for all arms alike. There is no field for an arm."""

    RULES = (
        Rule(
            cel="self.from < self.to",
            message="an exclusion must end after it begins",
            holds=lambda exclusion: exclusion.start < exclusion.end,
            at=".to",
        ),
    )

    start: WrittenTime = Field(alias="from", description="When it begins, RFC 3339.")
    end: WrittenTime = Field(alias="to", description="When it ends, RFC 3339.")
    reason: Reasoning = Field(description="Why, such as the number of an incident.")


class DecisionRequest(SpecModel):
    """What a person decides. Admission makes `by` the caller's own name."""

    action: DecisionChoice = Field(description="Ship: the treatment may be rolled out. Abort: control stays.")
    by: Owner = Field(description="The user name of whoever decides.")
    rationale: Reasoning = Field(description="Why, in one's own words.")
    treatment: ArmName | None = Field(
        default=None, description="Which arm to ship, where there is more than one treatment."
    )
    lane: Lane = Field(
        default=Lane.REGULAR,
        description="Regular: after reviews and deliberation. Emergency: at once; the review is due afterwards.",
    )


def _names_a_treatment(spec: ExperimentSpec) -> bool:
    chosen = spec.decision and spec.decision.treatment
    return chosen is None or any(arm.name == chosen and arm.role is ArmRole.TREATMENT for arm in spec.design.arms)


def _says_which(spec: ExperimentSpec) -> bool:
    choice = spec.decision
    return (
        choice is None
        or choice.action is not DecisionChoice.SHIP
        or choice.treatment is not None
        or len(spec.design.arms) == 2
    )


class ExperimentSpec(SpecModel):
    """Who compares what, and what should become of it now."""

    RULES = (
        Rule(
            cel="self.type != 'AA' || self.design.arms.all(a, has(a.revision))",
            message="an AA experiment compares the stable model with itself: give every arm revision: Stable",
            holds=lambda spec: (
                spec.type is not ExperimentType.AA or all(arm.revision is not None for arm in spec.design.arms)
            ),
            at=".design.arms",
        ),
        Rule(
            cel="!has(self.decision) || !has(self.decision.treatment)"
            " || self.design.arms.exists(a, a.role == 'Treatment' && a.name == self.decision.treatment)",
            message="treatment must be the name of an arm with the role Treatment",
            holds=_names_a_treatment,
            at=".decision.treatment",
        ),
        Rule(
            cel="!has(self.decision) || self.decision.action != 'Ship' || has(self.decision.treatment)"
            " || self.design.arms.size() == 2",
            message="say in treatment which arm to ship: there is more than one",
            holds=_says_which,
            at=".decision",
        ),
        Rule(
            cel="self.run >= oldSelf.run",
            message="run can only be counted up: a run's evidence is never used for another one",
            at=".run",
        ),
    )

    endpoint: Annotated[
        ObjectName,
        unchangeable("endpoint cannot be changed: create another Experiment for the other endpoint"),
    ] = Field(description="The ModelEndpoint in the same namespace whose users take part. Cannot be changed.")
    owner: Owner = Field(description="The team or person who runs the experiment.")
    decision_maker: Owner = Field(description="User name of the person who decides in the end.")
    type: ExperimentType = Field(
        default=ExperimentType.AB, description="AB, or AA to measure the measuring with equal arms."
    )
    desired_state: DesiredState = Field(default=DesiredState.DRAFT, description="What the experiment should be now.")
    run: StrictInt = Field(
        default=1, ge=1, le=10_000, description="Which run this is: count it up to start anew with another design."
    )
    dry_run: StrictBool = Field(
        default=False,
        description="Play the experiment with the mock values of its Metrics: no pods, no users, no gate is opened.",
    )
    design: Design = Field(description="What the result rests on; frozen when the experiment starts.")
    exclusions: Annotated[tuple[Exclusion, ...], Field(max_length=50)] = Field(
        default=(), description="Times that are left out, for all arms alike. Results without exclusions are kept too."
    )
    decision: DecisionRequest | None = Field(default=None, description="What a person decided, once results are in.")


_MAY_CHANGE = "!has(oldSelf.status) || !has(oldSelf.status.phase) || oldSelf.status.phase in ['Draft', 'InReview']"
_ENDED = "has(oldSelf.status) && has(oldSelf.status.phase) && oldSelf.status.phase in"

RESOURCE = Resource(
    kind="Experiment",
    plural="experiments",
    short_name="exp",
    description="A controlled comparison of models on slices of users of its own: hypothesis, arms, metrics, design "
    "and result. It ships nothing; it ends in a Decision.",
    spec=ExperimentSpec,
    status=ExperimentStatus,
    rules=(
        CHILDREN_NAMES,
        Rule(
            cel=f"{_MAY_CHANGE} || self.spec.run > oldSelf.spec.run"
            " || (self.spec.design == oldSelf.spec.design && self.spec.type == oldSelf.spec.type"
            " && self.spec.dryRun == oldSelf.spec.dryRun)",
            message="the design is frozen since the experiment started: count spec.run up to start anew with another",
            at=".spec.design",
        ),
        Rule(
            cel="self.spec.run == oldSelf.spec.run || !has(oldSelf.status) || !has(oldSelf.status.phase)"
            " || oldSelf.status.phase in ['Draft', 'InReview', 'Decided', 'Archived', 'Invalid']",
            message="a new run can begin when the present one is decided, invalid or archived: stop and decide it",
            at=".spec.run",
        ),
        Rule(
            cel="self.spec.run == oldSelf.spec.run || !has(self.spec.decision)",
            message="leave decision out when you count run up: it was about the run before",
            at=".spec.decision",
        ),
        Rule(
            cel=f"!has(oldSelf.spec.decision) || self.spec.run > oldSelf.spec.run"
            f" || !({_ENDED} ['Decided', 'Archived'])"
            " || (has(self.spec.decision) && self.spec.decision == oldSelf.spec.decision)",
            message="the decision is made and on record: revisit it with a new run, or write a Review of the Decision",
            at=".spec.decision",
        ),
    ),
    columns=(
        Column("Phase", ".status.phase", "Where the experiment stands."),
        Column("Slice", ".status.slice", "Share of the users in all arms together."),
        Column("Look", ".status.look", "Looks at the evidence so far.", type="integer"),
        Column("Progress", ".status.progress", "Share of the planned information that is in."),
        Column("Recommendation", ".status.recommendation", "What the rule recommends."),
        Column("Reason", ".status.reason", "Why it stands there."),
        Column("Decision", ".status.decision", "The Decision it ended in.", wide=True),
        Column("Message", ".status.message", "Why, and what to do.", wide=True),
        Column("Run", ".status.run", "Which run this is.", type="integer", wide=True),
        Column("Owner", ".spec.owner", "Whom to ask.", wide=True),
        Column("Age", ".metadata.creationTimestamp", "Age of the object.", type="date"),
    ),
    selectable=(".spec.endpoint", ".spec.owner"),
)
