"""Group sequential bounds and designs: methods `group_sequential.bounds` and `group_sequential.inflation`.

Recursive integration of the sub-density of the score (Armitage, McPherson, Rowe 1969; Jennison & Turnbull 2000, chapter
19), 1,201 Simpson points. Computed once, at planning or when information is observed; bounds are rounded to 1e-6 and
stored, so that a decision only compares.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np

from crossfade_analyzer.statistics.experiments.planning import z_sum
from crossfade_analyzer.statistics.experiments.spending import Spending, obf_scale
from crossfade_analyzer.statistics.scientific import Vector, normal_cdf_of, root

_POINTS = 1201
_REACH = 9.0
# A look at which less than this may be spent has no bound: a solver's number for it would be noise.
UNREACHABLE = 1e-7
_MIN_INCREMENT = 1e-4


@dataclass(slots=True)
class _Density:
    """Sub-density of the score W(t) = Z sqrt(t) among paths that have not crossed, on a Simpson grid."""

    points: Vector
    weighted: Vector
    t: float

    def beyond(self, bound: float, t: float, drift: float) -> float:
        """Probability of W(t) > `bound` (and not crossed before)."""
        step = sqrt(t - self.t)
        return float(self.weighted @ normal_cdf_of((self.points + drift * (t - self.t) - bound) / step))

    def advance(self, bound: float, t: float, drift: float) -> _Density:
        points, weights = _simpson(-_REACH * sqrt(t) + drift * t, bound)
        step = sqrt(t - self.t)
        apart = (points[:, None] - self.points[None, :] - drift * (t - self.t)) / step
        kernel = np.exp(-0.5 * apart * apart) / (step * sqrt(2 * pi))
        return _Density(points, weights * (kernel @ self.weighted), t)


def _simpson(low: float, high: float) -> tuple[Vector, Vector]:
    points = np.linspace(low, high, _POINTS)
    weights = np.full(_POINTS, 2.0)
    weights[1::2] = 4.0
    weights[[0, -1]] = 1.0
    return points, weights * (points[1] - points[0]) / 3


def _start() -> _Density:
    return _Density(np.zeros(1), np.ones(1), 0.0)


def bounds(
    spending: Spending, alpha: float, information: Sequence[float], times: Sequence[float] | None = None
) -> list[float | None]:
    """One-sided z bounds at looks with these cumulative `information`s; None where less than 1e-7 may be spent.

    Without `times`, information is in fractions of the planned maximum and alpha is spent by them; above 1 they count
    as 1 (over-running). With `times` (spending time, 0 to 1, the same length) alpha is spent by these, and information,
    in any unit, only says how the looks hang together: corr(Z_s, Z_t) = sqrt(I_s / I_t) (Lan & DeMets 1989). A look
    that adds less than 1e-4 of either has the bound before.
    """
    if times is None:
        information = times = [min(fraction, 1.0) for fraction in information]
    _increasing(information)
    _increasing(times)
    solved: list[float | None] = []
    density, used, last = _start(), 0.0, 0.0
    for t, time in zip(information, times, strict=True):
        if time - last < _MIN_INCREMENT or t - density.t < _MIN_INCREMENT * t:
            solved.append(solved[-1] if solved else None)
            continue
        spend = spending.spent(time, alpha) - used
        z = _solve(density, t, spend) if spend >= UNREACHABLE else None
        cut = (z if z is not None else _REACH) * sqrt(t)
        used += spend if z is not None else 0.0
        density, last = density.advance(cut, t, 0.0), time
        solved.append(None if z is None else round(z, 6))
    return solved


def _solve(density: _Density, t: float, spend: float) -> float:
    return root(lambda z: density.beyond(z * sqrt(t), t, 0.0) - spend, -_REACH, _REACH)


EXACT: dict[str, Callable[[float], float]] = {"obrien_fleming_exact": obf_scale, "pocock_exact": lambda _: 1.0}
"""Classical designs by the shape of their bounds: z_k = c shape(t_k)."""


def exact(kind: str, alpha: float, information: Sequence[float]) -> list[float | None]:
    """Bounds of a classical design of `EXACT`, with total error alpha at the planned fractions, at increments below
    1e-4 those before."""
    _increasing(information)
    kept = [t for before, t in itertools.pairwise([0.0, *information]) if t - before >= _MIN_INCREMENT]
    shape = [EXACT[kind](t) for t in kept]
    c = root(lambda c: crossing_probability([c * s for s in shape], kept) - alpha, 0.5, 8.0)
    solved = dict(zip(kept, (round(c * s, 6) for s in shape), strict=True))
    return [solved[max(one for one in kept if one <= t)] for t in information]


def crossing_probability(z: Sequence[float | None], information: Sequence[float], drift: float = 0.0) -> float:
    """Probability of ever crossing the bounds when the final z statistic has mean `drift`; a look that adds nothing to
    the one before has no bound of its own."""
    density, total = _start(), 0.0
    for bound, t in zip(z, information, strict=True):
        if t - density.t < _MIN_INCREMENT * t:
            continue
        cut = (bound if bound is not None else _REACH) * sqrt(t)
        total += density.beyond(cut, t, drift)
        density = density.advance(cut, t, drift)
    return total


def inflation(spending: Spending, alpha: float, beta: float, information: Sequence[float]) -> float:
    """How much larger the maximum sample must be than a fixed one of the same power."""
    return inflation_of(bounds(spending, alpha, information), alpha, beta, information)


def inflation_of(z: Sequence[float | None], alpha: float, beta: float, information: Sequence[float]) -> float:
    """As `inflation`, of bounds that are solved already."""
    drift = root(lambda d: crossing_probability(z, information, d) - (1 - beta), 0.5, 10.0, 1e-8)
    return (drift / z_sum(alpha, beta)) ** 2


def _increasing(information: Sequence[float]) -> None:
    if not information or information[0] <= 0 or any(b < a for a, b in itertools.pairwise(information)):
        raise ValueError("information fractions must be positive and must not decrease")
