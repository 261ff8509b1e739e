"""What a serving side that has room grants: each arm's positions, one block after another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def granted(requests: Iterable[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The ledger's entries for slice requests, each given with its holder."""
    ledger: list[dict[str, Any]] = []
    start = 0
    for holder, request in requests:
        positions = request["positions"] // len(request["arms"])
        for arm in request["arms"]:
            ledger.append(
                {
                    "holder": holder,
                    "arm": "experiment",
                    "label": arm["label"],
                    "request": request["id"],
                    "revision": arm["revision"],
                    "positions": positions,
                    "ranges": [{"from": start, "to": start + positions - 1}],
                }
            )
            start += positions
    return ledger
