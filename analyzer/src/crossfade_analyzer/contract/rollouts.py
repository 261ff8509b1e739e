"""How is a candidate doing? A rollout's question and its answer."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import AwareDatetime, Field

from crossfade_analyzer.contract.base import (
    ArmCounts,
    Bound,
    Digest,
    Direction,
    Fault,
    Frozen,
    MetricKind,
    MetricSource,
    Name,
    Probability,
    Reason,
)


class Role(StrEnum):
    """What a metric must show: a Guardrail must be proven within its margin, a Deterioration not shown worse."""

    GUARDRAIL = "Guardrail"
    DETERIORATION = "Deterioration"


class MetricPlan(Frozen):
    """One metric of a plan. `source` is absent for the router's own `ErrorRate` and `Latency`."""

    name: Name
    kind: MetricKind
    role: Role
    direction: Direction = Direction.LOWER_IS_BETTER
    margin: Bound | None = None
    tolerance: Bound | None = None
    source: MetricSource | None = None


class Plan(Frozen):
    """What the guarantee rests on; fixed when a rollout starts and the same in every request of a subject."""

    endpoint: Name = Field(description="`namespace/name`, the value of the router's label `model_endpoint`.")
    alpha: Probability = Field(description="Chance of ever calling a harmless candidate harmful.")
    beta: Probability = Field(description="Chance of ever calling one proven that is beyond a margin.")
    interval_seconds: float = Field(gt=0, description="Time between looks, seconds.")
    horizon_seconds: float = Field(gt=0, description="Planned length, the sum of the holds, seconds.")
    latency_bounds: tuple[Name, ...] = Field(description="The router's bounds, increasing, e.g. `25ms`.")
    warmup_seconds: float = Field(default=0.0, ge=0, description="Dropped from both arms after the first exposure.")
    metrics: tuple[MetricPlan, ...] = Field(min_length=1, max_length=20)


class Arm(Frozen):
    """An arm as the router labels it: `label` is what users were assigned, `revisions` who should answer them."""

    label: Name
    revisions: tuple[Name, ...] = Field(min_length=1)


class Step(Frozen):
    """The step in force: its 0-based index, since when every router has confirmed it, and the nominal share.

    While routers take up the next step's table it is still the step in force, with `shifting` set: some routers may
    split by the next share already, so the split is not held against anybody. Harm is.
    """

    index: int = Field(ge=0)
    started_at: AwareDatetime
    share: Probability = Field(description="Nominal candidate share of candidate plus control users.")
    shifting: bool = Field(default=False, description="Routers are taking up the next step's table.")


class EvaluationRequest(Frozen):
    """How is the candidate doing? Asking twice is harmless: a look is added only for new samples.

    `subject` names one attempt of one candidate (`ModelRollout/ns/name/uid/revision/attempt`); a new attempt is a
    new subject, with evidence of its own. `since` is when the candidate first got a user.
    """

    subject: Name
    plan: Plan
    control: Arm
    candidate: Arm
    since: AwareDatetime
    step: Step


class Verdict(StrEnum):
    """`Harmful`: roll back. `Proven`: every guardrail is, and nothing is shown worse. `Undecided`: look again.
    `CannotJudge`: the evidence is missing or broken; neither a pass nor a failure."""

    HARMFUL = "Harmful"
    PROVEN = "Proven"
    UNDECIDED = "Undecided"
    CANNOT_JUDGE = "CannotJudge"


class MetricResult(Frozen):
    """One metric's evidence so far. `ratio`, `lower`, `upper` are for display; decisions use `log_e` only."""

    name: Name
    role: Role
    verdict: Verdict
    reason: str | None = None
    message: str
    control: ArmCounts | None = None
    candidate: ArmCounts | None = None
    ratio: float | None = None
    lower: float | None = None
    upper: float | None = None
    dispersion: float | None = None
    log_e: Decimal | None = Field(default=None, description="Evidence of harm, natural log, quantised to 1e-9.")
    log_e_proof: Decimal | None = Field(default=None, description="Evidence for non-inferiority, as `log_e`.")


class Requests(Frozen):
    """Requests seen per arm since the first exposure, and the candidate's in the present step."""

    control: int
    candidate: int
    candidate_in_step: int


class Evaluation(Frozen):
    """The answer, and the digest under which its evidence can be verified for ever."""

    subject: Name
    verdict: Verdict
    reason: Reason | None = None
    fault: Fault | None = Field(default=None, description="What exactly keeps from judging, if anything does.")
    message: str
    look: int = Field(ge=0, description="Looks so far; 0 before the first.")
    until: datetime | None = Field(default=None, description="End of the last look.")
    requests: Requests
    metrics: tuple[MetricResult, ...]
    digest: Digest | None = None
    rule: str = Field(description="Name and version of the rule that judged, e.g. `rollout@1`.")
