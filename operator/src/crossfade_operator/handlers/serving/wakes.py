"""From events of primaries to keys to be looked at, across the border between kopf's thread and ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crossfade_operator.api.metric import BUILT_IN
from crossfade_operator.ports.cluster import Key
from crossfade_operator.ports.telemetry import RolloutTelemetry
from crossfade_operator.runtime.metrics import MetricKey, References
from crossfade_operator.runtime.queue import WorkQueue

Body = Mapping[str, Any]


class News:
    """Tells events that matter from those that only carry a status of our own writing."""

    def __init__(self) -> None:
        self._seen: dict[str, object] = {}

    def matters(self, event: str | None, body: Body) -> bool:
        """`event` is None for objects found by listing: those always matter, for a gap may lie before them."""
        meta = body["metadata"]
        if event == "DELETED":
            self._seen.pop(meta["uid"], None)
            return True
        asked = tuple(sorted((meta.get("annotations") or {}).items()))
        mark = (meta.get("generation"), meta.get("deletionTimestamp"), asked)
        known = self._seen.get(meta["uid"])
        self._seen[meta["uid"]] = mark
        return event is None or known != mark


class Wakes:
    """Called in kopf's thread; `post` carries each wake into the loop that owns the queues."""

    def __init__(
        self,
        post: Callable[[Callable[[], None]], object],
        endpoints: WorkQueue[Key],
        metrics: WorkQueue[MetricKey],
        references: References,
        telemetry: RolloutTelemetry,
    ) -> None:
        self._post = post
        self._endpoints = endpoints
        self._metrics = metrics
        self._references = references
        self._telemetry = telemetry
        self._news = News()

    def endpoint(self, event: str | None, body: Body) -> None:
        key = Key(body["metadata"]["namespace"], body["metadata"]["name"])
        if self._news.matters(event, body):
            self._post(lambda: self._endpoints.wake(key))

    def rollout(self, event: str | None, body: Body) -> None:
        if self._news.matters(event, body):
            self._post(lambda: self._rollout(event, body))

    def metric(self, event: str | None, body: Body) -> None:
        key = MetricKey(body["metadata"]["namespace"], body["metadata"]["name"])
        if self._news.matters(event, body):
            self._post(lambda: self._metrics.wake(key))

    def _rollout(self, event: str | None, body: Body) -> None:
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        gone = event == "DELETED"
        if gone:
            self._telemetry.rollout_gone(namespace, name)
        for key in self._references.set(namespace, name, frozenset() if gone else _own_metrics(body)):
            self._metrics.wake(key)
        self._endpoints.wake(Key(namespace, body["spec"]["endpoint"]))


def _own_metrics(rollout: Body) -> frozenset[str]:
    uses = rollout["spec"]["strategy"]["analysis"]["metrics"]
    return frozenset(use["metric"] for use in uses) - frozenset(BUILT_IN)
