"""The status of an Experiment: what people read, what the serving side is asked for, and what survives restarts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StrictBool, StrictInt

from crossfade_operator.api.decision import (
    MOST_DUE,
    CheckFinding,
    Outcome,
    Recommendation,
    ReviewDue,
    WithoutExclusions,
)
from crossfade_operator.api.meta import (
    Conditions,
    Digest,
    Message,
    Number,
    Revision,
    ShortText,
    StatusModel,
    Timestamp,
    Whole,
    Word,
)


class ExperimentPhase(StrEnum):
    """Where an experiment stands."""

    DRAFT = "Draft"
    IN_REVIEW = "InReview"
    APPROVED = "Approved"
    RUNNING = "Running"
    INTERRUPTED = "Interrupted"
    STOPPED = "Stopped"
    DECIDED = "Decided"
    ARCHIVED = "Archived"
    INVALID = "Invalid"


class ArmRole(StrEnum):
    """What an arm is for."""

    CONTROL = "Control"
    TREATMENT = "Treatment"


class MetricRole(StrEnum):
    """What a metric must show."""

    SUCCESS = "Success"
    GUARDRAIL = "Guardrail"
    DETERIORATION = "Deterioration"
    QUALITY = "Quality"


Port = Annotated[StrictInt, Field(ge=1, le=65535)]


class RequestedArm(StatusModel):
    """One arm as the serving side needs to know it."""

    name: ShortText = Field(description="Name of the arm.")
    label: ShortText = Field(description="What the router writes into x-arm: `<experiment>.<arm>`.")
    weight: StrictInt = Field(ge=1, le=100, description="Its part of the positions.")
    revision: Revision = Field(description="Hash of the pod template; the pods bear it as a label.")
    http_port: Port = Field(description="Container port that is served.")
    grpc_port: Port | None = Field(default=None, description="Container port of gRPC, if there is one.")


class SliceRequest(StatusModel):
    """What the experiment asks the serving side for. Absent: nothing, and what was granted goes back."""

    id: ShortText = Field(description="Identifies the run; a grant names it.")
    positions: StrictInt = Field(ge=1, le=950, description="How many of the 1000 positions, all arms together.")
    arms: tuple[RequestedArm, ...] = Field(min_length=2, max_length=5, description="The arms that share them.")


class ArmStatus(StatusModel):
    """An arm's pods and the model in them, pinned at the start."""

    name: ShortText = Field(description="Name of the arm.")
    role: ArmRole = Field(description="Control or Treatment.")
    revision: Revision = Field(description="Hash of its pod template.")
    weight: StrictInt = Field(default=1, ge=1, le=100, description="Its part of the slice.")
    replicas: Whole = Field(default=0, description="Pods wanted.")
    ready_replicas: Whole = Field(default=0, description="Pods that are ready.")
    model_digest: Digest | None = Field(default=None, description="Digest of the model that runs; pinned at the start.")
    slice: ShortText | None = Field(default=None, description="Share of the users that it was granted, in percent.")


class PinnedMetric(StatusModel):
    """A metric in the revision that the experiment uses."""

    name: ShortText = Field(description="The metric.")
    revision: ShortText = Field(description="Revision of its contract; the router's own have none of theirs.")


class Transition(StatusModel):
    """A change of phase: who, when, why."""

    phase: ExperimentPhase = Field(description="The phase that was entered.")
    at: Timestamp = Field(description="When.")
    by: ShortText = Field(description="The rule with its version, or the person.")
    reason: Word = Field(description="Why, in one word.")
    message: Message = Field(default="", description="Why, in a sentence.")


class ExperimentResult(StatusModel):
    """What the last look found of one metric in one treatment, against control."""

    metric: ShortText = Field(description="The metric.")
    treatment: ShortText = Field(description="The arm.")
    role: MetricRole = Field(description="The metric's role.")
    verdict: Word = Field(
        description="Superior, NonInferior, Inferior, Different, Inconclusive, NotYet or CannotJudge."
    )
    control: Number | None = Field(default=None, description="Value in control, in the metric's unit.")
    value: Number | None = Field(default=None, description="Value in the treatment, in the metric's unit.")
    relative: Number | None = Field(default=None, description="Relative difference, 0.01 for 1 %.")
    lower: Number | None = Field(
        default=None,
        description="Lower end of the interval of the difference: relative where `relative` is given, else in the "
        "metric's unit.",
    )
    upper: Number | None = Field(default=None, description="Upper end of the interval of the difference, likewise.")
    progress: ShortText | None = Field(
        default=None, description="Share of the planned information that is in, in percent."
    )
    message: Message = Field(default="", description="The finding in a sentence.")


