"""Tables for the dataplane tests."""

from __future__ import annotations

from typing import Any

from crossfade_operator.core.routing import Backend, RoutingTable, Slice

SALT = "ranker-2026q4"


def table(stable: Backend | None, generation: int = 1, **changes: Any) -> RoutingTable:
    """A table of the endpoint recs/ranker by the header x-user-id, with `changes`."""
    unit = {} if "unit_cookie" in changes else {"unit_header": "x-user-id"}
    return RoutingTable(
        endpoint="recs/ranker",
        generation=generation,
        decision=f"ranker-{generation}",
        salt=SALT,
        stable=stable,
        **{**unit, **changes},
    )


def candidate(backend: Backend, positions: int, start: int = 0, *, mirror: bool = False) -> Slice:
    """A candidate's slice of so many positions from `start`."""
    return Slice("candidate", backend, ((start, start + positions - 1),), mirror=mirror)
