"""Which events of objects matter: those that say something new, not the echoes of our own writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Body = Mapping[str, Any]


def asked(body: Body) -> object:
    """What people ask for: the spec's generation, a deletion, annotations; never the status."""
    meta = body["metadata"]
    annotations = tuple(sorted((meta.get("annotations") or {}).items()))
    return (meta.get("generation"), meta.get("deletionTimestamp"), annotations)


class News:
    """Tells events that matter from the others, by what `mark` makes of an object."""

    def __init__(self, mark: Callable[[Body], object] = asked) -> None:
        self._mark = mark
        self._seen: dict[str, object] = {}

    def matters(self, event: str | None, body: Body) -> bool:
        """`event` is None for objects found by listing: those always matter, for a gap may lie before them."""
        uid = body["metadata"]["uid"]
        if event == "DELETED":
            self._seen.pop(uid, None)
            return True
        mark = self._mark(body)
        known = self._seen.get(uid)
        self._seen[uid] = mark
        return event is None or known != mark
