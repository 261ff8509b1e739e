"""Bursts capped, blind to the arm: one user's storm of failures must not drown everybody else's.

Within a look, the events of an analysis bucket beyond a cap are scaled down, by the same factor in both arms. The
factor depends on the sum over arms only, so under "the version makes no difference" it is a property of the users in
the bucket, whichever arm they were drawn into, and the comparison stays unbiased; for independent events the expected
ratio is kept whatever the true ratio. What is tested is the ratio of these scaled events: closer to users affected
than to requests failed. Not from the literature; the measured gain and guarantee are in docs/reference/methods.md.
"""

from __future__ import annotations

from math import ceil, fsum, sqrt

import numpy as np

from crossfade_analyzer.statistics.strata import Values


class BurstCap:
    """The cap: one standard deviation of a Poisson count above the mean number of events per bucket in a look of that
    many requests, at the rate so far, rounded up. Memory: two numbers."""

    __slots__ = ("_events", "_requests")

    def __init__(self) -> None:
        self._events = self._requests = 0.0

    def apply(self, seen: Values) -> Values:
        """`seen` with bursts capped; remembers their rate. Call once per look, in order."""
        requests = sum(seen.totals_n)
        self._events += sum(seen.totals_x)
        self._requests += requests
        mean = self._events / self._requests * requests / seen.x.shape[1] if self._requests else 0.0
        cap = ceil(mean + sqrt(mean))
        both = seen.x[0] + seen.x[1]
        capped = seen.x * np.where(both > cap, cap / np.maximum(both, 1.0), 1.0)
        control, candidate = (fsum(row) for row in capped.tolist())
        return Values(capped, seen.n, (control, candidate), seen.totals_n)
