"""Drawing an experiment's positions at random: some tens of ranges, spread evenly over what is free.

The draw is a pure function of its seed. Blocks are placed anywhere in the free positions, and each is split among all
arms in an order of its own: so the arms are alike in whatever differs along the positions, nobody's former slice is
handed on as it was, and the routing table stays short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

import xxhash

from crossfade_operator.core.slices import Range, compress


def quotas(positions: int, weights: Mapping[str, int]) -> dict[str, int]:
    """`positions` divided by weight, by largest remainder, at least one each.

    Raises ValueError when there are fewer positions than arms.
    """
    if positions < len(weights):
        raise ValueError(f"{positions} positions are too few for {len(weights)} arms")
    total = sum(weights.values())
    given = {arm: max(positions * weight // total, 1) for arm, weight in weights.items()}
    while sum(given.values()) > positions:  # one each was more than their part
        given[max(given, key=lambda arm: (given[arm], arm))] -= 1
    missing = positions - sum(given.values())
    by_remainder = sorted(weights, key=lambda arm: (-(positions * weights[arm] % total), arm))
    return {arm: count + (arm in by_remainder[:missing]) for arm, count in given.items()}


def draw(quota: Mapping[str, int], free: Sequence[int], *, blocks: int, seed: str) -> dict[str, tuple[Range, ...]]:
    """Ranges for each arm, `quota[arm]` positions in all, out of the sorted `free` ones.

    At most `blocks` blocks, so at most that many ranges for each arm, and one more where a block reaches around
    positions that are not free.
    """
    wanted = sum(quota.values())
    if wanted > len(free):
        raise ValueError(f"{wanted} positions do not fit into {len(free)} free ones")
    blocks = max(min(blocks, min(quota.values())), 1)
    parts = _parts(quota, blocks, _ranked(f"{seed}/parts"))
    starts = _starts([sum(part.values()) for part in parts], len(free), seed)
    held: dict[str, list[int]] = {arm: [] for arm in quota}
    for number, (start, part) in enumerate(zip(starts, parts, strict=True)):
        at = start
        for arm in sorted(part, key=_ranked(f"{seed}/order/{number}")):
            held[arm] += (free[place % len(free)] for place in range(at, at + part[arm]))
            at += part[arm]
    return {arm: compress(positions) for arm, positions in held.items()}


def _parts(quota: Mapping[str, int], blocks: int, rank: Callable[[object], int]) -> list[dict[str, int]]:
    """What each block has of each arm: as even as whole positions are, the odd ones in blocks chosen at random."""
    parts: list[dict[str, int]] = [{} for _ in range(blocks)]
    for arm, positions in quota.items():
        each, odd = divmod(positions, blocks)
        chosen = set(sorted(range(blocks), key=lambda block: rank((arm, block)))[:odd])
        for block, part in enumerate(parts):
            part[arm] = each + (block in chosen)
    return parts


def _starts(sizes: Sequence[int], room: int, seed: str) -> list[int]:
    """Where blocks of these sizes begin: disjoint, and turned around the circle so that no place is likelier."""
    gaps = room - sum(sizes)
    dividers = sorted(sorted(range(gaps + len(sizes)), key=_ranked(f"{seed}/gaps"))[: len(sizes)])
    turn = xxhash.xxh64_intdigest(f"{seed}/turn".encode()) % room
    before = [0, *accumulate(sizes)][: len(sizes)]
    return [
        turn + divider - number + ahead for number, (divider, ahead) in enumerate(zip(dividers, before, strict=True))
    ]


def _ranked(seed: str) -> Callable[[object], int]:
    """A random order: a key function by which anything can be sorted."""
    return lambda one: xxhash.xxh64_intdigest(f"{seed}/{one}".encode())


def free_of(taken: Iterable[int], positions: int) -> list[int]:
    """The positions that are in nobody's hands, in order."""
    held = set(taken)
    return [position for position in range(positions) if position not in held]
