"""Which analysis bucket and position a unit has: the number that the routers compute, computed here.

A unit is what is assigned as one: a user, a device, a session. Envoy draws the entry of its weighted
table with `xxh64(salt + unit) mod (total weight)`; the total weight is `BUCKETS * POSITIONS`, so the draw
is known in advance. Changing either constant, or how the two are combined, moves every user.
"""

from __future__ import annotations

from typing import NamedTuple

import xxhash

BUCKETS = 100
POSITIONS = 1000


class Assignment(NamedTuple):
    """`bucket` (0..99) labels evidence and is never routed by; `position` (0..999) is what slices are made of."""

    bucket: int
    position: int


def assign(salt: str, unit: str | bytes) -> Assignment:
    """Where a unit falls. Text is hashed as UTF-8; the hash is XXH64 with seed 0 over salt and unit, joined."""
    raw = unit.encode() if isinstance(unit, str) else unit
    draw = xxhash.xxh64_intdigest(salt.encode() + raw) % (BUCKETS * POSITIONS)
    return Assignment(*divmod(draw, POSITIONS))
