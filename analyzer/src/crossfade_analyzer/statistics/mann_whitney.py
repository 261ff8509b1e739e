"""The Mann-Whitney interval that Kayenta's NetflixACA judge uses, method `benchmark.mann_whitney`. A baseline to
compare with in benchmarks; no decision of ours uses it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from statistics import NormalDist, median

_EXACT_BELOW = 50


def interval(experiment: Sequence[float], control: Sequence[float], conf: float) -> tuple[float, float, float]:
    """(lower, upper, estimate) of the location shift experiment - control: order statistics of all differences, exact
    below 50 points a side without ties, else by the normal approximation (Hollander & Wolfe, section 4.2)."""
    if not experiment or not control or not 0 < conf < 1:
        raise ValueError("needs points on both sides and a confidence level in (0, 1)")
    m, n = len(experiment), len(control)
    differences = sorted(x - y for x in experiment for y in control)
    tied = len(set(experiment) | set(control)) < m + n
    tail = (1 - conf) / 2
    if m < _EXACT_BELOW and n < _EXACT_BELOW and not tied:
        k = max(_quantile(tail, m, n), 1)
    else:
        z = NormalDist().inv_cdf(1 - tail)
        k = max(round(m * n / 2 - z * sqrt(m * n * (m + n + 1) / 12)), 1)
    return differences[k - 1], differences[m * n - k], median(differences)


def _quantile(tail: float, m: int, n: int) -> int:
    """The smallest u with P(U <= u) >= tail, for the null distribution of Mann and Whitney's U."""
    counts = _frequencies(m, n)
    needed = tail * sum(counts)
    total = 0
    for u, count in enumerate(counts):
        total += count
        if total >= needed:
            return u
    return len(counts) - 1


@lru_cache(maxsize=128)
def _frequencies(m: int, n: int) -> tuple[int, ...]:
    """How many arrangements give U = 0 .. m n: the Gaussian binomial coefficient, by its product formula."""
    size = m * n + 1
    counts = [1] + [0] * (size - 1)
    for i in range(1, m + 1):
        for u in range(size - 1, n + i - 1, -1):
            counts[u] -= counts[u - n - i]
        for u in range(i, size):
            counts[u] += counts[u - i]
    return tuple(counts)
