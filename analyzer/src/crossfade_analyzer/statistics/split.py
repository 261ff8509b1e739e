"""Is traffic split as it should be? Section 3.10, methods `srm.sequential`, and for sticky users `srm.sticky`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from crossfade_analyzer.statistics import normal_mixture, score
from crossfade_analyzer.statistics.arithmetic import CONTEXT, ZERO, exactly, ln
from crossfade_analyzer.statistics.elementary import Reals, sums
from crossfade_analyzer.statistics.gamma import log_gamma
from crossfade_analyzer.statistics.look import PerArm


class StickySplit:
    """Two-sided e-process that the candidate gets its nominal share, for users that keep their arm.

    Requests of a user cluster, so the variance is taken between buckets: u_b = sum_k [(1 - w_k) n_Tkb - w_k n_Ckb],
    U = sum u_b, V = B/(B-1) sum (u_b - U/B)^2, D = sum_k w_k (1 - w_k) n_k, then (14) two-sided.
    """

    __slots__ = ("_expected", "_requests", "_seen", "_u", "information")

    def __init__(self, buckets: int) -> None:
        self._u: Reals = np.zeros(buckets)
        self._seen = 0
        self._requests = 0
        self._expected = 0.0
        self.information = 0.0

    def add(self, n: PerArm, weight: Decimal) -> None:
        """One look's requests per arm and bucket under the nominal candidate share `weight`."""
        share, rest = float(weight), float(CONTEXT.subtract(1, weight))
        control, candidate = np.array(n, dtype=float)
        self._u += rest * candidate - share * control
        requests = sum(n[0]) + sum(n[1])
        self._seen += sum(n[1])
        self._requests += requests
        self._expected += share * requests
        self.information += share * rest * requests

    def score(self) -> score.Score:
        """U is in requests beyond the nominal number. One bucket alone shows no variance, hence no evidence."""
        buckets = len(self._u)
        u = float(sums(self._u))
        apart = self._u - u / buckets
        v = buckets / max(buckets - 1, 1) * float(sums(apart * apart))
        return score.Score(u, v, self.information, buckets)

    def log_e(self, r: Decimal) -> Decimal:
        """ln E, quantised."""
        return score.quantised_log_e(self.score(), r, one_sided=False)

    @property
    def requests(self) -> int:
        return self._requests

    @property
    def observed(self) -> float:
        """The candidate's share of the requests so far."""
        return self._seen / self._requests

    @property
    def nominal(self) -> float:
        """The share it should have had, averaged over requests."""
        return self._expected / self._requests


def tuning(planned: int, alpha: Decimal) -> Decimal:
    """r for `StickySplit.log_e`, tightest when the candidate has had `planned` requests."""
    return normal_mixture.rho(Decimal(planned), alpha, one_sided=False)


@dataclass(frozen=True, slots=True)
class IndependentSplit:
    """Evidence against the nominal shares when every request is assigned independently; `p` is always valid."""

    log_e: Decimal
    p: Decimal


@exactly
def independent(
    observed: Sequence[int], probabilities: Sequence[Decimal], concentration: Decimal = Decimal(100)
) -> IndependentSplit:
    """Dirichlet-multinomial martingale (Lindon & Malek 2022), prior alpha0 = concentration * p.

    `observed`: requests per arm since the start. For sticky users it is far too sure: use `StickySplit`.
    """
    if len(observed) != len(probabilities) or len(observed) < 2 or any(p <= 0 for p in probabilities):
        raise ValueError("needs a positive probability for each of at least two arms")
    if abs(sum(probabilities, ZERO) - 1) > Decimal("1e-9"):
        raise ValueError(f"probabilities sum to {sum(probabilities)}, not 1")
    value = log_gamma(concentration) - log_gamma(concentration + sum(observed))
    for seen, p in zip(observed, probabilities, strict=True):
        prior = concentration * p
        value += log_gamma(prior + seen) - log_gamma(prior) - seen * ln(p)
    return IndependentSplit(value, (-max(value, ZERO)).exp())
