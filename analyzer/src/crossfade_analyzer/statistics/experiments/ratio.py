"""Ratio of bucket sums by the delta method: formulas (20)-(22), method `ratio.delta_buckets`. The default estimator."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from crossfade_analyzer.statistics.experiments.comparison import (
    BucketSums,
    Comparison,
    covariance,
    mean,
    pooled_se,
    two_sided,
    welch_df,
)
from crossfade_analyzer.statistics.refusals import CannotJudge, Refusal

# Below this many standard errors control's value may be zero, and a lift relative to it may be anything.
STABLE_DENOMINATOR = 4.0
# Residuals this small against the values themselves are rounding, not variance.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Ratio:
    """One arm: R = sum y / sum x, its variance over buckets, and how many buckets."""

    value: float
    variance: float
    buckets: int


def ratio(arm: BucketSums) -> Ratio | CannotJudge:
    """(20): Var(R) = (s_y^2 - 2 R s_xy + R^2 s_x^2) / (xbar^2 B), as the variance of the residuals y - R x."""
    xbar = mean(arm.x)
    if xbar == 0:
        return CannotJudge(Refusal.NO_DATA, "Nothing was counted in the denominator: no users or requests yet.", "x")
    value = mean(arm.y) / xbar
    residuals = [y - value * x for x, y in zip(arm.x, arm.y, strict=True)]
    largest = max(abs(y) for y in arm.y)
    if all(abs(residual) <= _ROUNDING * largest for residual in residuals):
        return Ratio(value, 0.0, arm.buckets)
    spread = covariance(residuals, residuals)
    return Ratio(value, spread / (xbar * xbar) / arm.buckets, arm.buckets)


def difference(control: BucketSums, treatment: BucketSums, alpha: float) -> Comparison | CannotJudge:
    """(21): R1 - R0 in units of y per x, Student's t on buckets."""
    pair = _ratios(control, treatment)
    if isinstance(pair, CannotJudge):
        return pair
    r0, r1 = pair
    return two_sided(r1.value - r0.value, pooled_se(r1.variance, r0.variance), bucket_df(r0, r1), alpha)


def relative(control: BucketSums, treatment: BucketSums, alpha: float) -> Comparison | CannotJudge:
    """(22): (R1 - R0)/|R0|; refused while control's value is within four standard errors of zero."""
    pair = _ratios(control, treatment)
    if isinstance(pair, CannotJudge):
        return pair
    r0, r1 = pair
    if abs(r0.value) < STABLE_DENOMINATOR * sqrt(r0.variance) or r0.value == 0:
        return CannotJudge(
            Refusal.UNSTABLE_DENOMINATOR,
            "Control's value is within four standard errors of zero, so a relative lift may be anything. Read the "
            "absolute difference, or wait for more data.",
            "relative",
        )
    variance = r1.variance / r0.value**2 + r0.variance * r1.value**2 / r0.value**4
    return two_sided((r1.value - r0.value) / abs(r0.value), sqrt(variance), bucket_df(r0, r1), alpha)


def bucket_df(r0: Ratio, r1: Ratio) -> float:
    """Welch-Satterthwaite on buckets."""
    return welch_df(r1.variance, r1.buckets - 1, r0.variance, r0.buckets - 1)


def _ratios(control: BucketSums, treatment: BucketSums) -> tuple[Ratio, Ratio] | CannotJudge:
    r0, r1 = ratio(control), ratio(treatment)
    if isinstance(r0, CannotJudge):
        return r0
    if isinstance(r1, CannotJudge):
        return r1
    if not r0.variance + r1.variance > 0:
        return CannotJudge(Refusal.DEGENERATE, "Nothing varies between buckets, so there is no standard error.", "y")
    return r0, r1
