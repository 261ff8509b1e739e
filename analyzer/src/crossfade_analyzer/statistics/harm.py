"""Evidence of harm in one series of counts: one e-process per start time, mixed by (9).

Three ways of comparing (`CountHarm`, `MeanHarm`, `SloHarm`), one interface: `begin` a start, `add` a look, and the log
evidence of every start, nearly or exactly. Each tests "not worse than tolerated"; large values are evidence that it is
worse.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Protocol

import numpy as np

from crossfade_analyzer.statistics import grid, score, starts
from crossfade_analyzer.statistics.approximate import Approximate, Term, largest, log_sum
from crossfade_analyzer.statistics.arithmetic import ONE, ZERO, exactly
from crossfade_analyzer.statistics.dispersion import dispersions
from crossfade_analyzer.statistics.look import CANDIDATE
from crossfade_analyzer.statistics.strata import N, Strata, Values, Weighted, X, weighted
from crossfade_analyzer.statistics.warmup import Baseline


class Harm(Protocol):
    """Evidence since each start. `strata` has a row per start."""

    strata: Strata

    def begin(self) -> None: ...

    def add(self, values: Values) -> None: ...

    def approximate(self) -> list[Approximate]:
        """ln E of each start, in floats."""

    def exact(self) -> list[Decimal]:
        """ln E of each start, in decimal."""

    def phi(self) -> float | None:
        """The dispersion since the first start."""


class CountHarm:
    """Grid e-process (5) for events of requests, against a ratio of rates up to `alternatives.rho0`."""

    def __init__(self, alternatives: grid.Grid, buckets: int, baseline: Baseline | None = None) -> None:
        self.strata = Strata(buckets, starts=0)
        self._baseline = baseline
        self._grid, self._rho0 = alternatives, float(alternatives.rho0)
        self._sums = alternatives.nothing
        self._before: list[grid.Sums] = []

    def begin(self) -> None:
        self.strata.begin()
        self._before.append(self._sums)

    def add(self, values: Values) -> None:
        look = weighted(values, self._rho0)
        if look is not None:
            self.strata.add(look)
        more = grid.increments(self._grid, values.totals_x, values.totals_n)
        if more is not None:
            self._sums = grid.add(self._sums, more)

    def phi(self) -> float:
        return dispersions(self.strata)[0].phi

    def approximate(self) -> list[Approximate]:
        return grid.approximate_log_es(self._grid, *self._terms())

    def exact(self) -> list[Decimal]:
        sums, phis, shifts = self._terms()
        terms = zip(sums, phis, shifts or [0.0] * len(sums), strict=True)
        return [grid.log_e(self._grid, *term) for term in terms]

    def _terms(self) -> tuple[list[grid.Sums], list[float], list[float] | None]:
        """For each start its sums (3), phi, and what the warm-up takes off the score."""
        adjustment = self._baseline.adjust(self.strata) if self._baseline is not None else None
        found = adjustment.dispersions(self.strata) if adjustment is not None else dispersions(self.strata)
        sums = [grid.since(self._sums, before) for before in self._before]
        return sums, [one.phi for one in found], adjustment.shift if adjustment is not None else None


class MeanHarm:
    """Score e-process (14) for sums of values, against a ratio of means up to `rho0` (from `rho0` down when higher is
    better, `sign` -1)."""

    def __init__(self, rho0: Decimal, sign: int, r: Decimal, buckets: int, baseline: Baseline | None = None) -> None:
        self.strata = Strata(buckets, starts=0)
        self._baseline = baseline if rho0 == 1 else None
        self._rho0, self._sign, self._r = float(rho0), sign, r

    def begin(self) -> None:
        self.strata.begin()

    def add(self, values: Values) -> None:
        look = weighted(values, 1.0)
        if look is not None:
            self.strata.add(look)

    def phi(self) -> None:
        return None

    def approximate(self) -> list[Approximate]:
        return [score.approximate_log_e(value, self._r) if value else Approximate(0.0) for value in self._scores()]

    def exact(self) -> list[Decimal]:
        return [score.log_e(value, self._r) if value else ZERO for value in self._scores()]

    def _scores(self) -> list[score.Score | None]:
        """For each start; None while too few cells have data."""
        values = score.differences(self.strata, self._rho0)
        adjustment = self._baseline.adjust(self.strata) if self._baseline is not None else None
        if adjustment is not None:
            terms = zip(values, adjustment.shift, adjustment.variances().tolist(), strict=True)
            values = [score.Score(value.u - shift, v, value.d, value.buckets) for value, shift, v in terms]
        return [
            signed(value, self._sign) if sum(self.strata.cells(start)) >= score.BURN_IN_CELLS else None
            for start, value in enumerate(values)
        ]


class SloHarm:
    """One-sample grid e-process: the candidate's rate against an absolute one; control is not looked at."""

    def __init__(self, alternatives: grid.OneSample, buckets: int, *, failures: bool) -> None:
        self.strata = Strata(buckets, starts=0)
        self._alternatives, self._failures = alternatives, failures

    def begin(self) -> None:
        self.strata.begin()

    def add(self, values: Values) -> None:
        self.strata.add(one_sample(values, failures=self._failures))

    def phi(self) -> float:
        return dispersions(self.strata)[0].phi

    def approximate(self) -> list[Approximate]:
        return grid.approximate_log_es(self._alternatives, *self._terms())

    def exact(self) -> list[Decimal]:
        return [grid.log_e(self._alternatives, *term) for term in zip(*self._terms(), strict=True)]

    def _terms(self) -> tuple[list[grid.Sums], list[float]]:
        sums = [self._alternatives.sums(int(total[X]), int(total[N])) for total in self.strata.totals.tolist()]
        return sums, [found.phi for found in dispersions(self.strata)]


