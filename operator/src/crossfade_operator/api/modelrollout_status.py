"""The status of a ModelRollout: what people read, and what the controller remembers across restarts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StrictBool, StrictInt

from crossfade_operator.api.decision import MOST_DUE, Basis, Recommendation, ReviewDue
from crossfade_operator.api.meta import (
    Conditions,
    Digest,
    Int64,
    Message,
    Number,
    Revision,
    ShortText,
    StatusModel,
    Timestamp,
    Whole,
    Word,
)

TOKEN_LENGTH = 512
"""What of a request's annotation is remembered and compared."""

Token = Annotated[str, Field(max_length=TOKEN_LENGTH)]


class Phase(StrEnum):
    """Where a rollout stands."""

    PENDING = "Pending"
    INITIALIZING = "Initializing"
    PROGRESSING = "Progressing"
    HOLDING = "Holding"
    PAUSED = "Paused"
    AWAITING_APPROVAL = "AwaitingApproval"
    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    REFUSED = "Refused"


AT_REST = (Phase.PROMOTED, Phase.ROLLED_BACK, Phase.REFUSED)
"""Phases without a candidate: what the guarantee rests on may be changed."""


class Verdict(StrEnum):
    """What the evidence says of a candidate; the words of the analyzer's contract."""

    HARMFUL = "Harmful"
    PROVEN = "Proven"
    UNDECIDED = "Undecided"
    CANNOT_JUDGE = "CannotJudge"


class Action(StrEnum):
    """What a decision does."""

    START = "Start"
    ADVANCE = "Advance"
    HOLD = "Hold"
    PROMOTE = "Promote"
    ROLLBACK = "Rollback"
    SUPERSEDE = "Supersede"
    RESTORE = "Restore"
    APPROVE = "Approve"
    WITHDRAW = "Withdraw"


class Stage(StrEnum):
    """What a candidate is going through."""

    STARTING = "Starting"
    SHIFTING = "Shifting"
    ANALYZING = "Analyzing"
    WITHDRAWING = "Withdrawing"


class Outcome(StrEnum):
    """Why a candidate is being withdrawn from its slice."""

    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"
    BACK_TO_STABLE = "BackToStable"


class Role(StrEnum):
    """What a metric must show: a Guardrail is proven within its margin, a Deterioration is not shown worse."""

    GUARDRAIL = "Guardrail"
    DETERIORATION = "Deterioration"


class CandidateRequests(StatusModel):
    """Requests counted since the candidate's first exposure."""

    control: Whole = Field(default=0, description="Requests of the control.")
    candidate: Whole = Field(default=0, description="Requests of the candidate.")
    candidate_in_step: Whole = Field(default=0, description="Requests of the candidate in the present step.")


class Exposure(StatusModel):
    """A slice that every router had confirmed."""

    step: StrictInt = Field(ge=0, le=19, description="Index of its step, from 0.")
    positions: StrictInt = Field(ge=1, le=1000, description="How many of the 1000 positions it had.")
    started_at: Timestamp = Field(description="When every router had confirmed it.")


class Candidate(StatusModel):
    """The controller's memory of a running attempt. Every wait is an absolute time, so that a restart changes none."""

    revision: Revision = Field(description="The candidate.")
    attempt: StrictInt = Field(default=1, ge=1, le=2**31 - 1, description="Which attempt of the rollout this is.")
    stage: Stage = Field(description="What it is going through.")
    started_at: Timestamp = Field(description="When the attempt began.")
    deadline_at: Timestamp = Field(description="When its pods must be ready.")
    since: Timestamp | None = Field(default=None, description="When every router had confirmed its first slice.")
    step: StrictInt = Field(default=0, ge=0, le=19, description="Index of the step, from 0.")
    positions: StrictInt = Field(
        default=0, ge=0, le=1000, description="How many of the 1000 positions this step was granted."
    )
    mirror: StrictBool = Field(default=False, description="It gets copies of their requests, and answers no user.")
    step_started_at: Timestamp | None = Field(
        default=None, description="When every router had confirmed the slice of this step."
    )
    former: Exposure | None = Field(
        default=None,
        description="The slice of the step before, while routers take up this step's: looks go on for its users.",
    )
    next_look_at: Timestamp | None = Field(default=None, description="When the evidence is looked at next.")
    looks: Whole = Field(default=0, description="Looks at the evidence so far.")
    requests: CandidateRequests = Field(default_factory=CandidateRequests, description="Requests counted so far.")
    verdict: Verdict | None = Field(default=None, description="What the last look found.")
    reason: Word | None = Field(default=None, description="Why, in one word.")
    message: Message | None = Field(default=None, description="Why, in a sentence.")
    evidence: Digest | None = Field(default=None, description="Digest of the evidence behind the last verdict.")
    proven: StrictBool = Field(default=False, description="Whether every guardrail has been proven.")
    owner: ShortText | None = Field(
        default=None,
        description="Who owned the rollout when the attempt began: handing it over does not make their own approval "
        "one of somebody else.",
    )
    approved_by: tuple[ShortText, ...] = Field(default=(), max_length=10, description="Who approved this step.")
    unready_since: Timestamp | None = Field(
        default=None, description="Since when it has had too few ready pods while it held a slice."
    )
    restore: StrictBool = Field(
        default=False, description="It was stable within the rollback window: it takes over without steps."
    )
    outcome: Outcome | None = Field(default=None, description="Why it is being withdrawn.")
    model_digest: Digest | None = Field(
        default=None, description="What its pods ran when it got its first slice; another model is rolled back."
    )
    plan: dict[str, Any] = Field(
        default_factory=dict, description="The analysis plan, pinned when the attempt began, as the analyzer gets it."
    )


