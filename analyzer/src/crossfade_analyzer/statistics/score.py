"""Stratified, bucket-robust score for differences and ratios of means: formula (13), method `score.mean`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import fsum, sqrt

from crossfade_analyzer.statistics import normal_mixture
from crossfade_analyzer.statistics.arithmetic import ZERO
from crossfade_analyzer.statistics.distributions import normal_score
from crossfade_analyzer.statistics.strata import Strata

# Fewer (arm, bucket) cells with data than this say too little about the variance between buckets.
BURN_IN_CELLS = 40


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


def difference(strata: Strata, rho0: float = 1.0, shift: float = 0.0) -> Score:
    """The score of "candidate's mean - rho0 * control's mean - shift", from strata of null ratio 1.

    `shift` is in units of y per request. With rho0 != 1 the residuals of control are scaled likewise.
    """
    candidate, control = strata.candidate_residuals(), strata.control_residuals()
    d = fsum(strata.c)
    u = fsum([*strata.a, *[-rho0 * value for value in strata.d], -shift * d])
    shrink = (strata.buckets - 1) / strata.buckets
    squares = fsum([(t - rho0 * c) * (t - rho0 * c) for t, c in zip(candidate, control, strict=True)])
    return Score(u, shrink * squares, d, strata.buckets)


def log_e(score: Score, r: Decimal, *, one_sided: bool = True) -> Decimal:
    """ln E (14) that U > 0 (or U != 0), with the small-B correction Z* = Phi^-1(T_{B-1}(Z)); not quantised.

    Without variance between buckets there is no scale for U, hence no evidence: 0.
    """
    if not score.v > 0 or not score.d > 0:
        return ZERO
    z_star = normal_score(Decimal(score.z), score.buckets - 1)
    return normal_mixture.log_e(z_star, Decimal(score.d), r, one_sided=one_sided)
