"""The HTTP contract between a controller and the analyzer, version 1.

The one module of the analyzer that others import; pydantic only. `POST /v1/evaluations` takes an
`EvaluationRequest` and answers an `Evaluation`; `POST /v1/contracts` takes a `MetricSource` and answers a
`ContractReport`. Times are UTC with an offset; probabilities, margins and shares are decimal strings, so that
both sides hold the same exact number.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

VERSION = "v1"

Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]
Selector = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Probability = Annotated[Decimal, Field(gt=0, lt=1)]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Role(StrEnum):
    """What a metric must show: a Guardrail must be proven within its margin, a Deterioration not shown worse."""

    GUARDRAIL = "Guardrail"
    DETERIORATION = "Deterioration"


class Direction(StrEnum):
    LOWER_IS_BETTER = "LowerIsBetter"
    HIGHER_IS_BETTER = "HigherIsBetter"


class MetricKind(StrEnum):
    """Where a metric's counts come from: the router's own counters, or series of one's own."""

    ERROR_RATE = "ErrorRate"
    LATENCY = "Latency"
    COUNT = "Count"
    MEAN = "Mean"


class Bound(Frozen):
    """A margin or tolerance: a relative one (0.1 = 10 % of control's value) or an absolute one, or both."""

    relative: Decimal | None = Field(default=None, ge=0, le=100)
    absolute: Decimal | None = Field(default=None, ge=0)


class MetricSource(Frozen):
    """Raw counter series of one's own: two PromQL series selectors and the labels that name arm and bucket."""

    numerator: Selector
    denominator: Selector
    arm_label: Name = "arm"
    bucket_label: Name = "abucket"
    freshness_seconds: float = Field(default=60.0, gt=0, description="Oldest acceptable last sample, seconds.")


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


class Reason(StrEnum):
    """Why a verdict could not be given, in the words of the rollout's status."""

    INSUFFICIENT_DATA = "InsufficientData"
    METRICS_UNAVAILABLE = "MetricsUnavailable"
    CONTRACT_BROKEN = "ContractBroken"
    SAMPLE_RATIO_MISMATCH = "SampleRatioMismatch"


class Fault(StrEnum):
    """What exactly is missing or broken; `Reason` is its class. Documented in `docs/analyzer.md`."""

    WARMING_UP = "WarmingUp"
    NOTHING_SCRAPED_YET = "NothingScrapedYet"
    ARM_MISSING = "ArmMissing"
    TOO_FEW_BUCKETS = "TooFewBuckets"
    PROMETHEUS_UNREACHABLE = "PrometheusUnreachable"
    PROMETHEUS_TIMEOUT = "PrometheusTimeout"
    PROMETHEUS_REFUSED = "PrometheusRefused"
    NO_SERIES = "NoSeries"
    NOT_SCRAPED = "NotScraped"
    TARGET_DOWN = "TargetDown"
    STALE = "Stale"
    VANISHED = "Vanished"
    NOT_A_SELECTOR = "NotASelector"
    PINNED_LABEL = "PinnedLabel"
    NOT_A_NUMBER = "NotANumber"
    NOT_AN_INTEGER = "NotAnInteger"
    NEGATIVE = "Negative"
    DECREASING = "Decreasing"
    RELABELLED = "Relabelled"
    DUPLICATED = "Duplicated"
    OWN_TIMESTAMPS = "OwnTimestamps"
    MORE_EVENTS_THAN_REQUESTS = "MoreEventsThanRequests"
    SAMPLE_RATIO_MISMATCH = "SampleRatioMismatch"


class ArmCounts(Frozen):
    """What was seen in one arm: `events` of `total` (requests for counts), and their ratio `value`."""

    events: int
    total: int
    value: float | None = None


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


class ContractReport(Frozen):
    """Whether a metric's source can be used; `reason` and `message` say what to do when it cannot."""

    holds: bool
    reason: Reason | None = None
    fault: Fault | None = None
    message: str


class Problem(Frozen):
    """A refused request: what, where, what to do."""

    title: str
    detail: str
