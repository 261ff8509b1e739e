"""Bounds that stay where they are while a histogram's resolution changes."""

from __future__ import annotations

import random
from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade_analyzer.statistics import counters
from crossfade_analyzer.statistics.native_histogram import (
    NativeHistogram,
    Straddling,
    nearest_bounds,
    slower,
    upper_bound,
    within,
)
from crossfade_analyzer.statistics.refusals import CannotJudge, Refusal


def observed(values: list[float], schema: int) -> NativeHistogram:
    """The histogram of values, by comparing each with bounds, not by formula."""
    bounds = [upper_bound(schema, index) for index in range(-64, 65)]
    counts: dict[int, int] = {}
    for value in values:
        index = bisect_left(bounds, value) - 64
        counts[index] = counts.get(index, 0) + 1
    return NativeHistogram(schema, counts)


def values(seed: int, n: int = 500) -> list[float]:
    rng = random.Random(seed)
    return [rng.lognormvariate(-1.0, 0.6) for _ in range(n)]


@pytest.mark.parametrize("schema", [0, 1, 2, 3])
def test_a_coarser_schema_counts_the_same_beyond_its_bounds(schema: int) -> None:
    fine, coarse = observed(values(1), 3), observed(values(1), schema)
    assert fine.at(schema) == dict(sorted(coarse.counts.items()))
    for index in range(-3, 2):
        bound = upper_bound(0, index)
        expected = sum(value > bound for value in values(1))
        assert slower(fine, 0, index) == slower(coarse, 0, index) == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.dictionaries(st.integers(-40, 40), st.integers(0, 50)), st.integers(-4, 4), st.integers(-3, 3))
def test_nothing_is_lost_by_merging(counts: dict[int, int], schema: int, index: int) -> None:
    seen = NativeHistogram(4, counts, 3)
    assert sum(seen.at(schema).values()) + 3 == seen.count
    above = slower(seen, schema, index)
    assert above == sum(count for i, count in counts.items() if i > index * 2 ** (4 - schema))


def test_a_change_of_resolution_between_scrapes_is_no_event() -> None:
    """The same traffic before and after a fall from schema 3 to 1: the increment beyond the bound stays exact."""
    before, after = values(2, 300), values(2, 300) + values(3, 200)
    scrapes = [slower(observed(before, 3), 0, -1), slower(observed(after, 1), 0, -1)]
    assert all(isinstance(count, int) for count in scrapes)
    assert counters.delta(scrapes) == sum(value > 0.5 for value in values(3, 200))  # type: ignore[arg-type]


def test_a_bound_that_is_gone_ends_the_metric_instead_of_being_guessed() -> None:
    found = slower(observed(values(4), 0), 2, 1)
    assert isinstance(found, CannotJudge)
    assert found.reason is Refusal.BOUNDS_MISSING
    assert "schema 0" in found.sentence


def test_bounds_are_chosen_on_the_coarsest_schema() -> None:
    chosen = nearest_bounds(observed(values(5, 4000), 3), 1, (0.5, 0.9, 0.99))
    assert isinstance(chosen, list)
    bounds = [upper_bound(1, index) for index in chosen]
    for bound, q in zip(bounds, (0.5, 0.9, 0.99), strict=True):
        share = sum(value <= bound for value in values(5, 4000)) / 4000
        neighbours = [sum(value <= upper_bound(1, i) for value in values(5, 4000)) / 4000 for i in range(-12, 12)]
        assert abs(share - q) == min(abs(other - q) for other in neighbours)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="-4 to 8"):
        NativeHistogram(9, {})
    with pytest.raises(ValueError, match="never negative"):
        NativeHistogram(0, {1: -1})
    with pytest.raises(ValueError, match="finer schema"):
        NativeHistogram(0, {1: 1}).at(1)
    for seen in (NativeHistogram(3, {}), NativeHistogram(0, {1: 5})):
        assert isinstance(nearest_bounds(seen, 1, (0.5,)), CannotJudge)


BUCKETS = [(0.125, 0.25, 5.0), (0.25, 2**-1.5, 2.0), (0.5, 1.0, 1.0)]


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        pytest.param(0.25, 5, id="a bucket's bound"),
        pytest.param(0.35355, 7, id="written with five digits"),
        pytest.param(0.45, 7, id="nothing was observed on either side of it"),
        pytest.param(0.1, 0, id="below everything"),
        pytest.param(0.3, Straddling(0.25, 2**-1.5), id="in a bucket"),
        pytest.param(0.2493, Straddling(0.125, 0.25), id="nearly a bound, but the finest schema tells them apart"),
    ],
)
def test_what_is_at_most_a_bound_is_known_or_refused(bound: float, expected: int | Straddling) -> None:
    assert within(BUCKETS, bound) == expected
