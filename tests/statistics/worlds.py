"""Seeded looks for tests: small worlds of integer counts per arm and analysis bucket, in plain Python."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from decimal import Decimal

from crossfade_analyzer.statistics.look import Counts, Look

BUCKETS = 40
RAMP = (("0.05", 20), ("0.25", 20), ("0.5", 20))


def binomial(rng: random.Random, n: int, p: float) -> int:
    """Few draws for small means: geometric gaps between successes."""
    if p <= 0 or n <= 0:
        return 0
    if p > 0.2:
        return sum(rng.random() < p for _ in range(n))
    count, position = 0, -1
    while True:
        position += 1 + int(rng.expovariate(1.0) / -_log1m(p))
        if position >= n:
            return count
        count += 1


def _log1m(p: float) -> float:
    from math import log1p

    return log1p(-p)


def counts(
    rng: random.Random, share: float, rates: tuple[float, float], requests: int = 3000, buckets: int = BUCKETS
) -> Counts:
    """One look: about `requests` in all, of which `share` are the candidate's; events at `rates` (control,
    candidate)."""
    arms = [(1 - share, rates[0]), (share, rates[1])]
    n = [[binomial(rng, round(2 * requests / buckets), part / 2) for _ in range(buckets)] for part, _ in arms]
    x = [[binomial(rng, total, rate) for total in row] for row, (_, rate) in zip(n, arms, strict=True)]
    return Counts((tuple(x[0]), tuple(x[1])), (tuple(n[0]), tuple(n[1])))


def looks(
    seed: int,
    rates: tuple[float, float],
    *,
    key: str = "error-rate",
    ramp: Sequence[tuple[str, int]] = RAMP,
    requests: int = 3000,
    buckets: int = BUCKETS,
) -> Iterator[Look]:
    """A rollout, one look a minute: `ramp` is (share, looks) per step."""
    rng = random.Random(seed)
    index = 0
    for step, (share, length) in enumerate(ramp):
        for _ in range(length):
            seen = counts(rng, float(share), rates, requests, buckets)
            yield Look(index, step, Decimal(share), Decimal(index + 1), {key: seen})
            index += 1


def even(x: tuple[int, int], n: tuple[int, int], buckets: int = 20) -> Counts:
    """Events and requests per bucket, the same in every bucket."""
    return Counts(
        ((x[0],) * buckets, (x[1],) * buckets),
        ((n[0],) * buckets, (n[1],) * buckets),
    )
