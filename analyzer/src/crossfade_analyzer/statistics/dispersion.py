"""Bucket-robust dispersion phi of stratified counts: formula (8), method `phi.cluster`."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum

from crossfade_analyzer.statistics.strata import Strata


@dataclass(frozen=True, slots=True)
class Dispersion:
    """How much wider counts scatter over buckets than independent events would.

    `both` is from candidate minus control residuals, `control` from control alone, `floor` is 1 - pooled rate (the
    binomial variance of common events); `phi` is their maximum. Dimensionless, > 0.
    """

    both: float
    control: float
    floor: float

    @property
    def phi(self) -> float:
        return max(self.both, self.control, self.floor)


def dispersion(strata: Strata) -> Dispersion:
    """Formula (8). The nominal variance uses each arm's own events, so that a true regression does not inflate phi;
    control's own dispersion is a lower bound, so that a candidate with a few lucky buckets does not deflate it."""
    candidate, control = strata.candidate_residuals(), strata.control_residuals()
    shrink = (strata.buckets - 1) / strata.buckets
    nominal = strata.v_t + strata.v_c
    both = fsum([(t - c) * (t - c) for t, c in zip(candidate, control, strict=True)])
    own = fsum([c * c for c in control])
    return Dispersion(
        both=shrink * both / nominal if nominal > 0 else 0.0,
        control=shrink * own / strata.v_c if strata.v_c > 0 else 0.0,
        floor=1.0 - strata.x / strata.n if strata.n > 0 else 1.0,
    )