class Retiring(StatusModel):
    """A revision without routes, kept until its connections are drained."""

    revision: Revision = Field(description="The revision.")
    delete_at: Timestamp | None = Field(
        default=None, description="When it is deleted; absent until its routes are gone everywhere."
    )


class Decision(StatusModel):
    """A decision, recorded before the act it describes."""

    name: ShortText = Field(description="Its name; the routing table that carries it out bears it too.")
    action: Action = Field(description="What it does.")
    revision: Revision = Field(description="The revision it is about.")
    step: StrictInt = Field(default=0, ge=0, le=20, description="The step it leads to, from 1; 0 for none.")
    slice: ShortText = Field(default="0%", description="The candidate's share from now on.")
    reason: Word = Field(description="Why, in one word.")
    message: Message = Field(default="", description="Why, in a sentence.")
    at: Timestamp = Field(description="When it was made.")
    evidence: Digest | None = Field(default=None, description="Digest of the evidence it rests on.")
    by: ShortText = Field(
        description="The rule and its version that made it, or the person; `unnamed` for one who did not sign."
    )
    basis: Basis = Field(default=Basis.EVIDENCE, description="What it rests on.")
    recommendation: Recommendation | None = Field(default=None, description="What the rule would have done.")
    rationale: Message | None = Field(default=None, description="Why, in the words of the person who decided.")
    attempt: Whole = Field(default=0, description="The attempt that it is about.")
    model_digest: Digest | None = Field(default=None, description="Digest of the model that its ready pods ran.")
    design_hash: Digest | None = Field(default=None, description="Digest of the plan that it was judged under.")


class ArmResult(StatusModel):
    """What was counted in one arm."""

    events: Int64 = Field(description="Counted events, such as errors; for means the sum in millionths.")
    total: Whole = Field(description="Out of how many.")
    value: Number | None = Field(default=None, description="Events per one of the total.")


class MetricResult(StatusModel):
    """What the last look found of one metric."""

    name: ShortText = Field(description="The metric.")
    role: Role = Field(description="Its role.")
    verdict: Verdict = Field(description="What the evidence says.")
    control: ArmResult | None = Field(default=None, description="Counted with the stable revision.")
    candidate: ArmResult | None = Field(default=None, description="Counted with the candidate.")
    ratio: Number | None = Field(default=None, description="Candidate over control, estimated look by look.")
    lower: Number | None = Field(default=None, description="Lower end of the ratio's interval.")
    upper: Number | None = Field(default=None, description="Upper end of the ratio's interval.")
    message: Message = Field(default="", description="The finding in a sentence.")


class Handled(StatusModel):
    """Requests by annotation that have been acted on, so that each is acted on once."""

    promote: Token | None = Field(default=None, description="Last value of crossfade.dev/promote.")
    abort: Token | None = Field(default=None, description="Last value of crossfade.dev/abort.")
    retry: Token | None = Field(default=None, description="Last value of crossfade.dev/retry.")


class ModelRolloutStatus(StatusModel):
    """What the serving controller knows of a rollout."""

    observed_generation: Whole = Field(default=0, description="The metadata.generation that was acted on.")
    phase: Phase | None = Field(default=None, description="Where the rollout stands.")
    reason: Word | None = Field(default=None, description="Why, in one word.")
    message: Message | None = Field(default=None, description="Why, and what to do, in a sentence.")
    step: StrictInt = Field(default=0, ge=0, le=20, description="The step in force, from 1; 0 for none.")
    steps: StrictInt = Field(default=0, ge=0, le=20, description="How many steps there are.")
    slice: ShortText | None = Field(
        default=None, description="The share of the users that `revision` has, such as 10%."
    )
    stable_revision: Revision | None = Field(default=None, description="The revision users get unless in a slice.")
    candidate_revision: Revision | None = Field(default=None, description="The revision being tried.")
    revision: Revision | None = Field(default=None, description="The candidate, or the stable revision without one.")
    previous_revision: Revision | None = Field(default=None, description="The stable revision before this one.")
    previous_until: Timestamp | None = Field(default=None, description="Until when the previous one can be restored.")
    failed_revision: Revision | None = Field(
        default=None, description="The revision that was rolled back last; not tried again without a retry."
    )
    attempts: Whole = Field(default=0, description="Candidates started so far; each attempt has its own evidence.")
    decision_count: Whole = Field(default=0, description="Decisions made so far; they are numbered by it.")
    decisions_recorded: Whole = Field(
        default=0, description="Number of the last decision of which the Decision object is known to exist."
    )
    stable_decision: ShortText | None = Field(
        default=None, description="The decision by which the stable revision became so."
    )
    reviews_due: tuple[ReviewDue, ...] = Field(
        default=(), max_length=MOST_DUE, description="Decisions made in an emergency that nobody else has reviewed yet."
    )
    verdict: Verdict | None = Field(default=None, description="What the last look at the evidence found.")
    replicas: Whole = Field(default=0, description="Pods of the stable revision and the candidate.")
    ready_replicas: Whole = Field(default=0, description="Pods of both that are ready.")
    selector: ShortText | None = Field(default=None, description="Label selector of the pods.")
    handled: Handled = Field(default_factory=Handled, description="Requests by annotation already acted on.")
    candidate: Candidate | None = Field(default=None, description="The running attempt.")
    retiring: tuple[Retiring, ...] = Field(
        default=(), max_length=50, description="Revisions kept until their connections are drained."
    )
    decisions: tuple[Decision, ...] = Field(default=(), max_length=20, description="The last decisions, newest last.")
    metrics: tuple[MetricResult, ...] = Field(default=(), max_length=20, description="What the last look found.")
    conditions: Conditions = ()
