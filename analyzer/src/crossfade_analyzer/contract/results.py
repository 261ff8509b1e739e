"""What an experiment says so far: results per metric, checks, and what is recommended."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from crossfade_analyzer.contract.base import ArmCounts, Digest, Fault, Frozen, Name
from crossfade_analyzer.contract.experiments import ExperimentRole


class ExperimentState(StrEnum):
    """`Collecting`: no result yet. `Judged`: there is one. `CannotJudge`: evidence is missing or broken."""

    COLLECTING = "Collecting"
    JUDGED = "Judged"
    CANNOT_JUDGE = "CannotJudge"


class MetricVerdict(StrEnum):
    """Of one treatment against control in one metric. `Different`: a Quality metric, either way. `NotYet`: the plan
    allows no look at it yet."""

    SUPERIOR = "Superior"
    NON_INFERIOR = "NonInferior"
    INFERIOR = "Inferior"
    DIFFERENT = "Different"
    INCONCLUSIVE = "Inconclusive"
    NOT_YET = "NotYet"
    CANNOT_JUDGE = "CannotJudge"


class Recommendation(StrEnum):
    """`Continue`: nothing to decide yet. `Extend`: run on, it is not powered yet and there is time left. `Discuss`:
    people must decide, the message says what about."""

    SHIP = "Ship"
    ABORT = "Abort"
    EXTEND = "Extend"
    DISCUSS = "Discuss"
    CONTINUE = "Continue"


class Outcome(StrEnum):
    """What was learned: the first three are a success of the programme."""

    WIN = "Win"
    REGRESSION_FOUND = "RegressionFound"
    POWERED_NEUTRAL = "PoweredNeutral"
    INVALID = "Invalid"
    NOT_READY = "NotReady"


class ExperimentReason(StrEnum):
    """Why this recommendation, or why there is no result; documented in `docs/analyzer.md`."""

    INSUFFICIENT_DATA = "InsufficientData"
    METRICS_UNAVAILABLE = "MetricsUnavailable"
    CONTRACT_BROKEN = "ContractBroken"
    NOT_YET = "NotYet"
    UNDERPOWERED = "Underpowered"
    CHECK_FAILED = "CheckFailed"
    DETERIORATION = "Deterioration"
    SUCCESS_AND_DETERIORATION = "SuccessAndDeterioration"
    GUARDRAIL_NOT_NON_INFERIOR = "GuardrailNotNonInferior"
    NO_SUCCESS = "NoSuccess"
    LATE_HARM = "LateHarm"
    EXCLUSIONS_MATTER = "ExclusionsMatter"
    SHIP_RULE_MET = "ShipRuleMet"
    AS_EXPECTED = "AsExpected"


class CheckName(StrEnum):
    """Checks of the comparison itself; documented in `docs/analyzer.md`."""

    SAMPLE_RATIO = "SampleRatio"
    FALLBACK = "Fallback"
    MISSING_DATA = "MissingData"
    START_SKEW = "StartSkew"
    PRE_EXPOSURE_BIAS = "PreExposureBias"
    QUALITY = "Quality"
    STABILITY = "Stability"
    CORRELATION_GAP = "CorrelationGap"
    FALSE_POSITIVE_RATE = "FalsePositiveRate"
    SPLIT_ACCURACY = "SplitAccuracy"


class Check(Frozen):
    """`blocking`: a result cannot be used while it fails; others are told only. `arm`: the one it is about, if any."""

    name: CheckName
    passed: bool
    arm: Name | None = None
    blocking: bool = True
    message: str


class Estimate(Frozen):
    """Treatment less control. An end without a number is unbounded or not known."""

    value: float
    lower: float | None = None
    upper: float | None = None


class ExperimentMetricResult(Frozen):
    """One treatment against control in one metric, at the last look.

    `absolute` is in units of the metric, `relative` to control's value (absent while that may be zero). `z` is
    compared with `bound`; both are 1e-6 exact. `information` is 1/Var of the difference, of `planned_information`.
    """

    treatment: Name
    metric: Name
    revision: Name | None = None
    role: ExperimentRole
    verdict: MetricVerdict
    reason: str | None = None
    message: str
    control: ArmCounts | None = None
    treated: ArmCounts | None = None
    absolute: Estimate | None = None
    relative: Estimate | None = None
    z: float | None = Field(default=None, description="For what the role must show: superiority or non-inferiority.")
    bound: float | None = None
    harm_z: float | None = Field(default=None, description="For being worse.")
    harm_bound: float | None = None
    information_fraction: float | None = None
    information: float | None = None
    planned_information: float | None = None
    required_sample: int | None = Field(default=None, description="Units of the denominator, over all arms.")
    cuped_r2: float | None = Field(default=None, description="Share of variance that the pre-period explained.")


class ArmRequests(Frozen):
    """Requests assigned to an arm since the start, and how many of them another revision answered."""

    name: Name
    requests: int
    fallbacks: int


class SelfTest(Frozen):
    """What an A/A experiment says about the analysis: `false_positive_rate` of `tests` at level `nominal`, and the
    largest difference between an arm's share of requests and its nominal one."""

    false_positive_rate: float
    nominal: float
    tests: int
    split_error: float


class MetricSummary(Frozen):
    treatment: Name
    metric: Name
    verdict: MetricVerdict


class VerdictSummary(Frozen):
    """The same judgement with nothing excluded."""

    recommendation: Recommendation
    reason: ExperimentReason
    outcome: Outcome
    treatment: Name | None = None
    message: str
    metrics: tuple[MetricSummary, ...]


class ExperimentEvaluation(Frozen):
    """The answer, and the digest under which its evidence can be verified for ever."""

    subject: Name
    state: ExperimentState
    look: int = Field(ge=0, description="Number of the last planned look that was taken; 0 before the first.")
    final: bool = Field(default=False, description="The last look was taken; no further window is added.")
    windows: int = Field(ge=0, description="Windows stored.")
    until: datetime | None = Field(default=None, description="End of the last window.")
    progress: float = Field(ge=0, le=1, description="Share of the planned information, of the metric furthest behind.")
    ends: datetime | None = Field(default=None, description="Planned last look; known once traffic was seen.")
    arms: tuple[ArmRequests, ...] = ()
    metrics: tuple[ExperimentMetricResult, ...]
    checks: tuple[Check, ...]
    recommendation: Recommendation
    treatment: Name | None = Field(default=None, description="The treatment that is recommended for, or that harms.")
    reason: ExperimentReason
    fault: Fault | None = Field(default=None, description="What exactly keeps from judging, if anything does.")
    message: str
    outcome: Outcome
    without_exclusions: VerdictSummary | None = Field(default=None, description="Absent when nothing is excluded.")
    self_test: SelfTest | None = Field(default=None, description="Of an A/A experiment.")
    digest: Digest | None = None
    rule: str = Field(description="Name and version of the rule that judged, e.g. `experiment@1`.")