class ExperimentStatus(StatusModel):
    """What the learning controller knows of an experiment."""

    observed_generation: Whole = Field(default=0, description="The metadata.generation that was acted on.")
    run: Whole = Field(default=0, description="The run that this status is about.")
    phase: ExperimentPhase | None = Field(default=None, description="Where the experiment stands.")
    reason: Word | None = Field(default=None, description="Why, in one word.")
    message: Message | None = Field(default=None, description="Why, and what to do, in a sentence.")
    transitions: tuple[Transition, ...] = Field(
        default=(), max_length=50, description="Changes of phase in this run, newest last."
    )
    design_hash: Digest | None = Field(default=None, description="Digest of the design as it was reviewed and frozen.")
    design: dict[str, Any] = Field(
        default_factory=dict, description="The design as the analyzer gets it, pinned when the experiment starts."
    )
    metrics: tuple[PinnedMetric, ...] = Field(
        default=(), max_length=20, description="The metrics in the revisions that are used."
    )
    approvals: Whole = Field(default=0, description="Approvals of this design that count.")
    arms: tuple[ArmStatus, ...] = Field(default=(), max_length=5, description="The arms' pods and models.")
    slice_request: SliceRequest | None = Field(default=None, description="What the serving side is asked for.")
    slice: ShortText | None = Field(default=None, description="Share of the users in all arms together, in percent.")
    fallback_revisions: tuple[Revision, ...] = Field(
        default=(),
        max_length=64,
        description="Revisions that were stable since the start, and so may have answered in an arm's place.",
    )
    started_at: Timestamp | None = Field(default=None, description="When every router sent users to the arms.")
    stopped_at: Timestamp | None = Field(default=None, description="When the arms stopped getting users.")
    next_look_at: Timestamp | None = Field(default=None, description="When the evidence is looked at next.")
    look: Whole = Field(default=0, description="Planned looks at the evidence so far.")
    windows: Whole = Field(default=0, description="Windows of evidence so far.")
    progress: ShortText | None = Field(
        default=None, description="Share of the planned information that is in, in percent."
    )
    results: tuple[ExperimentResult, ...] = Field(default=(), max_length=80, description="What the last look found.")
    checks: tuple[CheckFinding, ...] = Field(default=(), max_length=20, description="Checks of quality.")
    recommendation: Recommendation | None = Field(default=None, description="What the rule recommends.")
    treatment: ShortText | None = Field(default=None, description="The arm that the recommendation is about.")
    recommended_at: Timestamp | None = Field(default=None, description="Since when it does; deliberation begins here.")
    outcome: Outcome | None = Field(default=None, description="What the experiment taught.")
    without_exclusions: WithoutExclusions | None = Field(
        default=None, description="The same judgement with nothing excluded; absent when nothing is."
    )
    final: StrictBool = Field(default=False, description="Whether the last look was taken.")
    rule: ShortText | None = Field(default=None, description="Name and version of the rule that judged.")
    evidence: Digest | None = Field(default=None, description="Digest of the evidence behind the last result.")
    decision: ShortText | None = Field(default=None, description="Name of the Decision that it ended in.")
    reviews_due: tuple[ReviewDue, ...] = Field(
        default=(),
        max_length=MOST_DUE,
        description="Decisions made in an emergency, of earlier runs too, that nobody else has reviewed yet.",
    )
    decision_count: Whole = Field(default=0, description="Decisions so far; they are numbered by it.")
    pending: dict[str, Any] = Field(
        default_factory=dict,
        description="The Decision that is being recorded, as it will stand: what follows from it waits until it does.",
    )
    conditions: Conditions = ()
