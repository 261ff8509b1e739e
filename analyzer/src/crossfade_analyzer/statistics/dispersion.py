"""Bucket-robust dispersion phi of stratified counts: formula (8), method `phi.cluster`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crossfade_analyzer.statistics.elementary import Reals, sums
from crossfade_analyzer.statistics.strata import V_C, V_T, N, Strata, X


@dataclass(frozen=True, slots=True)
class Dispersion:
    """How much wider counts scatter over buckets than independent events would.

    `both` is from candidate minus control residuals, `control` from control alone, `floor` is 1 - pooled rate (the
    binomial variance of common events; 1 while every request is an event, which tells no variance); `phi` is their
    maximum. Dimensionless, > 0.
    """

    both: float
    control: float
    floor: float

    @property
    def phi(self) -> float:
        return max(self.both, self.control, self.floor)


def dispersions(strata: Strata) -> list[Dispersion]:
    """Formula (8) for each start. Control's own dispersion is a lower bound, so that a candidate with a few lucky
    buckets does not deflate it."""
    difference, control = strata.residuals.difference, strata.residuals.control
    shrink = (strata.buckets - 1) / strata.buckets
    return scatter(shrink * sums(difference * difference), shrink * sums(control * control), strata.totals)


def scatter(both: Reals, own: Reals, totals: Reals) -> list[Dispersion]:
    """Sums of squared residuals over their nominal variance, for each start. It uses each arm's own events, so that a
    true regression does not inflate phi."""
    rows = zip(both.tolist(), own.tolist(), totals.tolist(), strict=True)
    return [_dispersion(squares, control, total) for squares, control, total in rows]


def _dispersion(both: float, own: float, total: Sequence[float]) -> Dispersion:
    nominal, control, x, n = total[V_T] + total[V_C], total[V_C], total[X], total[N]
    return Dispersion(
        both=both / nominal if nominal > 0 else 0.0,
        control=own / control if control > 0 else 0.0,
        floor=1.0 - x / n if x < n else 1.0,
    )
