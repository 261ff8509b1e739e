"""The slice ledger: who holds which of an endpoint's 1,000 positions (0.1 % of users each).

A holder's ranges only ever grow from where they began, so that growing a slice moves nobody back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import xxhash

POSITIONS = 1000
_FURTHER = 618

Range = tuple[int, int]
"""Positions from the first to the last, both included."""


@dataclass(frozen=True)
class Grant:
    """Positions held by one holder for one revision under one arm label."""

    holder: str
    arm: str
    revision: str
    ranges: tuple[Range, ...]

    @property
    def positions(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)


class NoRoom(Exception):
    """A slice does not fit; the sentence names the holders and what is free."""


def start_of(revision: str, attempt: int) -> int:
    """Where a revision's slice begins: by its hash, so that it is not always the same users who go first.

    Each attempt begins a golden section of the circle further: a retry is not shown to the users whom the last one
    hurt while its slice and theirs are below 38 %.
    """
    return (xxhash.xxh64_intdigest(revision.encode()) + (attempt - 1) * _FURTHER) % POSITIONS


def allocate(want: int, *, start: int, held: Sequence[Range], others: Iterable[Grant], floor: int) -> tuple[Range, ...]:
    """Ranges of `want` positions that contain what is `held` already, drawn onwards (cyclically) from `start`.

    Positions of `others` are left alone, and `floor` positions stay with stable. A smaller `want` than held gives
    positions back from the far end. Raises `NoRoom`.
    """
    others = tuple(others)
    taken = {position for grant in others for position in expand(grant.ranges)}
    free = POSITIONS - len(taken) - floor
    if want > free:
        raise NoRoom(_no_room(want, free, floor, others))
    mine = set(expand(held))
    order = [(start + step) % POSITIONS for step in range(POSITIONS)]
    kept = [position for position in order if position in mine and position not in taken][:want]
    added = [position for position in order if position not in mine and position not in taken]
    return compress([*kept, *added[: want - len(kept)]])


def _no_room(want: int, free: int, floor: int, others: Sequence[Grant]) -> str:
    held: dict[str, int] = {}
    for grant in others:
        held[grant.holder] = held.get(grant.holder, 0) + grant.positions
    holders = ", ".join(f"{holder} holds {percent(positions)}" for holder, positions in held.items())
    return (
        f"a slice of {percent(want)} does not fit: {holders or 'nobody else holds any'}, "
        f"{percent(floor)} is stable's floor, {percent(max(free, 0))} is free"
    )


def percent(positions: int) -> str:
    """Positions as a share of users: 10 -> `1%`, 1 -> `0.1%`."""
    whole, tenths = divmod(positions, 10)
    return f"{whole}.{tenths}%" if tenths else f"{whole}%"


def expand(ranges: Iterable[Range]) -> Iterable[int]:
    """Every position in these ranges."""
    for first, last in ranges:
        yield from range(first, last + 1)


def compress(positions: Iterable[int]) -> tuple[Range, ...]:
    """The fewest ranges that hold these positions, sorted."""
    ranges: list[Range] = []
    for position in sorted(positions):
        if ranges and ranges[-1][1] == position - 1:
            ranges[-1] = (ranges[-1][0], position)
        else:
            ranges.append((position, position))
    return tuple(ranges)
