"""How often does the analysis call equal arms different? Answered from an A/A experiment's own bucket sums.

In every analysis bucket the arms' sums are swapped or not at random: each such arrangement is an A/A comparison that
could have been, with this endpoint's own users, and the share that tests as different is the false-positive rate. Each
arm's own value is taken out first, so that a real difference does not count as a flaw of the analysis.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from crossfade_analyzer.statistics.experiments.comparison import BucketSums
from crossfade_analyzer.statistics.scientific import Vector, student_quantile

ARRANGEMENTS = 1000


@dataclass(frozen=True, slots=True)
class Rejections:
    """`rejected` of `tests` two-sided tests at the nominal level called equal arms different."""

    rejected: int
    tests: int


def rejections(
    one: BucketSums, other: BucketSums, alpha: float, seed: str, arrangements: int = ARRANGEMENTS
) -> Rejections:
    """Test `arrangements` random ones at two-sided `alpha`, with df = 2 B - 2. Arrangements that vary in nothing
    reject nothing."""
    rng = random.Random(seed)  # noqa: S311 -- a simulation, and the same on every machine
    buckets = one.buckets
    swapped = np.array(
        [[bits >> bucket & 1 for bucket in range(buckets)] for bits in _bits(rng, buckets, arrangements)], dtype=bool
    )
    x0, x1 = _arranged(one.x, other.x, swapped)
    y0, y1 = _arranged(_residuals(one), _residuals(other), swapped)
    (r0, v0), (r1, v1) = _ratios(x0, y0), _ratios(x1, y1)
    limit = student_quantile(1 - alpha / 2, 2.0 * buckets - 2)
    rejected = np.abs(r1 - r0) > limit * np.sqrt(v0 + v1)
    return Rejections(int(rejected.sum()), arrangements)


def _residuals(sums: BucketSums) -> tuple[float, ...]:
    value = sum(sums.y) / sum(sums.x)
    return tuple(y - value * x for x, y in zip(sums.x, sums.y, strict=True))


def _bits(rng: random.Random, buckets: int, arrangements: int) -> list[int]:
    return [rng.getrandbits(buckets) for _ in range(arrangements)]


def _arranged(one: tuple[float, ...], other: tuple[float, ...], swapped: Vector) -> tuple[Vector, Vector]:
    a, b = np.array(one)[None, :], np.array(other)[None, :]
    return np.where(swapped, b, a), np.where(swapped, a, b)


def _ratios(x: Vector, y: Vector) -> tuple[Vector, Vector]:
    """Ratio (20) and its variance, per arrangement."""
    buckets = x.shape[1]
    xbar = x.mean(axis=1)
    value = y.mean(axis=1) / xbar
    residuals = y - value[:, None] * x
    spread = residuals.var(axis=1, ddof=1)
    return value, spread / (xbar * xbar) / buckets
