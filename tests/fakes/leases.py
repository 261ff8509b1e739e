"""The API server's side of one Lease: resourceVersions, conflicts, outages, and answers that are lost."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from crossfade_operator.adapters.api import NotFound
from crossfade_operator.ports.cluster import Conflict, Unreachable


class FakeLeaseApi:
    """Stands in for `adapters.api.Api` as a Lease uses it. `before` is called at every request."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.down = False
        self.before: Callable[[str], None] = lambda _method: None
        self._version = 0

    @property
    def holder(self) -> str | None:
        return self.lease["spec"]["holderIdentity"] if self.lease else None

    def touch(self) -> None:
        """Somebody edits the Lease: its resourceVersion moves on."""
        assert self.lease is not None
        self._store(self.lease)

    async def request(
        self, method: str, path: str, *, body: dict[str, Any] | None = None, within: float = 10.0
    ) -> dict[str, Any]:
        self.before(method)
        if self.down:
            raise Unreachable("down")
        if method == "GET":
            return self._get(path)
        assert body is not None
        if method == "POST" and self.lease is not None:
            raise Conflict("exists")
        if method == "PUT":
            known = self._get(path)["metadata"]["resourceVersion"]
            if body["metadata"].get("resourceVersion") != known:
                raise Conflict("changed")
        return self._store(body)

    def _get(self, path: str) -> dict[str, Any]:
        if self.lease is None:
            raise NotFound(path)
        return copy.deepcopy(self.lease)

    def _store(self, body: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        self.lease = copy.deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(self._version)
        return copy.deepcopy(self.lease)
