"""One way of reading a series of counts as evidence of harm, over all its start times."""

from __future__ import annotations

from decimal import Decimal

from crossfade_analyzer.statistics import grid
from crossfade_analyzer.statistics.approximate import Term
from crossfade_analyzer.statistics.arithmetic import ONE, exactly
from crossfade_analyzer.statistics.bursts import BurstCap
from crossfade_analyzer.statistics.harm import CountHarm, Harm, MeanHarm, SloHarm, StartMixture, harm_grid
from crossfade_analyzer.statistics.normal_mixture import rho
from crossfade_analyzer.statistics.plan import MetricPlan, RolloutPlan
from crossfade_analyzer.statistics.strata import Values
from crossfade_analyzer.statistics.warmup import Baseline

# Counts are read with bursts capped at every start, and as they are from the first start on: a version that only makes
# bursts longer is then still found. The weights are shares of the e-value.
CAPPED, AS_COUNTED = Decimal("0.8"), Decimal("0.2")


class View:
    """`weight`: this view's share of the metric's e-value. `every_start`: whether it begins again at each start."""

    def __init__(
        self,
        weight: Decimal,
        harm: Harm,
        baseline: Baseline | None,
        *,
        capped: bool = False,
        every_start: bool = True,
    ) -> None:
        self.weight = weight
        self.mixture = StartMixture(harm)
        self._baseline = baseline
        self._cap = BurstCap() if capped else None
        self._every_start = every_start

    def begin(self, look: int) -> None:
        if self._every_start or not self.mixture.first_looks:
            self.mixture.begin(look)

    def warm_up(self, seen: Values) -> None:
        """A look in which both arms ran stable."""
        values = seen if self._cap is None else self._cap.apply(seen)
        if self._baseline is not None:
            self._baseline.add(values)

    def add(self, seen: Values) -> None:
        self.mixture.add(seen if self._cap is None else self._cap.apply(seen))

    def leading(self) -> tuple[int, Term]:
        """First look and log of this view's largest term, its weight included."""
        look, term = self.mixture.leading()
        return look, term.times(self.weight)


@exactly
def views(metric: MetricPlan, plan: RolloutPlan, buckets: int) -> list[View]:
    """How a metric's counts are read. The last view is the counts as they are."""
    sign = 1 if metric.direction == "LowerIsBetter" else -1
    if metric.slo is not None:
        rate = metric.slo if sign > 0 else ONE - metric.slo
        alternatives = grid.one_sample(grid.grid(grid.COUNT_GRID), rate)
        return [View(ONE, SloHarm(alternatives, buckets, failures=sign < 0), None)]
    tolerated = ONE + sign * metric.tolerated_ratio
    if metric.kind == "mean":
        baseline, r = Baseline(1.0, buckets), harm_tuning(plan)
        return [View(ONE, MeanHarm(tolerated, sign, r, buckets, baseline), baseline)]
    thetas = grid.LATENCY_GRID if metric.kind == "latency" else grid.COUNT_GRID
    ratios = harm_grid(thetas, metric.tolerated_ratio, sign)

    def count_view(weight: Decimal, *, capped: bool = False, every_start: bool = True) -> View:
        before = Baseline(float(tolerated), buckets)
        harm = CountHarm(ratios, buckets, before)
        return View(weight, harm, before, capped=capped, every_start=every_start)

    if metric.kind == "latency":
        return [count_view(ONE)]
    return [count_view(CAPPED, capped=True), count_view(AS_COUNTED, every_start=False)]


def harm_tuning(plan: RolloutPlan) -> Decimal:
    """r of the score processes for harm, tightest at the end of the first step as planned."""
    return rho(Decimal(plan.planned_requests), plan.alpha, one_sided=True)
