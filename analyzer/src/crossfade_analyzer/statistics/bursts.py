"""Bursts capped, blind to the arm: one user's storm of failures must not drown everybody else's.

Within a look, the events of an analysis bucket beyond a cap are scaled down, by the same factor in both arms. The
factor depends on the sum over arms only, so under "the version makes no difference" it is a property of the users in
the bucket, whichever arm they were drawn into, and the comparison stays unbiased; for independent events the expected
ratio is kept whatever the true ratio. What is tested is the ratio of these scaled events: closer to users affected
than to requests failed. Not from the literature; the measured gain and guarantee are in docs/reference/methods.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil, fsum, sqrt

from crossfade_analyzer.statistics.look import Counts, PerArm

Reals = tuple[list[float], list[float]]


@dataclass(frozen=True, slots=True)
class Capped:
    """Counts whose events `x` were scaled down where they came in a burst; `n` is unchanged."""

    x: Reals
    n: PerArm

    def totals_x(self) -> tuple[Decimal, Decimal]:
        return Decimal(fsum(self.x[0])), Decimal(fsum(self.x[1]))

    def totals_n(self) -> tuple[int, int]:
        return sum(self.n[0]), sum(self.n[1])


class BurstCap:
    """The cap: one standard deviation of a Poisson count above the mean number of events per bucket in a look of that
    many requests, at the rate so far, rounded up. Memory: two integers."""

    __slots__ = ("_events", "_requests")

    def __init__(self) -> None:
        self._events = 0
        self._requests = 0

    def apply(self, counts: Counts) -> Capped:
        """`counts` with bursts capped; remembers their rate. Call once per look, in order."""
        requests = sum(counts.totals_n())
        self._events += sum(counts.totals_x())
        self._requests += requests
        mean = self._events / self._requests * requests / counts.buckets if self._requests else 0.0
        cap = ceil(mean + sqrt(mean))
        control, candidate = counts.x
        factors = [
            cap / both if both > cap else 1.0 for both in (c + t for c, t in zip(control, candidate, strict=True))
        ]
        return Capped(
            (
                [x * factor for x, factor in zip(control, factors, strict=True)],
                [x * factor for x, factor in zip(candidate, factors, strict=True)],
            ),
            counts.n,
        )
