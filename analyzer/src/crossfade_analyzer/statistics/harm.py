"""Evidence of harm in one series of counts: one e-process per start time, mixed by (9).

Three ways of comparing (`CountHarm`, `MeanHarm`, `SloHarm`), one interface: `begin` a start, `add` a look, `log_e`.
Each tests "not worse than tolerated"; large values are evidence that it is worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from crossfade_analyzer.statistics import grid, score, starts
from crossfade_analyzer.statistics.arithmetic import ONE, ZERO, exactly
from crossfade_analyzer.statistics.bursts import Capped
from crossfade_analyzer.statistics.dispersion import dispersion
from crossfade_analyzer.statistics.look import CANDIDATE, Counts
from crossfade_analyzer.statistics.strata import Strata, Weighted, weighted
from crossfade_analyzer.statistics.warmup import Baseline

Values = Counts | Capped


@dataclass(frozen=True, slots=True)
class Prepared:
    """What one look adds, the same for every start: to the strata, and to the sums (3) of a grid."""

    look: Weighted | None
    more: tuple[Decimal, ...] | None = None


class Harm(Protocol):
    """Evidence since one start. `add` takes what `prepare` made of a look, which is done once for all starts."""

    strata: Strata

    def prepare(self, counts: Values) -> Prepared: ...

    def add(self, prepared: Prepared) -> None: ...

    def log_e(self) -> Decimal: ...

    def phi(self) -> float | None: ...


class CountHarm:
    """Grid e-process (5) for events of requests, against a ratio of rates up to `alternatives.rho0`."""

    def __init__(self, alternatives: grid.Grid, buckets: int, baseline: Baseline | None = None) -> None:
        self.strata = Strata(buckets)
        self._baseline = baseline
        self._grid = alternatives
        self._sums = alternatives.nothing

    def prepare(self, counts: Values) -> Prepared:
        look = weighted(counts.x, counts.n, float(self._grid.rho0))
        return Prepared(look, grid.increments(self._grid, counts.totals_x(), counts.totals_n()))

    def add(self, prepared: Prepared) -> None:
        if prepared.look is not None:
            self.strata.add(prepared.look)
        if prepared.more is not None:
            self._sums = grid.add(self._sums, prepared.more)

    def phi(self) -> float:
        return dispersion(self.strata).phi

    def log_e(self) -> Decimal:
        adjustment = self._baseline.adjust(self.strata) if self._baseline is not None else None
        if adjustment is None:
            return grid.log_e(self._grid, self._sums, self.phi())
        sums = grid.shifted(self._grid, self._sums, adjustment.shift)
        return grid.log_e(self._grid, sums, adjustment.phi(self.strata))


class MeanHarm:
    """Score e-process (14) for sums of values, against a ratio of means up to `rho0` (from `rho0` down when higher is
    better, `sign` -1)."""

    def __init__(self, rho0: Decimal, sign: int, r: Decimal, buckets: int, baseline: Baseline | None = None) -> None:
        self.strata = Strata(buckets)
        self._baseline = baseline
        self._rho0, self._sign, self._r = float(rho0), sign, r

    def prepare(self, counts: Values) -> Prepared:
        return Prepared(weighted(counts.x, counts.n, 1.0))

    def add(self, prepared: Prepared) -> None:
        if prepared.look is not None:
            self.strata.add(prepared.look)

    def phi(self) -> None:
        return None

    def log_e(self) -> Decimal:
        if self.strata.cells < score.BURN_IN_CELLS:
            return ZERO
        value = score.difference(self.strata, self._rho0)
        adjustment = self._baseline.adjust(self.strata) if self._baseline is not None and self._rho0 == 1.0 else None
        if adjustment is not None:
            value = score.Score(value.u - adjustment.shift, adjustment.variance(), value.d, value.buckets)
        return score.log_e(signed(value, self._sign), self._r)


class SloHarm:
    """One-sample grid e-process: the candidate's rate against an absolute one; control is not looked at."""

    def __init__(self, rate: Decimal, alternatives: grid.Grid, buckets: int, *, failures: bool) -> None:
        self.strata = Strata(buckets)
        self._grid, self._rate, self._failures = alternatives, rate, failures

    def prepare(self, counts: Values) -> Prepared:
        return Prepared(one_sample(counts, failures=self._failures))

    def add(self, prepared: Prepared) -> None:
        if prepared.look is not None:
            self.strata.add(prepared.look)

    def phi(self) -> float:
        return dispersion(self.strata).phi

    def log_e(self) -> Decimal:
        x, n = int(self.strata.x), int(self.strata.n)
        if not n:
            return ZERO
        return grid.log_e_one_sample(self._grid, x, n, self._rate, self.phi())[0]


def one_sample(counts: Values, *, failures: bool) -> Weighted:
    """The candidate's counts as strata with weight 1 and no control; `failures` counts n - x instead of x."""
    x, n = counts.x[CANDIDATE], counts.n[CANDIDATE]
    events = [float(total - value) for value, total in zip(x, n, strict=True)] if failures else list(map(float, x))
    nothing = [0.0] * len(events)
    seen, exposure = float(sum(events)), float(sum(n))
    return Weighted(
        a=events, c=list(map(float, n)), d=nothing, f=nothing,
        v_t=seen, v_c=0.0, m_t=exposure, m_c=0.0, x=seen, n=exposure, n_t=exposure,
    )  # fmt: skip


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
    """The mixture (9) over start times of one kind of evidence. Memory: one `Harm` per start."""

    def __init__(self) -> None:
        self._processes: list[Harm] = []
        self._weights: list[Decimal] = []
        self.first_looks: list[int] = []
        self.logs: list[Decimal] = []

    def begin(self, process: Harm, look: int) -> None:
        """A start: `process` sees the looks from `look` on."""
        self._weights.append(starts.weight(len(self._processes)))
        self._processes.append(process)
        self.first_looks.append(look)
        self.logs.append(ZERO)

    def add(self, counts: Values) -> None:
        prepared = self.first.prepare(counts)
        for process in self._processes:
            process.add(prepared)
        self.logs = [process.log_e() for process in self._processes]

    def log_e(self) -> Decimal:
        return starts.mixture(self.logs, self._weights)

    @property
    def first(self) -> Harm:
        """The process that has seen everything."""
        return self._processes[0]

    @exactly
    def leading(self) -> tuple[int, Decimal]:
        """The first look of the start with the largest weighted term, and the log of that term."""
        terms = [log + weight.ln() for log, weight in zip(self.logs, self._weights, strict=True)]
        best = max(range(len(terms)), key=lambda i: terms[i])
        return self.first_looks[best], terms[best]
