"""The ledger: a slice only grows, overlaps nobody, and leaves stable its floor."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade_operator.core.slices import POSITIONS, Grant, NoRoom, Range, allocate, percent, start_of


def expanded(ranges: tuple[Range, ...]) -> set[int]:
    return {position for first, last in ranges for position in range(first, last + 1)}


def grant(*ranges: Range, holder: str = "Holdout") -> Grant:
    return Grant(holder, "holdout", "revision01", ranges)


HOLDOUTS = st.integers(0, 300).map(lambda size: (grant((POSITIONS - size, POSITIONS - 1)),) if size else ())
STARTS = st.integers(0, POSITIONS - 1)
SIZES = st.integers(1, 600)


@given(SIZES, SIZES, STARTS, HOLDOUTS)
def test_growing_only_adds_and_shrinking_only_gives_back(
    one: int, other: int, start: int, others: tuple[Grant, ...]
) -> None:
    small, large = sorted((one, other))
    first = allocate(small, start=start, held=(), others=others, floor=50)
    grown = allocate(large, start=start, held=first, others=others, floor=50)
    assert expanded(first) <= expanded(grown)
    assert allocate(small, start=start, held=grown, others=others, floor=50) == first, "given back from the far end"


@given(SIZES, STARTS, HOLDOUTS, st.integers(0, 300))
def test_nobody_is_overlapped_and_the_floor_is_kept(
    want: int, start: int, others: tuple[Grant, ...], floor: int
) -> None:
    taken = {position for other in others for position in expanded(other.ranges)}
    free = POSITIONS - len(taken) - floor
    if want > free:
        with pytest.raises(NoRoom):
            allocate(want, start=start, held=(), others=others, floor=floor)
        return
    mine = expanded(allocate(want, start=start, held=(), others=others, floor=floor))
    assert len(mine) == want
    assert not mine & taken
    assert POSITIONS - len(mine | taken) >= floor


@given(SIZES, STARTS, st.integers(1, 300))
def test_positions_that_another_got_meanwhile_are_replaced(want: int, start: int, size: int) -> None:
    held = allocate(want, start=start, held=(), others=(), floor=50)
    holdout = (grant((POSITIONS - size, POSITIONS - 1)),)
    if want > POSITIONS - size - 50:
        return
    now = expanded(allocate(want, start=start, held=held, others=holdout, floor=50))
    kept = expanded(held) - expanded(holdout[0].ranges)
    assert kept <= now
    assert not now & expanded(holdout[0].ranges)
    assert len(now) == want


@given(SIZES, STARTS)
def test_ranges_are_sorted_and_have_gaps_between_them(want: int, start: int) -> None:
    ranges = allocate(want, start=start, held=(), others=(), floor=0)
    flat = [position for span in ranges for position in span]
    assert flat == sorted(flat)
    assert all(later[0] > earlier[1] + 1 for earlier, later in itertools.pairwise(ranges))


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        pytest.param(0, ((0, 9),), id="from the first position"),
        pytest.param(995, ((0, 4), (995, 999)), id="around the end"),
    ],
)
def test_a_slice_is_drawn_onwards_from_its_start(start: int, expected: tuple[Range, ...]) -> None:
    assert allocate(10, start=start, held=(), others=(), floor=0) == expected


def test_a_slice_grows_around_what_others_hold() -> None:
    assert allocate(10, start=0, held=((0, 4),), others=[grant((5, 7))], floor=0) == ((0, 4), (8, 12))


def test_what_fits_exactly_fits() -> None:
    assert allocate(940, start=0, held=(), others=[grant((990, 999))], floor=50) == ((0, 939),)


@pytest.mark.parametrize(
    ("want", "others", "floor", "sentence"),
    [
        pytest.param(
            941,
            [grant((990, 999))],
            50,
            "a slice of 94.1% does not fit: Holdout holds 1%, 5% is stable's floor, 94% is free",
            id="one holder",
        ),
        pytest.param(
            951,
            [],
            50,
            "a slice of 95.1% does not fit: nobody else holds any, 5% is stable's floor, 95% is free",
            id="nobody else",
        ),
        pytest.param(
            1,
            [grant((0, 499)), grant((500, 999), holder="Experiment/a")],
            50,
            "a slice of 0.1% does not fit: Holdout holds 50%, Experiment/a holds 50%, 5% is stable's floor, 0% is free",
            id="never less than nothing is free",
        ),
    ],
)
def test_no_room_names_the_holders_and_what_is_free(want: int, others: list[Grant], floor: int, sentence: str) -> None:
    with pytest.raises(NoRoom) as refused:
        allocate(want, start=0, held=(), others=others, floor=floor)
    assert str(refused.value) == sentence


def test_revisions_begin_at_different_places() -> None:
    starts = [start_of(f"revision{number:02}", 1) for number in range(100)]
    assert len(set(starts)) > 80
    assert all(0 <= start < POSITIONS for start in starts)
    assert start_of("revision00", 1) == starts[0]
    assert start_of("revision00", 2) != starts[0], "a retry begins elsewhere"


@pytest.mark.parametrize(("positions", "text"), [(0, "0%"), (1, "0.1%"), (10, "1%"), (105, "10.5%"), (1000, "100%")])
def test_positions_as_a_share(positions: int, text: str) -> None:
    assert percent(positions) == text


def test_the_size_of_a_grant() -> None:
    assert grant((0, 9), (20, 20)).positions == 11
