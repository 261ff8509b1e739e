"""Evidence that a candidate is within a margin (`prove`, section 3.6): one e-process per margin, against "at or
beyond the margin". P(ever >= 1/beta | at or beyond the margin) <= beta; never mixed with the evidence of harm."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from crossfade_analyzer.statistics import grid, score
from crossfade_analyzer.statistics.approximate import Approximate
from crossfade_analyzer.statistics.arithmetic import ONE, ZERO, exactly
from crossfade_analyzer.statistics.dispersion import dispersions
from crossfade_analyzer.statistics.harm import CountHarm, signed
from crossfade_analyzer.statistics.plan import MIN_BUCKETS
from crossfade_analyzer.statistics.strata import M_C, M_T, N_T, N, Strata, Values, X


class Proof(Protocol):
    """`strata` are those of null ratio 1 over all looks; `approximate` and `exact` (ln E in floats and in decimal) are
    called after they contain the look."""

    def add(self, values: Values) -> None: ...

    def approximate(self, strata: Strata) -> Approximate: ...

    def exact(self, strata: Strata) -> Decimal: ...


class RatioProof:
    """Count metrics, relative margin: grid e-process with rho0 at the margin and the grid on its good side."""

    def __init__(self, margin: Decimal, sign: int, buckets: int) -> None:
        self._process = CountHarm(proof_grid(margin, sign), buckets)
        self._process.begin()

    def add(self, values: Values) -> None:
        self._process.add(values)

    def approximate(self, strata: Strata) -> Approximate:
        return self._process.approximate()[0] if enough_buckets(strata) else Approximate(0.0)

    def exact(self, strata: Strata) -> Decimal:
        return self._process.exact()[0] if enough_buckets(strata) else ZERO


@exactly
def proof_grid(margin: Decimal, sign: int) -> grid.Grid:
    """True ratios 0.5, 0.6875, 0.875 and 1 (1/those when higher is better) relative to the margin: at a margin of 1.25
    the grid {0.4, 0.55, 0.7, 0.8}. A version equal to control is an alternative at any margin."""
    rho0 = ONE + sign * margin
    ratios = grid.PROOF_RATIOS if sign > 0 else tuple(ONE / ratio for ratio in grid.PROOF_RATIOS)
    return grid.grid([ratio / rho0 for ratio in ratios], rho0)


class ScoreProof:
    """What the proofs by a score have in common: everything they need is in the strata."""

    def __init__(self, r: Decimal) -> None:
        self._r = r

    def score(self, strata: Strata) -> score.Score | None:
        """The score of "within the margin", or None while there is too little to conclude anything."""
        raise NotImplementedError

    def add(self, values: Values) -> None:
        """Nothing of its own."""

    def approximate(self, strata: Strata) -> Approximate:
        value = self.score(strata)
        return score.approximate_log_e(value, self._r) if value is not None else Approximate(0.0)

    def exact(self, strata: Strata) -> Decimal:
        value = self.score(strata)
        return score.log_e(value, self._r) if value is not None else ZERO


class DifferenceProof(ScoreProof):
    """Count metrics, absolute margin delta: H0 "the rate is worse by delta or more", by the score U' = delta D - U.

    The variance is phi times the binomial variance *under the null* (control's rate, and that rate worsened by delta),
    so that a candidate without any event is not taken for one without any variance. Nothing is concluded before the
    null predicts `min_events` events in the candidate: below that the score is too far from normal.
    """

    def __init__(self, delta: Decimal, sign: int, r: Decimal, min_events: int) -> None:
        super().__init__(r)
        self._delta, self._sign, self._min_events = float(delta), sign, min_events

    def score(self, strata: Strata) -> score.Score | None:
        """U' and V under the null."""
        _, _, events, exposure = strata.over_buckets[0].tolist()
        totals = strata.totals[0].tolist()
        if not exposure > 0 or not enough_buckets(strata):
            return None
        control = events / exposure
        null = min(max(control + self._sign * self._delta, 0.0), 1.0)
        if null * totals[N_T] < self._min_events:
            return None
        binomial = totals[M_T] * null * (1.0 - null) + totals[M_C] * control * (1.0 - control)
        raw = score.difference(strata, shift=self._sign * self._delta)
        return score.Score(-self._sign * raw.u, dispersions(strata)[0].phi * binomial, raw.d, raw.buckets)


class MeanProof(ScoreProof):
    """Means: score of "margin minus loss", relative (`rho0`) or absolute (`shift`, integer units of x)."""

    def __init__(self, sign: int, r: Decimal, *, rho0: Decimal = ONE, shift: Decimal = ZERO) -> None:
        super().__init__(r)
        self._sign = sign
        self._rho0, self._shift = float(rho0), float(shift)

    def score(self, strata: Strata) -> score.Score | None:
        if sum(strata.cells()) < score.BURN_IN_CELLS or not enough_buckets(strata):
            return None
        return signed(score.difference(strata, self._rho0, self._shift), -self._sign)


class SloProof:
    """One-sample: H0 "the rate is at or above the SLO", grid below 1."""

    @exactly
    def __init__(self, rate: Decimal) -> None:
        self._alternatives = grid.one_sample(grid.grid([ratio * Decimal("0.8") for ratio in grid.PROOF_RATIOS]), rate)

    def add(self, values: Values) -> None:
        """Nothing of its own."""

    def approximate(self, strata: Strata) -> Approximate:
        sums, phi = self._terms(strata)
        return grid.approximate_log_es(self._alternatives, [sums], [phi])[0]

    def exact(self, strata: Strata) -> Decimal:
        return grid.log_e(self._alternatives, *self._terms(strata))

    def _terms(self, strata: Strata) -> tuple[grid.Sums, float]:
        """The sums and phi; no sums while the candidate has too few buckets."""
        x, n = (int(strata.totals[0, column]) for column in (X, N))
        enough = strata.cells()[0] >= MIN_BUCKETS
        return self._alternatives.sums(x, n) if enough else self._alternatives.sums(0, 0), dispersions(strata)[0].phi


def enough_buckets(strata: Strata) -> bool:
    """Whether both arms have had requests in at least `MIN_BUCKETS` buckets: fewer say too little about variance."""
    return min(strata.cells()) >= MIN_BUCKETS
