"""Stratified, bucket-robust score for differences and ratios of means: formula (13), method `score.mean`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import inf, sqrt

import numpy as np

from crossfade_analyzer.statistics import normal_mixture
from crossfade_analyzer.statistics.approximate import Approximate, settled
from crossfade_analyzer.statistics.arithmetic import ZERO
from crossfade_analyzer.statistics.distributions import fast_log_normal_cdf, fast_normal_score, normal_score
from crossfade_analyzer.statistics.elementary import log, sums
from crossfade_analyzer.statistics.strata import A, C, D, Strata

# Fewer (arm, bucket) cells with data than this say too little about the variance between buckets.
BURN_IN_CELLS = 40
_LOG_TWO = 0.6931471805599453
# Error of the float tails in log evidence, relative to 1 + z^2: twenty times the largest found in tests.
_TAILS = 2.0**-41


@dataclass(frozen=True, slots=True)
class Score:
    """U (units of y), its variance V, information D (effective requests); the estimate U/D is a difference of means."""

    u: float
    v: float
    d: float
    buckets: int

    @property
    def z(self) -> float:
        """U / sqrt(V); 0 when nothing varies and nothing differs."""
        if self.v > 0:
            return self.u / sqrt(self.v)
        return 0.0 if self.u == 0 else float("inf") if self.u > 0 else float("-inf")

    @property
    def estimate(self) -> float:
        return self.u / self.d


def differences(strata: Strata, rho0: float = 1.0, shift: float = 0.0) -> list[Score]:
    """The score of "candidate's mean - rho0 * control's mean - shift" for each start, from strata of null ratio 1.

    `shift` is in units of y per request. With rho0 != 1 the residuals of control are scaled likewise.
    """
    residuals = strata.residuals.candidate - rho0 * strata.residuals.control
    d = strata.over_buckets[:, C]
    u = sums(np.concatenate((strata.sums[:, A], -rho0 * strata.sums[:, D], -shift * d[:, None]), axis=1))
    shrink = (strata.buckets - 1) / strata.buckets
    v = shrink * sums(residuals * residuals)
    return [Score(*numbers, strata.buckets) for numbers in zip(u.tolist(), v.tolist(), d.tolist(), strict=True)]


def difference(strata: Strata, rho0: float = 1.0, shift: float = 0.0) -> Score:
    """The score of the first start."""
    return differences(strata, rho0, shift)[0]


def log_e(score: Score, r: Decimal, *, one_sided: bool = True) -> Decimal:
    """ln E (14) that U > 0 (or U != 0), with the small-B correction Z* = Phi^-1(T_{B-1}(Z)); not quantised.

    Without variance between buckets there is no scale for U, hence no evidence: 0.
    """
    if not score.v > 0 or not score.d > 0:
        return ZERO
    z_star = normal_score(Decimal(score.z), score.buckets - 1)
    return normal_mixture.log_e(z_star, Decimal(score.d), r, one_sided=one_sided)


def approximate_log_e(score: Score, r: Decimal, *, one_sided: bool = True) -> Approximate:
    """`log_e` in floats."""
    if not score.v > 0 or not score.d > 0:
        return Approximate(0.0)
    z = fast_normal_score(score.z, score.buckets - 1)
    share = score.d / (score.d + float(r))
    if not abs(z) < inf or not 0 < share < 1:
        return Approximate(0.0, inf)
    value = log(float(r) / (score.d + float(r))) / 2 + z * z * share / 2
    tail = fast_log_normal_cdf(z * sqrt(share)) if one_sided else 0.0
    return Approximate(value + tail + (_LOG_TWO if one_sided else 0.0), _TAILS * (1.0 + z * z - tail))


def quantised_log_e(score: Score, r: Decimal, *, one_sided: bool = True) -> Decimal:
    near = approximate_log_e(score, r, one_sided=one_sided)
    return settled(near, lambda: log_e(score, r, one_sided=one_sided))
