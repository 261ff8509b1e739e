"""Events "slower than a bound" from native (exponential) histograms, method `histogram.native_exceedance`.

In schema s, bucket i holds values in (2^((i-1)/2^s), 2^(i/2^s)] (Prometheus, "native histograms"). Bounds of schema s
are a subset of those of s + 1, and a histogram may fall back to a coarser schema when it grows too many buckets. So
latency bounds are chosen on the coarsest schema that an arm may fall back to: there every count stays exact, whatever
the resolution of a scrape, and a bound that is no longer there ends the metric instead of being interpolated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from crossfade_analyzer.statistics.refusals import CannotJudge, Refusal

SCHEMAS = range(-4, 9)
_SAME = 5e-4  # bounds of the finest schema differ by 0.27 %: one that is written with four digits is still told

Bucket = tuple[float, float, float]
"""(above, up to and with, count)."""


@dataclass(frozen=True, slots=True)
class Straddling:
    """The bucket with observations that has a bound inside."""

    lower: float
    upper: float


def within(buckets: Iterable[Bucket], bound: float) -> int | Straddling:
    """How many observations are at most `bound`, exact; or the bucket because of which nobody knows.

    Buckets without observations lie on no side: a bound that only they have inside is as good as any.
    """
    found = 0
    for lower, upper, count in buckets:
        if count and upper <= bound * (1 + _SAME):
            found += int(count)
        elif count and lower < bound * (1 - _SAME):
            return Straddling(lower, upper)
    return found


@dataclass(frozen=True, slots=True)
class NativeHistogram:
    """One series at one scrape: `counts` by positive bucket index (not cumulative) and the zero bucket's count.
    Durations are never negative, so other buckets are refused."""

    schema: int
    counts: Mapping[int, int]
    zero: int = 0

    def __post_init__(self) -> None:
        if self.schema not in SCHEMAS:
            raise ValueError(f"the schema of a native histogram is -4 to 8, not {self.schema}")
        if self.zero < 0 or any(count < 0 for count in self.counts.values()):
            raise ValueError("bucket counts are never negative")

    @property
    def count(self) -> int:
        return self.zero + sum(self.counts.values())

    def buckets(self) -> Iterator[Bucket]:
        """By their bounds, the zero bucket first."""
        yield 0.0, 0.0, self.zero
        for index, count in self.counts.items():
            yield upper_bound(self.schema, index - 1), upper_bound(self.schema, index), count

    def at(self, schema: int) -> dict[int, int]:
        """The counts in a coarser schema, exactly: 2^(s - schema) neighbours become one."""
        if schema > self.schema:
            raise ValueError(f"schema {self.schema} cannot be read at the finer schema {schema}")
        merged: dict[int, int] = {}
        for index, count in sorted(self.counts.items()):
            coarse = -(-index >> (self.schema - schema))
            merged[coarse] = merged.get(coarse, 0) + count
        return merged


def upper_bound(schema: int, index: int) -> float:
    """The upper bound of a bucket, for display and labels; in the unit of what was observed."""
    return float(2.0 ** (index * 2.0**-schema))


def slower(seen: NativeHistogram, schema: int, index: int) -> int | CannotJudge:
    """How many observations lie above the bound `index` of the plan's `schema`: a counter, exact at any finer
    schema."""
    if seen.schema < schema:
        return CannotJudge(
            Refusal.BOUNDS_MISSING,
            f"A histogram fell back to schema {seen.schema}; the bound {upper_bound(schema, index):g} of schema "
            f"{schema} is no longer there. Start a new rollout with bounds of schema {seen.schema}, or let the "
            "histogram keep more buckets.",
            "latency",
        )
    found = within(seen.buckets(), upper_bound(schema, index))
    assert isinstance(found, int)  # noqa: S101  # every finer schema has the bounds of a coarser one
    return seen.count - found


def nearest_bounds(control: NativeHistogram, coarsest: int, quantiles: Sequence[float]) -> list[int] | CannotJudge:
    """The bounds of schema `coarsest` whose share of control's observations at most there is nearest to each quantile,
    without repetition. From data of before the rollout only."""
    if not control.count:
        return CannotJudge(Refusal.NO_DATA, "The histogram is empty: there are no bounds to choose.", "latency")
    if control.schema < coarsest:
        return CannotJudge(
            Refusal.BOUNDS_MISSING,
            f"The histogram is at schema {control.schema}, coarser than {coarsest}: choose bounds of schema "
            f"{control.schema}.",
            "latency",
        )
    merged = sorted(control.at(coarsest).items())
    below, shares = control.zero, {}
    for index, count in merged:
        below += count
        shares[index] = below / control.count
    chosen = [min(shares, key=lambda index: (abs(shares[index] - q), index)) for q in quantiles]
    return list(dict.fromkeys(chosen))
