"""An A/A warm-up as a control variate: section 3.11.

Before the candidate's version is switched in, its slice is labelled while both arms run stable. What the slice's
users did then predicts how they differ from control anyway; that part of the evidence is removed, as in CUPED (Deng
et al. 2013), with one coefficient from the residuals of all buckets. It cures what more requests of the same few
users cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum

from crossfade_analyzer.statistics.strata import Buckets, Strata, weighted


class Baseline:
    """The warm-up's sums, at the null ratio of the process that uses them."""

    __slots__ = ("_control", "_difference", "_squares", "_u", "rho0", "strata")

    def __init__(self, rho0: float, buckets: int) -> None:
        self.rho0 = rho0
        self.strata = Strata(buckets)
        self._difference: list[float] | None = None
        self._control: list[float] = []
        self._squares = 0.0
        self._u = 0.0

    def add(self, x: tuple[Buckets, Buckets], n: tuple[Buckets, Buckets]) -> None:
        """One look of the warm-up. None may come after `adjust` was called."""
        look = weighted(x, n, self.rho0)
        if look is not None:
            self.strata.add(look)

    def adjust(self, strata: Strata) -> Adjustment | None:
        """How evidence with these sums is to be corrected; None without a warm-up that says anything."""
        if self._difference is None:
            self._freeze()
        before = self._difference or []
        if not self._squares > 0:
            return None
        control = strata.control_residuals()
        now = [t - c for t, c in zip(strata.candidate_residuals(), control, strict=True)]
        theta = max(fsum([a * b for a, b in zip(now, before, strict=True)]) / self._squares, 0.0)
        return Adjustment(theta * self._u, unexplained(now, before), unexplained(control, self._control))

    def _freeze(self) -> None:
        self._control = self.strata.control_residuals()
        candidate = self.strata.candidate_residuals()
        self._difference = [t - c for t, c in zip(candidate, self._control, strict=True)]
        self._squares = fsum([value * value for value in self._difference])
        self._u = fsum([*self.strata.a, *[-value for value in self.strata.d]])


@dataclass(frozen=True, slots=True)
class Adjustment:
    """`shift`: what of the score U = sum A - sum D was to be expected. `residuals`, `control`: what is left of (7) for
    candidate minus control, and for control alone."""

    shift: float
    residuals: list[float]
    control: list[float]

    def variance(self) -> float:
        """V of the adjusted score; one degree of freedom went into the coefficient."""
        buckets = len(self.residuals)
        squares = fsum([value * value for value in self.residuals])
        return (buckets - 1) / buckets * (buckets - 1) / (buckets - 2) * squares

    def phi(self, strata: Strata) -> float:
        """Formula (8) with adjusted residuals."""
        buckets = len(self.control)
        nominal = strata.v_t + strata.v_c
        own = (buckets - 1) / buckets * fsum([value * value for value in self.control])
        return max(
            self.variance() / nominal if nominal > 0 else 0.0,
            own / strata.v_c if strata.v_c > 0 else 0.0,
            1.0 - strata.x / strata.n if strata.n > 0 else 1.0,
        )


def unexplained(now: list[float], before: list[float]) -> list[float]:
    """What each bucket's residual before does not explain of its residual now, by the coefficient of all *other*
    buckets (least squares through the origin; a negative relation has no meaning here and counts as none).

    With one coefficient for all, a bucket that dominates both periods would explain itself.
    """
    products = [a * b for a, b in zip(now, before, strict=True)]
    squares = [b * b for b in before]
    product, square = fsum(products), fsum(squares)
    return [
        a - max((product - ab) / (square - bb), 0.0) * b if square - bb > 0 else a
        for a, b, ab, bb in zip(now, before, products, squares, strict=True)
    ]
