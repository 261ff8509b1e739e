"""Decision: what was decided, on what evidence, by which rule and by whom. Written once, before the act."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, StrictBool, StrictInt

from crossfade_operator.api.meta import (
    Column,
    Digest,
    Message,
    Number,
    ObjectName,
    Resource,
    Revision,
    ShortText,
    SpecModel,
    StatusModel,
    Timestamp,
    Whole,
    Word,
)
from crossfade_operator.api.rules import Rule

RETENTION_LABEL = "crossfade.dev/retention"
RETENTION_OVER = "Expired"
"""The label and its value by which the learning controller says that a record's time is over: only then may it be
deleted by whoever is not an administrator of records."""


class SubjectKind(StrEnum):
    """What a decision or review can be about."""

    MODEL_ROLLOUT = "ModelRollout"
    EXPERIMENT = "Experiment"
    DECISION = "Decision"


class DecisionAction(StrEnum):
    """What a decision does. The last five are about experiments."""

    START = "Start"
    ADVANCE = "Advance"
    HOLD = "Hold"
    PROMOTE = "Promote"
    ROLLBACK = "Rollback"
    SUPERSEDE = "Supersede"
    RESTORE = "Restore"
    APPROVE = "Approve"
    WITHDRAW = "Withdraw"
    RUN = "Run"
    STOP = "Stop"
    SHIP = "Ship"
    ABORT = "Abort"
    INVALIDATE = "Invalidate"


class Basis(StrEnum):
    """What a decision rests on."""

    EVIDENCE = "Evidence"
    HUMAN = "Human"
    WAIVED = "Waived"
    EMERGENCY = "Emergency"


class Recommendation(StrEnum):
    """What the rule would do, whatever was done."""

    ADVANCE = "Advance"
    PROMOTE = "Promote"
    HOLD = "Hold"
    ROLLBACK = "Rollback"
    SHIP = "Ship"
    ABORT = "Abort"
    EXTEND = "Extend"
    DISCUSS = "Discuss"


class Outcome(StrEnum):
    """What an experiment taught. All but the last two are learning: a negative or neutral result is a success."""

    WIN = "Win"
    REGRESSION_FOUND = "RegressionFound"
    POWERED_NEUTRAL = "PoweredNeutral"
    INVALID = "Invalid"
    NOT_READY = "NotReady"


LEARNING = frozenset({Outcome.WIN, Outcome.REGRESSION_FOUND, Outcome.POWERED_NEUTRAL})


class Subject(SpecModel):
    """What was decided about: one object, in one state of it."""

    kind: SubjectKind = Field(description="Kind of the object.")
    name: ShortText = Field(description="Name of the object, in the decision's namespace.")
    uid: ShortText = Field(description="Its uid, so that a namesake is not taken for it.")
    revision: Revision | None = Field(default=None, description="Hash of the pod template that was decided about.")
    model_digest: Digest | None = Field(
        default=None, description="Digest of images, commands, environment and volumes that ran: of the model itself."
    )
    attempt: Whole | None = Field(default=None, description="Attempt of a rollout, or run of an experiment.")


class EvidenceRef(SpecModel):
    """Where the evidence is, and the digest that it must have."""

    digest: Digest = Field(description="Digest of the last entry of the evidence chain.")
    locator: ShortText = Field(description="The chain in the evidence store: its subject.")


class MetricFinding(SpecModel):
    """What the evidence said of one metric when the decision was made."""

    name: ShortText = Field(description="The metric.")
    revision: ShortText | None = Field(default=None, description="Revision of the metric's contract.")
    treatment: ShortText | None = Field(default=None, description="The arm, in an experiment.")
    role: Word = Field(description="Its role.")
    verdict: Word = Field(description="What the evidence says.")
    control: Number | None = Field(default=None, description="Value in control, or of the stable revision.")
    value: Number | None = Field(default=None, description="Value in the treatment, or of the candidate.")
    estimate: Number | None = Field(
        default=None,
        description="Against control: of a rollout the ratio of both values, of an experiment the relative difference.",
    )
    lower: Number | None = Field(default=None, description="Lower end of its interval.")
    upper: Number | None = Field(default=None, description="Upper end of its interval.")
    margin: ShortText | None = Field(
        default=None,
        description="The margin or effect that it was held against: `2% relative`, or `0.5% absolute` in the metric's "
        "own unit.",
    )
    message: Message = Field(default="", description="The finding in a sentence.")


class CheckFinding(SpecModel):
    """A check of quality, such as the sample ratio."""

    name: Word = Field(description="The check.")
    passed: StrictBool = Field(description="Whether it passed.")
    blocking: StrictBool = Field(default=True, description="Whether a failure forbids the use of the result.")
    message: Message = Field(default="", description="What was found.")


class ReviewNote(SpecModel):
    """A review that stood when the decision was made."""

    name: ShortText = Field(description="Name of the Review.")
    reviewer: ShortText = Field(description="Who reviewed.")
    verdict: Word = Field(description="Approve, RequestChanges, Dissent or Comment.")
    reason: Message = Field(default="", description="Why.")


class WithoutExclusions(SpecModel):
    """The same judgement with nothing excluded, so that nobody need take an exclusion on trust."""

    recommendation: Word = Field(description="What the rule would recommend; Continue for nothing yet.")
    outcome: Outcome = Field(description="What would have been taught.")
    reason: Word = Field(description="Why, in one word.")
    treatment: ShortText | None = Field(default=None, description="The arm that it would be about.")
    message: Message = Field(default="", description="Why, in a sentence.")


class PreviousRoute(SpecModel):
    """The routing table before the decision: what a rollback goes back to."""

    generation: Whole = Field(description="Its generation.")
    digest: Digest = Field(description="Digest of its content.")
    decision: ShortText = Field(default="", description="Name of the decision that it carried out.")


MOST_DUE = 20
"""Reviews that can be due at once: none is forgotten to make room for another emergency."""


class ReviewDue(StatusModel):
    """A decision made in an emergency: another person has to review it afterwards."""

    decision: ShortText = Field(description="Its name.")
    by: ShortText = Field(description="Who decided: their own review does not count.")


class DecisionSpec(SpecModel):
    """The record. Nothing of it can be changed."""

    subject: Subject = Field(description="What was decided about.")
    endpoint: ObjectName = Field(description="The ModelEndpoint whose users it is about.")
    owner: ShortText | None = Field(default=None, description="Owner of the subject.")
    action: DecisionAction = Field(description="What is done.")
    recommendation: Recommendation | None = Field(default=None, description="What the rule would do.")
    basis: Basis = Field(description="What the decision rests on.")
    actor: ShortText = Field(description="The rule with its version, or the person, that decided.")
    rule: ShortText = Field(description="Name and version of the rule that judged the evidence.")
    reason: Word = Field(description="Why, in one word.")
    message: Message = Field(default="", description="Why, in a sentence.")
    rationale: Message | None = Field(default=None, description="Why, in the words of the person who decided.")
    at: Timestamp = Field(description="When it was decided.")
    step: StrictInt = Field(default=0, ge=0, le=20, description="The step it leads to, from 1; 0 for none.")
    slice: ShortText | None = Field(default=None, description="Share of the users from now on.")
    treatment: ShortText | None = Field(default=None, description="The arm that a Ship or an Abort is about.")
    outcome: Outcome | None = Field(default=None, description="What the experiment taught.")
    design_hash: Digest | None = Field(default=None, description="Digest of the plan or design that was judged under.")
    evidence: EvidenceRef | None = Field(default=None, description="The evidence it rests on.")
    results: tuple[MetricFinding, ...] = Field(default=(), max_length=80, description="What the metrics showed.")
    checks: tuple[CheckFinding, ...] = Field(default=(), max_length=20, description="What the quality checks showed.")
    without_exclusions: WithoutExclusions | None = Field(
        default=None, description="The judgement with nothing excluded; absent when nothing was."
    )
    reviews: tuple[ReviewNote, ...] = Field(
        default=(), max_length=50, description="The reviews that stood, dissent included."
    )
    supersedes: ShortText | None = Field(default=None, description="Name of the decision that this one replaces.")
    previous_route: PreviousRoute | None = Field(default=None, description="The routing table before it.")
    revisit_after: Timestamp | None = Field(default=None, description="When it should be looked at again.")
    expires_at: Timestamp | None = Field(default=None, description="Until when a Ship opens gates.")
    retain_until: Timestamp = Field(description="Until when the record must be kept.")


RESOURCE = Resource(
    kind="Decision",
    plural="decisions",
    short_name="dec",
    description="What was decided, on what evidence, by which rule and by whom. Immutable, and kept longer than what "
    "it is about.",
    spec=DecisionSpec,
    status=None,
    rules=(
        Rule(
            cel="self.spec == oldSelf.spec",
            message="a Decision cannot be changed: make another one that supersedes it, or review it",
            at=".spec",
        ),
    ),
    columns=(
        Column("Subject", ".spec.subject.name", "What was decided about."),
        Column("Action", ".spec.action", "What is done."),
        Column("Recommendation", ".spec.recommendation", "What the rule would do."),
        Column("Basis", ".spec.basis", "What it rests on."),
        Column("Actor", ".spec.actor", "The rule or the person that decided."),
        Column("Reason", ".spec.reason", "Why."),
        Column("Message", ".spec.message", "Why, in a sentence.", wide=True),
        Column("Kind", ".spec.subject.kind", "Kind of the subject.", wide=True),
        Column("Revision", ".spec.subject.revision", "The revision.", wide=True),
        Column("Outcome", ".spec.outcome", "What the experiment taught.", wide=True),
        Column("Evidence", ".spec.evidence.digest", "Digest of the evidence.", wide=True),
        Column("Age", ".metadata.creationTimestamp", "Age of the object.", type="date"),
    ),
    selectable=(
        ".spec.endpoint",
        ".spec.action",
        ".spec.owner",
        ".spec.subject.kind",
        ".spec.subject.name",
        ".spec.subject.revision",
        ".spec.subject.modelDigest",
    ),
)
