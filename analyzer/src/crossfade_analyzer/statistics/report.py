"""The numbers shown beside a verdict: ratio, difference and their confidence sequences. Nothing is decided here."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from math import sqrt

from crossfade_analyzer.statistics import normal_mixture, score
from crossfade_analyzer.statistics.detectable import detectable_ratio
from crossfade_analyzer.statistics.distributions import student_score
from crossfade_analyzer.statistics.elementary import log
from crossfade_analyzer.statistics.part import Part
from crossfade_analyzer.statistics.ratio_interval import ratio_interval
from crossfade_analyzer.statistics.result import Interval, PartResult
from crossfade_analyzer.statistics.strata import Strata


def part_result(part: Part) -> PartResult:
    plan, metric, compared = part.plan, part.metric, part.metric.slo is None
    strata = part.strata
    counted = metric.kind != "mean"
    alpha = float(plan.report_alpha)
    band = ratio_interval(strata, alpha) if compared else None
    value = score.difference(strata) if compared else None
    rate = None if compared else rate_and_interval(strata, plan.planned_requests, alpha, failures=part.sign < 0)
    phi = part.phi
    detectable = None
    if compared and counted and part.sign > 0 and phi is not None:
        detectable = detectable_ratio(part.expected, part.x[0], phi, float(plan.alpha))
    return PartResult(
        key=part.key,
        log_e=part.log_e,
        log_e_proof=part.log_e_proof,
        x=part.x,
        n=part.n,
        phi=phi,
        ratio=ratio_of(strata) if compared else None,
        ratio_interval=Interval(band.lower, band.upper) if band else None,
        difference=value.estimate / metric.scale if value is not None and value.d > 0 else None,
        difference_interval=difference_interval(strata, plan.planned_requests, alpha, metric.scale)
        if compared
        else None,
        rate=rate[0] if rate else None,
        rate_interval=rate[1] if rate else None,
        expected_events=part.expected if counted else 0.0,
        detectable_ratio=detectable,
        warmup_ratio=ratio_of(part.before),
    )


def ratio_of(strata: Strata) -> float | None:
    """Stratified ratio of rates, candidate to control; None without control events."""
    events, _, control, _ = strata.over_buckets[0].tolist()
    return events / control if control > 0 else None


def difference_interval(strata: Strata, planned: int, alpha: float, scale: int) -> Interval | None:
    """U/D +/- the score bound (14, two-sided) in units of sqrt(V)/D, on Student's scale for the number of buckets;
    None until enough cells have data or while nothing varies."""
    value = score.difference(strata)
    if sum(strata.cells()) < score.BURN_IN_CELLS:
        return None
    return _around(value, planned, alpha, scale)


def rate_and_interval(
    strata: Strata, planned: int, alpha: float, *, failures: bool
) -> tuple[float, Interval | None] | None:
    """The candidate's rate beside an SLO, within 0 and 1, from its counts alone: x/n +/- the same bound, with the
    variance of its buckets. `failures`: the strata count n - x. The interval is None with too few buckets."""
    value = score.difference(strata)
    if not value.d > 0:
        return None
    enough = sum(strata.cells()) >= score.BURN_IN_CELLS / 2
    band = _around(value, planned, alpha, 1) if enough else None
    if not failures:
        return value.estimate, band and Interval(max(band.lower, 0.0), min(band.upper, 1.0))
    return 1 - value.estimate, band and Interval(max(1 - band.upper, 0.0), min(1 - band.lower, 1.0))


def _around(value: score.Score, planned: int, alpha: float, scale: int) -> Interval | None:
    if not value.v > 0 or not value.d > 0:
        return None
    r = _tuning(planned, alpha)
    z = sqrt((value.d + r) / value.d * (log((value.d + r) / r) - 2.0 * log(alpha)))
    half = student_score(z, value.buckets - 1) * sqrt(value.v) / value.d
    return Interval((value.estimate - half) / scale, (value.estimate + half) / scale)


@lru_cache(maxsize=64)
def _tuning(planned: int, alpha: float) -> float:
    return float(normal_mixture.rho(Decimal(planned), Decimal(alpha), one_sided=False))
