"""The one entry for a rollout: fold its looks, in order, into a result. Pure, bounded in memory, the same to the bit.

    state = State(plan)
    state.update(look)          # as looks arrive; milliseconds
    state.result()              # what is known by now

`judge(plan, looks)` is that fold. A state is a function of plan and looks: rebuild it from the evidence store whenever
it was lost; never start a new one at a step, a pause or a restart.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from crossfade_analyzer.statistics import split, starts
from crossfade_analyzer.statistics.approximate import largest, settled
from crossfade_analyzer.statistics.arithmetic import ONE, ZERO, exactly, threshold
from crossfade_analyzer.statistics.averaging import quantised_average
from crossfade_analyzer.statistics.look import WARM_UP, Counts, Look
from crossfade_analyzer.statistics.metric import MetricState
from crossfade_analyzer.statistics.plan import MetricPlan, RolloutPlan, refuse_changed
from crossfade_analyzer.statistics.refusals import CannotJudge, InvalidLook, InvalidPlan, Refusal
from crossfade_analyzer.statistics.result import (
    Attribution,
    Interval,
    MetricResult,
    PartResult,
    RolloutResult,
    SampleRatioResult,
)

__all__ = [
    "WARM_UP",
    "Attribution",
    "CannotJudge",
    "Counts",
    "Interval",
    "InvalidLook",
    "InvalidPlan",
    "Look",
    "MetricPlan",
    "MetricResult",
    "PartResult",
    "Refusal",
    "RolloutPlan",
    "RolloutResult",
    "SampleRatioResult",
    "State",
    "judge",
    "refuse_changed",
]


def judge(plan: RolloutPlan, looks: Iterable[Look]) -> RolloutResult:
    """The result after all `looks`."""
    state = State(plan)
    for look in looks:
        state.update(look)
    return state.result()


class State:
    """All evidence of one rollout so far."""

    @exactly
    def __init__(self, plan: RolloutPlan) -> None:
        self.plan = plan
        self.looks = 0
        self.last_look: int | None = None
        self.log_e = ZERO
        self.harmful_at: int | None = None
        self._minutes: Decimal | None = None
        self._metrics = [MetricState(metric, plan) for metric in plan.metrics]
        self._schedule = starts.schedule(plan.horizon_minutes)
        self._threshold = threshold(plan.alpha)
        self._split = _SplitState(plan)

    @exactly
    def update(self, look: Look) -> None:
        """Add one look. `InvalidLook` when it is not later than the one before; the state is then unchanged."""
        if self.last_look is not None and look.index <= self.last_look:
            raise InvalidLook(f"look {look.index} does not come after look {self.last_look}; each is added once")
        if self._minutes is not None and (look.step == WARM_UP or look.minutes_since_start < self._minutes):
            raise InvalidLook(f"look {look.index} belongs before the one that ended at {self._minutes} minutes")
        self.looks += 1
        self.last_look = look.index
        begin = False
        if look.step != WARM_UP:
            self._minutes = look.minutes_since_start
            begin = self._schedule.due(look.step, look.minutes_since_start)
        for metric in self._metrics:
            metric.update(look, begin=begin)
        self._split.update(look)
        self._combine(look.index)

    def _combine(self, look: int) -> None:
        self.log_e = quantised_average([metric.log_e for metric in self._metrics])
        if self.harmful_at is None and self.log_e >= self._threshold:
            self.harmful_at = look
            max(self._metrics, key=lambda metric: metric.log_e).blame(look)

    @property
    def harmful(self) -> bool:
        return self.harmful_at is not None

    @property
    def proven_at(self) -> int | None:
        """The look at which the last guardrail was proven; None while one is not, or when there is none."""
        looks = [metric.proven_at for metric in self._metrics if metric.plan.must_be_proven]
        return max(look for look in looks if look is not None) if looks and None not in looks else None

    @exactly
    def result(self) -> RolloutResult:
        """Everything known by now, with the intervals that are shown (some milliseconds per metric)."""
        proven_at = self.proven_at
        return RolloutResult(
            looks=self.looks,
            last_look=self.last_look,
            log_e=self.log_e,
            harmful=self.harmful,
            harmful_at=self.harmful_at,
            proven=proven_at is not None,
            proven_at=proven_at,
            guardrails=sum(1 for metric in self.plan.metrics if metric.must_be_proven),
            metrics={metric.plan.name: metric.result() for metric in self._metrics},
            sample_ratio=self._split.result(),
            attribution=self._attribution(),
        )

    def _attribution(self) -> Attribution | None:
        found = [leading for judged in self._metrics if (leading := judged.leading()) is not None]
        if not found:
            return None
        metric, part, look, term = found[largest([leading[3] for leading in found])]
        share = term.times(ONE / len(self._metrics))
        return Attribution(metric, part, look, settled(share.near, share.exact))


class _SplitState:
    """The split check over the looks, with its own error level; an alarm stays."""

    def __init__(self, plan: RolloutPlan) -> None:
        self._key = plan.split_key
        self._r = split.tuning(plan.planned_requests, plan.alpha_srm)
        self._threshold = threshold(plan.alpha_srm)
        self._split: split.StickySplit | None = None
        self._buckets = 0
        self._log_e = ZERO
        self._alarm_at: int | None = None

    def update(self, look: Look) -> None:
        counts = look.counts.get(self._key)
        if counts is None or look.shifting or (self._split is not None and counts.buckets != self._buckets):
            return
        if self._split is None:
            self._split, self._buckets = split.StickySplit(counts.buckets), counts.buckets
        self._split.add(counts.n, look.weight)
        self._log_e = self._split.log_e(self._r)
        if self._alarm_at is None and self._log_e >= self._threshold:
            self._alarm_at = look.index

    def result(self) -> SampleRatioResult | CannotJudge:
        if self._split is None or not self._split.requests:
            return CannotJudge(
                Refusal.NO_DATA,
                f"No requests were counted under {self._key!r}, so the split of traffic cannot be checked. See whether "
                "the router is scraped and users are sent to the endpoint.",
                self._key,
            )
        observed, nominal = self._split.observed, self._split.nominal
        alarm = self._alarm_at is not None
        return SampleRatioResult(
            log_e=self._log_e,
            alarm=alarm,
            alarm_at=self._alarm_at,
            share_observed=observed,
            share_nominal=nominal,
            shortfall=alarm and observed < nominal / 2,
        )
