"""From events of primaries to experiments and Metrics to be looked at, across the border between two threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from crossfade_operator.api.decision import SubjectKind
from crossfade_operator.api.metric import BUILT_IN
from crossfade_operator.core.experiment.records import experiment_of
from crossfade_operator.handlers.news import Body, News
from crossfade_operator.ports.cluster import Key
from crossfade_operator.ports.learning import Name
from crossfade_operator.ports.telemetry import ExperimentTelemetry
from crossfade_operator.runtime.learning.references import References, User
from crossfade_operator.runtime.queue import WorkQueue


def routed(body: Body) -> object:
    """What of an endpoint matters to experiments: its spec, its ledger and refusals, and what routers confirmed."""
    status: Mapping[str, Any] = body.get("status") or {}
    route = status.get("route") or {}
    return (
        body["metadata"].get("generation"),
        status.get("stableRevision"),
        repr(status.get("ledger")),
        repr(status.get("refusedRequests")),
        route.get("generation"),
        route.get("confirmedGeneration"),
    )


class Wakes:
    """Called in kopf's thread; `post` carries each wake into the loop that owns the queues."""

    def __init__(
        self,
        post: Callable[[Callable[[], None]], object],
        experiments: WorkQueue[Name],
        metrics: WorkQueue[Name],
        references: References,
        telemetry: ExperimentTelemetry,
    ) -> None:
        self._post = post
        self._experiments = experiments
        self._metrics = metrics
        self._references = references
        self._telemetry = telemetry
        self._news = News()
        self._routes = News(routed)

    # From kopf's thread ------------------------------------------------------------------------------------------

    def experiment(self, event: str | None, body: Body) -> None:
        if self._news.matters(event, body):
            self._post(lambda: self._experiment(event, body))

    def endpoint(self, event: str | None, body: Body) -> None:
        if self._routes.matters(event, body):
            self._post(lambda: self.wake_endpoint(Key(*_name(body))))

    def rollout(self, event: str | None, body: Body) -> None:
        if self._news.matters(event, body):
            uses = () if event == "DELETED" else body["spec"]["strategy"]["analysis"]["metrics"]
            self._post(lambda: self._uses(User("ModelRollout", Name(*_name(body))), uses))

    def review(self, event: str | None, body: Body) -> None:
        subject = body["spec"]["subject"]
        name = subject["name"] if subject["kind"] == SubjectKind.EXPERIMENT.value else None
        if subject["kind"] == SubjectKind.DECISION.value:
            name = experiment_of(subject["name"])
        if name is not None and self._news.matters(event, body):
            key = Name(body["metadata"]["namespace"], name)
            self._post(lambda: self._experiments.wake(key))

    def metric(self, event: str | None, body: Body) -> None:
        if self._news.matters(event, body):
            self._post(lambda: self._metric(Name(*_name(body))))

    # In the queues' loop -----------------------------------------------------------------------------------------

    def wake_endpoint(self, key: Key) -> None:
        """Something of an endpoint, or of an arm at it, changed."""
        for name in self._references.experiments(key):
            self._experiments.wake(name)

    def _experiment(self, event: str | None, body: Body) -> None:
        name, gone = Name(*_name(body)), event == "DELETED"
        if gone:
            self._telemetry.experiment_gone(name)
        self._references.runs_at(name, None if gone else Key(name.namespace, body["spec"]["endpoint"]))
        self._uses(User("Experiment", name), () if gone else body["spec"]["design"]["metrics"])
        self._experiments.wake(name)

    def _metric(self, name: Name) -> None:
        self._metrics.wake(name)
        for user in self._references.users(name):
            if user.kind == "Experiment":
                self._experiments.wake(user.name)

    def _uses(self, user: User, uses: Iterable[Mapping[str, Any]]) -> None:
        own = frozenset(str(use["metric"]).partition("@")[0] for use in uses) - frozenset(BUILT_IN)
        for name in self._references.uses(user, own):
            self._metrics.wake(name)


def _name(body: Body) -> tuple[str, str]:
    return body["metadata"]["namespace"], body["metadata"]["name"]
