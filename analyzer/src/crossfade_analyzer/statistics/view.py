"""One way of reading a series of counts as evidence of harm, over all its start times."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from crossfade_analyzer.statistics import grid
from crossfade_analyzer.statistics.arithmetic import ONE, exactly
from crossfade_analyzer.statistics.bursts import BurstCap
from crossfade_analyzer.statistics.harm import CountHarm, Harm, MeanHarm, SloHarm, StartMixture, harm_grid
from crossfade_analyzer.statistics.look import Counts
from crossfade_analyzer.statistics.normal_mixture import rho
from crossfade_analyzer.statistics.plan import MetricPlan, RolloutPlan
from crossfade_analyzer.statistics.warmup import Baseline

# Counts are read with bursts capped at every start, and as they are from the first start on: a version that only makes
# bursts longer is then still found. The weights are shares of the e-value.
CAPPED, AS_COUNTED = Decimal("0.8"), Decimal("0.2")


class View:
    """`weight`: this view's share of the metric's e-value. `every_start`: whether it begins again at each start."""

    def __init__(
        self,
        weight: Decimal,
        process: Callable[[], Harm],
        baseline: Baseline | None,
        *,
        capped: bool = False,
        every_start: bool = True,
    ) -> None:
        self.weight = weight
        self.mixture = StartMixture()
        self._process, self._baseline = process, baseline
        self._cap = BurstCap() if capped else None
        self._every_start = every_start

    def begin(self, look: int) -> None:
        if self._every_start or not self.mixture.first_looks:
            self.mixture.begin(self._process(), look)

    def warm_up(self, counts: Counts) -> None:
        """A look in which both arms ran stable."""
        values = counts if self._cap is None else self._cap.apply(counts)
        if self._baseline is not None:
            self._baseline.add(values.x, values.n)

    def add(self, counts: Counts) -> None:
        self.mixture.add(counts if self._cap is None else self._cap.apply(counts))

    def log_e(self) -> Decimal:
        return self.mixture.log_e()

    @exactly
    def leading(self) -> tuple[int, Decimal]:
        """First look and log of this view's largest term, its weight included."""
        look, log = self.mixture.leading()
        return look, log + self.weight.ln()


@exactly
def views(metric: MetricPlan, plan: RolloutPlan, buckets: int) -> list[View]:
    """How a metric's counts are read. The last view is the counts as they are."""
    sign = 1 if metric.direction == "LowerIsBetter" else -1
    if metric.slo is not None:
        rate = metric.slo if sign > 0 else ONE - metric.slo
        one_sided = grid.grid(grid.COUNT_GRID)
        return [View(ONE, lambda: SloHarm(rate, one_sided, buckets, failures=sign < 0), None)]
    tolerated = ONE + sign * metric.tolerated_ratio
    if metric.kind == "mean":
        baseline, r = Baseline(1.0, buckets), harm_tuning(plan)
        return [View(ONE, lambda: MeanHarm(tolerated, sign, r, buckets, baseline), baseline)]
    thetas = grid.LATENCY_GRID if metric.kind == "latency" else grid.COUNT_GRID
    alternatives = harm_grid(thetas, metric.tolerated_ratio, sign)

    def count_view(weight: Decimal, *, capped: bool = False, every_start: bool = True) -> View:
        before = Baseline(float(tolerated), buckets)
        return View(
            weight, lambda: CountHarm(alternatives, buckets, before), before, capped=capped, every_start=every_start
        )

    if metric.kind == "latency":
        return [count_view(ONE)]
    return [count_view(CAPPED, capped=True), count_view(AS_COUNTED, every_start=False)]


def harm_tuning(plan: RolloutPlan) -> Decimal:
    """r of the score processes for harm, tightest at the end of the first step as planned."""
    return rho(Decimal(plan.planned_requests), plan.alpha, one_sided=True)
