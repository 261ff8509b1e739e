"""The evidence of one look: integer counts per arm and analysis bucket, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from crossfade_analyzer.statistics.refusals import InvalidLook

CONTROL, CANDIDATE = 0, 1
# The step of looks before the candidate: its slice is labelled, both arms run stable (section 3.11).
WARM_UP = -1
PerArm = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Counts:
    """Increments of one metric in one look: `x[arm][bucket]` of `n[arm][bucket]`, arm 0 control, 1 candidate.

    Count metrics: x events of n requests. A latency bound: x requests slower than the bound. Means: x the sum of the
    values in the metric's integer units (may be negative), n the number of values.
    """

    x: PerArm
    n: PerArm

    def __post_init__(self) -> None:
        sizes = {len(row) for row in (*self.x, *self.n)}
        if len(self.x) != 2 or len(self.n) != 2 or len(sizes) != 1:
            raise InvalidLook(
                "counts need two arms with the same number of buckets in x and n, not "
                f"{[len(row) for row in self.x]} and {[len(row) for row in self.n]}"
            )
        for row in (*self.x, *self.n):
            if set(map(type, row)) - {int}:
                raise InvalidLook("counts are integers: pass increments of raw counters, not rates or floats")
        if any(min(row, default=0) < 0 for row in self.n):
            raise InvalidLook("n is negative: counters only grow, so a reset was not accounted for")

    @property
    def buckets(self) -> int:
        return len(self.x[0])

    def totals_x(self) -> tuple[int, int]:
        return sum(self.x[CONTROL]), sum(self.x[CANDIDATE])

    def totals_n(self) -> tuple[int, int]:
        return sum(self.n[CONTROL]), sum(self.n[CANDIDATE])

    def plus(self, other: Counts) -> Counts:
        return Counts(_sum(self.x, other.x), _sum(self.n, other.n))


def _sum(one: PerArm, other: PerArm) -> PerArm:
    control, candidate = (
        tuple(a + b for a, b in zip(mine, theirs, strict=True)) for mine, theirs in zip(one, other, strict=True)
    )
    return control, candidate


@dataclass(frozen=True, slots=True)
class Look:
    """One tick of the analysis, both arms cut at the same instants.

    `index` strictly increases; `step` is the ramp step in force, or `WARM_UP` in looks before the first step;
    `weight` the candidate's nominal share of candidate and control users, in (0, 1); `minutes_since_start` the end of
    the look. `counts` is keyed by metric name (count, mean) or bound name (latency); what is missing was not seen in
    this look, and its counts belong to a later one. While routers are `shifting` to another share, `weight` holds for
    some of them only: the split is not tested then.
    """

    index: int
    step: int
    weight: Decimal
    minutes_since_start: Decimal
    counts: Mapping[str, Counts]
    shifting: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.weight < 1:
            raise InvalidLook(f"look {self.index}: the nominal share must be in (0, 1), not {self.weight}")
        if self.step < WARM_UP:
            raise InvalidLook(f"look {self.index}: steps count from 0, not {self.step}")
        if self.minutes_since_start < 0 and self.step != WARM_UP:
            raise InvalidLook(f"look {self.index}: it ends {self.minutes_since_start} minutes after the start")
