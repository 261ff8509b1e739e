"""What the engine says about a rollout."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from crossfade_analyzer.statistics.plan import Role
from crossfade_analyzer.statistics.refusals import CannotJudge


@dataclass(frozen=True, slots=True)
class Interval:
    """A band that covers the truth at all looks simultaneously, at the plan's `report_alpha`."""

    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class PartResult:
    """One series of counts: a metric, or one latency bound of it. Pairs are (control, candidate).

    `log_e`: evidence of harm; `log_e_proof`: for being within the margin (the least, when there are two margins);
    both natural logs quantised to 1e-9, as of the last look. `ratio` and `difference` are candidate against control,
    every look its own stratum (differences in events per request, or whole units of a mean); None while undefined, and
    for an SLO, which compares nothing: it has the candidate's `rate` (share of requests). Intervals hold at all looks.
    `expected_events`: what the candidate would have had at control's rate. `detectable_ratio`: a regression of this
    ratio would have been found by now with a probability of about 80 %. `warmup_ratio`: the ratio before the
    candidate. Floats are for display, decisions use logs.
    """

    key: str
    log_e: Decimal
    log_e_proof: Decimal | None
    x: tuple[int, int]
    n: tuple[int, int]
    phi: float | None
    ratio: float | None
    ratio_interval: Interval | None
    difference: float | None
    difference_interval: Interval | None
    rate: float | None
    rate_interval: Interval | None
    expected_events: float
    detectable_ratio: float | None
    warmup_ratio: float | None


@dataclass(frozen=True, slots=True)
class MetricResult:
    """One metric. `harmful` and `proven` hold once they ever held (at look `harmful_at`, `proven_at`); `proven` is
    None for metrics that need no proof. `log_e` is that of all parts together, `log_e_proof` the least of theirs."""

    name: str
    role: Role
    log_e: Decimal
    log_e_proof: Decimal | None
    harmful: bool
    harmful_at: int | None
    proven: bool | None
    proven_at: int | None
    parts: tuple[PartResult, ...]

    @property
    def leading(self) -> PartResult:
        """The part with the most evidence of harm: what to show when there is room for one."""
        return max(self.parts, key=lambda part: part.log_e)


@dataclass(frozen=True, slots=True)
class SampleRatioResult:
    """The split of traffic. `alarm` holds once it ever held: freeze the rollout and distrust its results. `shortfall`:
    with the alarm, the candidate has less than half its nominal share now, which is usually a crash loop: a failure."""

    log_e: Decimal
    alarm: bool
    alarm_at: int | None
    share_observed: float
    share_nominal: float
    shortfall: bool


@dataclass(frozen=True, slots=True)
class Attribution:
    """The largest term of the overall evidence: which metric, which part of it, counted since which look.
    `log_share` is the log of its weighted e-value."""

    metric: str
    part: str
    start_look: int
    log_share: Decimal


@dataclass(frozen=True, slots=True)
class RolloutResult:
    """All evidence so far. `harmful` holds once ln E ever reached ln(1/alpha) (at look `harmful_at`): roll back.
    `proven`: there is a guardrail and every one is proven. `metrics` is in the plan's order."""

    looks: int
    last_look: int | None
    log_e: Decimal
    harmful: bool
    harmful_at: int | None
    proven: bool
    proven_at: int | None
    guardrails: int
    metrics: dict[str, MetricResult | CannotJudge]
    sample_ratio: SampleRatioResult | CannotJudge
    attribution: Attribution | None
