"""From events of primaries to keys to be looked at, across the border between kopf's thread and ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crossfade_operator.api.decision import SubjectKind
from crossfade_operator.handlers.news import Body, News
from crossfade_operator.ports.cluster import Key
from crossfade_operator.ports.telemetry import RolloutTelemetry
from crossfade_operator.runtime.queue import WorkQueue


def asks(body: Body) -> object:
    """What of an experiment matters to its endpoint: the slice that it asks for, and that it has decided."""
    status: Mapping[str, Any] = body.get("status") or {}
    return (body["metadata"].get("deletionTimestamp"), repr(status.get("sliceRequest")), status.get("decisionCount"))


class Wakes:
    """Called in kopf's thread; `post` carries each wake into the loop that owns the queue."""

    def __init__(
        self,
        post: Callable[[Callable[[], None]], object],
        endpoints: WorkQueue[Key],
        telemetry: RolloutTelemetry,
    ) -> None:
        self._post = post
        self._endpoints = endpoints
        self._telemetry = telemetry
        self._news = News()
        self._asked = News(asks)
        self._endpoint_of: dict[tuple[str, str], str] = {}
        """The endpoints of rollouts by namespace and name, for whoever speaks of a rollout alone."""

    def endpoint(self, event: str | None, body: Body) -> None:
        key = Key(body["metadata"]["namespace"], body["metadata"]["name"])
        if self._news.matters(event, body):
            self._post(lambda: self._endpoints.wake(key))

    def rollout(self, event: str | None, body: Body) -> None:
        self._endpoint_of[body["metadata"]["namespace"], body["metadata"]["name"]] = body["spec"]["endpoint"]
        if self._news.matters(event, body):
            self._post(lambda: self._rollout(event, body))

    def experiment(self, event: str | None, body: Body) -> None:
        key = Key(body["metadata"]["namespace"], body["spec"]["endpoint"])
        if self._asked.matters(event, body):
            self._post(lambda: self._endpoints.wake(key))

    def review(self, event: str | None, body: Body) -> None:
        """Of a rollout, or of a decision of one, which bears its name."""
        subject, namespace = body["spec"]["subject"], body["metadata"]["namespace"]
        of_decision = subject["kind"] == SubjectKind.DECISION.value
        name = subject["name"].rpartition("-")[0] if of_decision else subject["name"]
        endpoint = self._endpoint_of.get((namespace, name))
        if subject["kind"] != SubjectKind.EXPERIMENT.value and endpoint and self._news.matters(event, body):
            self._post(lambda: self._endpoints.wake(Key(namespace, endpoint)))

    def _rollout(self, event: str | None, body: Body) -> None:
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        if event == "DELETED":
            self._telemetry.rollout_gone(namespace, name)
        self._endpoints.wake(Key(namespace, body["spec"]["endpoint"]))
