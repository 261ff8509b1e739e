"""Evidence that a candidate is within a margin (`prove`, section 3.6): one e-process per margin, against "at or
beyond the margin". P(ever >= 1/beta | at or beyond the margin) <= beta; never mixed with the evidence of harm."""

from __future__ import annotations

from decimal import Decimal
from math import fsum
from typing import Protocol

from crossfade_analyzer.statistics import grid, score
from crossfade_analyzer.statistics.arithmetic import ONE, ZERO, exactly
from crossfade_analyzer.statistics.dispersion import dispersion
from crossfade_analyzer.statistics.harm import CountHarm, signed
from crossfade_analyzer.statistics.look import Counts
from crossfade_analyzer.statistics.plan import MIN_BUCKETS
from crossfade_analyzer.statistics.strata import Strata


class Proof(Protocol):
    """`strata` are those of null ratio 1 over all looks; `log_e` is called after they contain the look."""

    def add(self, counts: Counts) -> None: ...

    def log_e(self, strata: Strata) -> Decimal: ...


class RatioProof:
    """Count metrics, relative margin: grid e-process with rho0 at the margin and the grid on its good side."""

    def __init__(self, margin: Decimal, sign: int, buckets: int) -> None:
        self._process = CountHarm(proof_grid(margin, sign), buckets)

    def add(self, counts: Counts) -> None:
        self._process.add(self._process.prepare(counts))

    def log_e(self, strata: Strata) -> Decimal:
        return self._process.log_e() if enough_buckets(strata) else ZERO


@exactly
def proof_grid(margin: Decimal, sign: int) -> grid.Grid:
    """True ratios 0.5, 0.6875, 0.875 and 1 (1/those when higher is better) relative to the margin: at a margin of 1.25
    the grid {0.4, 0.55, 0.7, 0.8}. A version equal to control is an alternative at any margin."""
    rho0 = ONE + sign * margin
    ratios = grid.PROOF_RATIOS if sign > 0 else tuple(ONE / ratio for ratio in grid.PROOF_RATIOS)
    return grid.grid([ratio / rho0 for ratio in ratios], rho0)


class DifferenceProof:
    """Count metrics, absolute margin delta: H0 "the rate is worse by delta or more", by the score U' = delta D - U.

    The variance is phi times the binomial variance *under the null* (control's rate, and that rate worsened by delta),
    so that a candidate without any event is not taken for one without any variance. Nothing is concluded before the
    null predicts `min_events` events in the candidate: below that the score is too far from normal.
    """

    def __init__(self, delta: Decimal, sign: int, r: Decimal, min_events: int) -> None:
        self._delta, self._sign, self._r, self._min_events = float(delta), sign, r, min_events

    def add(self, counts: Counts) -> None:
        """Everything it needs is in the strata."""

    def log_e(self, strata: Strata) -> Decimal:
        value = self.score(strata)
        return score.log_e(value, self._r) if value is not None else ZERO

    def score(self, strata: Strata) -> score.Score | None:
        """U' and V under the null, or None while there is too little to conclude anything."""
        exposure = fsum(strata.f)
        if not exposure > 0 or not enough_buckets(strata):
            return None
        control = fsum(strata.d) / exposure
        null = min(max(control + self._sign * self._delta, 0.0), 1.0)
        if null * strata.n_t < self._min_events:
            return None
        binomial = strata.m_t * null * (1.0 - null) + strata.m_c * control * (1.0 - control)
        raw = score.difference(strata, shift=self._sign * self._delta)
        return score.Score(-self._sign * raw.u, dispersion(strata).phi * binomial, raw.d, raw.buckets)


class MeanProof:
    """Means: score of "margin minus loss", relative (`rho0`) or absolute (`shift`, integer units of x)."""

    def __init__(self, sign: int, r: Decimal, *, rho0: Decimal = ONE, shift: Decimal = ZERO) -> None:
        self._sign, self._r = sign, r
        self._rho0, self._shift = float(rho0), float(shift)

    def add(self, counts: Counts) -> None:
        """Everything it needs is in the strata."""

    def log_e(self, strata: Strata) -> Decimal:
        if strata.cells < score.BURN_IN_CELLS or not enough_buckets(strata):
            return ZERO
        loss = score.difference(strata, self._rho0, self._shift)
        return score.log_e(signed(loss, -self._sign), self._r)


class SloProof:
    """One-sample: H0 "the rate is at or above the SLO", grid below 1."""

    @exactly
    def __init__(self, rate: Decimal) -> None:
        self._rate = rate
        self._grid = grid.grid([ratio * Decimal("0.8") for ratio in grid.PROOF_RATIOS])

    def add(self, counts: Counts) -> None:
        """Everything it needs is in the strata."""

    def log_e(self, strata: Strata) -> Decimal:
        x, n = int(strata.x), int(strata.n)
        if not n or sum(1 for exposure in strata.c if exposure) < MIN_BUCKETS:
            return ZERO
        return grid.log_e_one_sample(self._grid, x, n, self._rate, dispersion(strata).phi)[0]


def enough_buckets(strata: Strata) -> bool:
    """Whether both arms have had requests in at least `MIN_BUCKETS` buckets: fewer say too little about variance."""
    return min(sum(1 for v in strata.c if v), sum(1 for v in strata.f if v)) >= MIN_BUCKETS
