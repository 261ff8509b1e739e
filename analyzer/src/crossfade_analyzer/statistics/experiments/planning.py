"""Sample sizes and detectable effects: methods `samplesize.mean`, `.proportion_unpooled`, `.mde`, `.spotify`.

Source: the normal approximations that rpact, statsmodels and spotify-confidence share; section 6.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from crossfade_analyzer.statistics.scientific import normal_quantile

MIN_BUCKETS_PER_ARM = 20
MINUTES_PER_WEEK = 7 * 24 * 60


def z_sum(alpha_one_sided: float, beta: float) -> float:
    if not 0 < alpha_one_sided < 0.5 or not 0 < beta < 1:
        raise ValueError(f"needs alpha in (0, 0.5) and beta in (0, 1), not {alpha_one_sided} and {beta}")
    return normal_quantile(1 - alpha_one_sided) + normal_quantile(1 - beta)


def mean_total(
    delta: float, sd: float, theta0: float, alpha_one_sided: float, beta: float, ratio: float = 1.0
) -> float:
    """Units in both arms to show a difference `delta` beyond `theta0` (0: superiority, -margin: non-inferiority), with
    `ratio` = n_treatment/n_control: (1 + r)^2/r (z_a + z_b)^2 sd^2/(delta - theta0)^2."""
    if delta == theta0 or sd <= 0 or ratio <= 0:
        raise ValueError("needs an effect other than the null, a positive standard deviation and ratio")
    return (1 + ratio) ** 2 / ratio * z_sum(alpha_one_sided, beta) ** 2 * sd**2 / (delta - theta0) ** 2


def proportion_per_arm(p_control: float, p_treatment: float, alpha_two_sided: float, power: float) -> float:
    """Units per arm for two proportions, unpooled variance."""
    _proportion(p_control)
    _proportion(p_treatment)
    variance = p_control * (1 - p_control) + p_treatment * (1 - p_treatment)
    if p_control == p_treatment or variance <= 0:
        raise ValueError("needs two different proportions, not both 0 or 1")
    return z_sum(alpha_two_sided / 2, 1 - power) ** 2 * variance / (p_treatment - p_control) ** 2


def _proportion(p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"a proportion is in [0, 1], not {p}")


def mde(sd: float, n_per_arm: float, alpha_two_sided: float, power: float) -> float:
    """The difference found with probability `power`, in units of the metric."""
    if n_per_arm <= 0 or sd <= 0:
        raise ValueError("needs a positive sample and standard deviation")
    return z_sum(alpha_two_sided / 2, 1 - power) * sd * sqrt(2 / n_per_arm)


def weighted_total(
    average: float,
    variance: float,
    mde_relative: float,
    weights: Sequence[float],
    alpha_two_sided: float,
    power: float,
    *,
    binary: bool = False,
    success_metrics: int = 1,
) -> int:
    """Units over all arms when arms are weighted (the first is control) and each treatment is compared with it: the
    largest over the treatments, alpha shared by the success metrics (Bonferroni, "spot-1")."""
    if len(weights) < 2 or min(weights) <= 0 or mde_relative == 0 or average == 0:
        raise ValueError("needs control and a treatment with positive weights, and an effect on a value other than 0")
    share = [weight / sum(weights) for weight in weights]
    effect = average * mde_relative
    if binary:
        _proportion(average)
        _proportion(average + effect)
    treated = (average + effect) * (1 - average - effect) if binary else variance
    needed = z_sum(alpha_two_sided / success_metrics / 2, 1 - power) ** 2 / effect**2
    return max(ceil(needed * (variance / share[0] + treated / arm)) for arm in share[1:])


@dataclass(frozen=True, slots=True)
class Duration:
    """`total`: units of x in both arms, inflated; `minutes`: at the endpoint's own traffic, in whole weeks."""

    total: float
    minutes: int
    weeks: int
    buckets_per_arm: int


def duration(
    base_total: float,
    *,
    inflation: float = 1.0,
    correlation: float = 0.0,
    units_per_minute: float,
    slice_share: float,
    buckets: int = 100,
) -> Duration:
    """How long an experiment on `slice_share` of the endpoint's traffic takes.

    `base_total` from `mean_total` with sigma^2 = n Var(R) of the pre-period, n = sum of x, so that clustering is in it;
    `inflation` of the sequential design; CUPED with pre-period correlation r saves the share r^2. With fewer than 20
    buckets the plan is refused: variance could not be estimated.
    """
    if inflation < 1 or not -1 < correlation < 1 or units_per_minute <= 0 or not 0 < slice_share <= 1:
        raise ValueError("needs inflation >= 1, |correlation| < 1, traffic > 0 and a slice in (0, 1]")
    if buckets < MIN_BUCKETS_PER_ARM:
        raise ValueError(f"{buckets} analysis buckets per arm are too few: use at least {MIN_BUCKETS_PER_ARM}")
    total = base_total * inflation * (1 - correlation * correlation)
    weeks = max(ceil(total / (units_per_minute * slice_share) / MINUTES_PER_WEEK), 1)
    return Duration(total, weeks * MINUTES_PER_WEEK, weeks, buckets)
