"""From raw counter samples to increments: section 2.2, method `counter.delta`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence


def delta(samples: Sequence[int | None]) -> int:
    """Increase of one counter over consecutive raw samples, exact, never extrapolated.

    A sample below the one before is a reset: the counter began again at 0 and its new value counts. A leading None
    says that the series did not exist before although its target was watched, so that its first value counts in full;
    without it the first value is the baseline. Negative or later missing samples are refused.
    """
    if not samples or any(value is None for value in samples[1:]):
        raise ValueError("needs samples without gaps; only the first may be None, for a series known to be new")
    values = [0 if value is None else value for value in samples]
    if any(not value >= 0 for value in values):
        raise ValueError(f"counters are never negative: {min(values)}")
    return sum(now - before if now >= before else now for before, now in itertools.pairwise(values))
