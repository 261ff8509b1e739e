"""Kubernetes Events, of which a repeated one costs the API server next to nothing."""

from __future__ import annotations

import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crossfade_operator.adapters.api import MERGE, Api
from crossfade_operator.ports.cluster import ClusterError, Obj

logger = logging.getLogger(__name__)

NOTE_LENGTH = 1024
"""Characters; the API server refuses a longer `note`."""
SERIES_LASTS = 600.0
"""Seconds without a repetition after which the same thing is told as a new Event."""
REMEMBERED = 4096
WITHIN = 3.0


@dataclass
class _Series:
    name: str
    count: int
    last: float


class Recorder:
    """Writes `events.k8s.io/v1` Events. The 2nd, 4th, 8th ... repetition updates the first one's series."""

    def __init__(
        self, api: Api, controller: str, instance: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._controller = controller
        self._instance = instance[:128]
        self._clock = clock
        self._told: OrderedDict[tuple[str, ...], _Series] = OrderedDict()

    async def record(self, about: Obj, kind: str, reason: str, message: str) -> None:
        """Tell it once. Never raises: an Event that is lost is logged."""
        meta = about["metadata"]
        identity = (meta["uid"], kind, reason, message)
        series = self._told.get(identity)
        try:
            if series is not None and self._clock() - series.last < SERIES_LASTS:
                await self._repeat(meta["namespace"], series)
            else:
                name = await self._first(about, kind, reason, message)
                self._keep(identity, _Series(name, 1, self._clock()))
        except ClusterError as error:
            logger.warning(
                "an Event about %s/%s was lost (%s: %s): %s", meta["namespace"], meta["name"], reason, message, error
            )

    async def _first(self, about: Obj, kind: str, reason: str, message: str) -> str:
        meta = about["metadata"]
        name = f"{meta['name']}.{secrets.token_hex(8)}"
        regarding = {"apiVersion": about["apiVersion"], "kind": about["kind"]}
        regarding |= {field: meta[field] for field in ("namespace", "name", "uid", "resourceVersion") if field in meta}
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": meta["namespace"]},
            "eventTime": _now(),
            "reportingController": self._controller,
            "reportingInstance": self._instance,
            "action": "Reconcile",
            "reason": reason,
            "regarding": regarding,
            "type": kind,
            "note": message if len(message) <= NOTE_LENGTH else message[: NOTE_LENGTH - 1] + "…",
        }
        await self._api.request("POST", _collection(meta["namespace"]), body=body, within=WITHIN)
        return name

    async def _repeat(self, namespace: str, series: _Series) -> None:
        series.count += 1
        series.last = self._clock()
        if series.count & (series.count - 1):
            return
        patch: dict[str, Any] = {"series": {"count": series.count, "lastObservedTime": _now()}}
        path = f"{_collection(namespace)}/{series.name}"
        await self._api.request("PATCH", path, body=patch, content_type=MERGE, within=WITHIN)

    def _keep(self, identity: tuple[str, ...], series: _Series) -> None:
        self._told[identity] = series
        self._told.move_to_end(identity)
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)


def _collection(namespace: str) -> str:
    return f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
