"""The cluster, as the learning side sees it: what it reads, and the little that it may write.

There is no way here to write a Service, a ConfigMap, a ModelEndpoint or a ModelRollout, nor the spec of anything: of an
Experiment only the status, and the finalizer that keeps it while users are in its arms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from crossfade_operator.ports.cluster import Key, Obj, Ref


@dataclass(frozen=True, order=True)
class Name:
    """One object of a kind that is known from the context."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class ArmObjects:
    """What is in the cluster of one experiment's arms, from the watch cache."""

    deployments: Sequence[Obj] = ()
    controller_revisions: Sequence[Obj] = ()
    pods: Sequence[Obj] = ()


class LearningCluster(Protocol):
    """Reads of primaries are fresh, never from a cache; errors are those of `ports.cluster`."""

    async def experiment(self, name: Name) -> Obj | None:
        """The Experiment, or None when there is none."""

    async def experiments(self, key: Key) -> Sequence[Obj]:
        """The Experiments of one endpoint, oldest first."""

    async def endpoint(self, key: Key) -> Obj | None:
        """The ModelEndpoint, or None when there is none."""

    async def metrics(self, namespace: str, names: Sequence[str]) -> Mapping[str, Obj]:
        """The Metrics of these names that exist."""

    async def metric_revision(self, metric: Name, revision: str) -> Mapping[str, Any] | None:
        """The spec of a Metric in this revision, as it was recorded; None when it was not."""

    async def reviews(self, namespace: str, kind: str, name: str) -> Sequence[Obj]:
        """The Reviews of one object, oldest first."""

    async def decisions(self, namespace: str, fields: Mapping[str, str]) -> Sequence[Obj]:
        """The Decisions whose selectable fields have these values, oldest first."""

    async def template(self, key: Key, revision: str) -> Mapping[str, Any] | None:
        """The pod template of a rollout's revision at this endpoint, as the serving side recorded it."""

    async def arms(self, experiment: Name, endpoint: str) -> ArmObjects:
        """What is there of an experiment's arms. May lag behind the API server by a moment."""

    async def every(self, kind: str) -> Sequence[Obj]:
        """All objects of one of our kinds, in the namespaces that are watched."""

    async def apply(self, manifest: Obj) -> Obj:
        """Server-side apply with our field manager, forced; foreign fields survive. Returns the object."""

    async def create(self, manifest: Obj) -> Obj:
        """Make the object and return it; where one of its name is, that one is returned and left as it is."""

    async def delete(self, ref: Ref) -> None:
        """Delete in the background; what is gone already is fine."""

    async def write_status(self, obj: Obj, status: Mapping[str, Any]) -> Obj:
        """Replace `status` of `obj`, guarded by its resourceVersion: raises `Conflict` when it is stale."""

    async def hold(self, obj: Obj, finalizer: str) -> Obj:
        """Give `obj` a finalizer, guarded by its resourceVersion: raises `Conflict` when it is stale."""

    async def release(self, obj: Obj, finalizer: str) -> None:
        """Take a finalizer from `obj`, guarded likewise; what is gone already is fine."""

    async def event(self, about: Obj, kind: str, reason: str, message: str) -> None:
        """Record a Kubernetes Event (`Normal` or `Warning`). Best effort: never raises."""
