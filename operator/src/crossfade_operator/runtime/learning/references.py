"""Who uses what: which experiments wait for an endpoint, and which Metrics are in use. Forgetting late costs a look."""

from __future__ import annotations

from dataclasses import dataclass

from crossfade_operator.ports.cluster import Key
from crossfade_operator.ports.learning import Name


@dataclass(frozen=True)
class User:
    """A ModelRollout or an Experiment."""

    kind: str
    name: Name


class References:
    """What the primaries said when they were last seen."""

    def __init__(self) -> None:
        self._metrics: dict[User, frozenset[str]] = {}
        self._endpoints: dict[Name, Key] = {}

    def uses(self, user: User, metrics: frozenset[str]) -> set[Name]:
        """The Metrics of a user as they are now; returns those that it did not use before."""
        before = self._metrics.pop(user, frozenset())
        if metrics:
            self._metrics[user] = metrics
        return {Name(user.name.namespace, metric) for metric in metrics - before}

    def users(self, metric: Name) -> list[User]:
        """Who uses a Metric."""
        return [
            user
            for user, metrics in self._metrics.items()
            if user.name.namespace == metric.namespace and metric.name in metrics
        ]

    def runs_at(self, experiment: Name, endpoint: Key | None) -> None:
        """Where an experiment runs now; None when it is gone."""
        self._endpoints.pop(experiment, None)
        if endpoint is not None:
            self._endpoints[experiment] = endpoint

    def experiments(self, endpoint: Key) -> list[Name]:
        """The experiments of an endpoint."""
        return [name for name, key in self._endpoints.items() if key == endpoint]