def one_sample(values: Values, *, failures: bool) -> Weighted:
    """The candidate's counts as strata with weight 1 and no control; `failures` counts n - x instead of x."""
    x, n = values.x[CANDIDATE], values.n[CANDIDATE]
    events = n - x if failures else x
    exposure = float(values.totals_n[CANDIDATE])
    seen = exposure - float(values.totals_x[CANDIDATE]) if failures else float(values.totals_x[CANDIDATE])
    nothing = np.zeros_like(n)
    totals = np.array((seen, 0.0, exposure, 0.0, seen, exposure, exposure))
    return Weighted(np.stack((events, n, nothing, nothing)), totals)


def signed(value: score.Score, sign: int) -> score.Score:
    """The score of the opposite difference for `sign` -1."""
    return score.Score(sign * value.u, value.v, value.d, value.buckets)


@exactly
def harm_grid(thetas: tuple[Decimal, ...], tolerated: Decimal, sign: int) -> grid.Grid:
    """Alternatives to "worse by at most the relative tolerance": above 1 + tolerance when lower is better (`sign` 1),
    below 1 - tolerance when higher is."""
    if sign > 0:
        return grid.grid(thetas, ONE + tolerated)
    return grid.grid([ONE / theta for theta in thetas], ONE - tolerated)


class StartMixture:
    """The mixture (9) over start times of one kind of evidence. Memory: a row of strata per start."""

    def __init__(self, harm: Harm) -> None:
        self.harm = harm
        self.first_looks: list[int] = []
        self._weights: list[Decimal] = []
        self._shares: list[float] = [1.0]
        self._near: list[Approximate] | None = None

    def begin(self, look: int, weight: Decimal | None = None) -> None:
        """A start: the looks from `look` on. Its weight is that of (9) unless given."""
        self._weights.append(starts.weight(len(self._weights)) if weight is None else weight)
        if self._weights[-1] < 0 or starts.unused(self._weights) < 0:
            raise ValueError(f"weights of starts are not negative and sum to at most 1, not {self._weights}")
        self._shares = [float(weight) for weight in (*self._weights, starts.unused(self._weights))]
        self.first_looks.append(look)
        self.harm.begin()
        self._near = None

    def add(self, values: Values) -> None:
        self.harm.add(values)
        self._near = None

    def approximate(self) -> Approximate:
        return log_sum(self._shares, [*self._of_starts(), Approximate(0.0)])

    def exact(self) -> Decimal:
        return starts.mixture(self.harm.exact(), self._weights)

    def leading(self) -> tuple[int, Term]:
        """The first look of the start with the largest weighted term, and the log of that term."""
        terms = [
            Term(near, partial(self._exact_of, start)).times(weight)
            for start, (near, weight) in enumerate(zip(self._of_starts(), self._weights, strict=True))
        ]
        best = largest(terms)
        return self.first_looks[best], terms[best]

    def _of_starts(self) -> list[Approximate]:
        if self._near is None:
            self._near = self.harm.approximate()
        return self._near

    def _exact_of(self, start: int) -> Decimal:
        return self.harm.exact()[start]
