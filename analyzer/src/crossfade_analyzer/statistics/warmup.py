"""An A/A warm-up as a control variate: section 3.11.

Before the candidate's version is switched in, its slice is labelled while both arms run stable. What the slice's
users did then predicts how they differ from control anyway; that part of the evidence is removed, as in CUPED (Deng
et al. 2013), with one coefficient from the residuals of all buckets. It cures what more requests of the same few
users cannot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossfade_analyzer.statistics.dispersion import Dispersion, scatter
from crossfade_analyzer.statistics.elementary import Reals, sums
from crossfade_analyzer.statistics.strata import A, D, Strata, Values, weighted


class Baseline:
    """The warm-up's sums, at the null ratio of the process that uses them."""

    __slots__ = ("_squares", "_u", "rho0", "strata")

    def __init__(self, rho0: float, buckets: int) -> None:
        self.rho0 = rho0
        self.strata = Strata(buckets)
        self._squares: float | None = None
        self._u = 0.0

    def add(self, seen: Values) -> None:
        """One look of the warm-up. None may come after `adjust` was called."""
        look = weighted(seen, self.rho0)
        if look is not None:
            self.strata.add(look)

    def adjust(self, strata: Strata) -> Adjustment | None:
        """How evidence with these sums is to be corrected, for each start; None without a warm-up that says
        anything."""
        before = self.strata.residuals
        if self._squares is None:
            self._squares = float(sums(before.difference[0] * before.difference[0]))
            self._u = float(sums(np.concatenate((self.strata.sums[0, A], -self.strata.sums[0, D]))))
        if not self._squares > 0:
            return None
        now = strata.residuals
        theta = np.maximum(sums(now.difference * before.difference) / self._squares, 0.0)
        return Adjustment(
            (theta * self._u).tolist(),
            unexplained(now.difference, before.difference),
            unexplained(now.control, before.control),
        )


@dataclass(frozen=True, slots=True)
class Adjustment:
    """`shift` for each start: what of the score U = sum A - sum D was to be expected. `residuals`, `control`, shape
    (starts, B): what is left of (7) for candidate minus control, and for control alone."""

    shift: list[float]
    residuals: Reals
    control: Reals

    def variances(self) -> Reals:
        """V of the adjusted scores; one degree of freedom went into the coefficient."""
        buckets = self.residuals.shape[1]
        squares = sums(self.residuals * self.residuals)
        shrink: float = (buckets - 1) / buckets * (buckets - 1) / (buckets - 2)
        return shrink * squares

    def dispersions(self, strata: Strata) -> list[Dispersion]:
        """Formula (8) with adjusted residuals."""
        buckets = strata.buckets
        own = (buckets - 1) / buckets * sums(self.control * self.control)
        return scatter(self.variances(), own, strata.totals)


def unexplained(now: Reals, before: Reals) -> Reals:
    """What each bucket's residual before does not explain of its residual now, by the coefficient of all *other*
    buckets (least squares through the origin; a negative relation has no meaning here and counts as none).

    With one coefficient for all, a bucket that dominates both periods would explain itself. Shape (starts, B), of
    `now` (starts, B) and `before` (1, B).
    """
    products, squares = now * before, before * before
    others = sums(squares)[:, None] - squares
    alone = ~(others > 0)
    slope = np.maximum((sums(products)[:, None] - products) / np.where(alone, 1.0, others), 0.0)
    return np.where(alone, now, now - slope * before)
