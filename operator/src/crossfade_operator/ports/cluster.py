"""The cluster, as the runtime sees it: read fresh, write by server-side apply, know what went wrong.

Objects are plain JSON-shaped mappings as the API server gives them. Every write is fenced: it raises
`NotLeader` once the process can no longer be sure to be the active controller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Obj = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Key:
    """What is reconciled as one: an endpoint with all that names it."""

    namespace: str
    endpoint: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.endpoint}"


@dataclass(frozen=True)
class Ref:
    """One object of the cluster. `uid`, when given, guards a deletion against a namesake."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str | None = None

    @classmethod
    def of(cls, obj: Obj) -> Ref:
        meta = obj["metadata"]
        return cls(obj["apiVersion"], obj["kind"], meta["namespace"], meta["name"], meta.get("uid"))


@dataclass(frozen=True)
class Children:
    """The objects labelled with an endpoint's name that the controller owns, from the watch cache."""

    deployments: Sequence[Obj]
    services: Sequence[Obj]
    config_maps: Sequence[Obj]
    controller_revisions: Sequence[Obj]
    pods: Sequence[Obj]


class ClusterError(Exception):
    """The cluster did not do what was asked. `retry` says whether asking again can help."""

    retry = True


class Conflict(ClusterError):
    """The object changed since it was read (HTTP 409): read again and decide again."""


class Refused(ClusterError):
    """The API server refused the object (HTTP 400, 403, 422): `str(error)` is its sentence."""

    retry = False


class Unreachable(ClusterError):
    """The API server did not answer, or answered with a failure of its own (HTTP 429, 5xx)."""


class NotLeader(ClusterError):
    """Another controller may be active: nothing more may be written by this process."""

    retry = False


class Cluster(Protocol):
    """Reads of primaries (`endpoint`, `rollouts`, `experiments`) are fresh, never from a cache: time and step live
    in them."""

    async def endpoint(self, key: Key) -> Obj | None:
        """The ModelEndpoint, or None when there is none."""

    async def rollouts(self, key: Key) -> Sequence[Obj]:
        """The ModelRollouts of the namespace whose `spec.endpoint` is the key's, oldest first."""

    async def experiments(self, key: Key) -> Sequence[Obj]:
        """The Experiments of the namespace whose `spec.endpoint` is the key's, oldest first."""

    async def metrics(self, namespace: str, names: Sequence[str]) -> Mapping[str, Obj]:
        """The Metrics of these names that exist."""

    async def decisions(self, namespace: str, fields: Mapping[str, str]) -> Sequence[Obj]:
        """The Decisions whose selectable fields have these values, oldest first; read fresh."""

    async def reviews(self, namespace: str, fields: Mapping[str, str]) -> Sequence[Obj]:
        """The Reviews whose selectable fields have these values, oldest first; read fresh."""

    async def children(self, key: Key) -> Children:
        """What we own for this endpoint. May lag behind the API server by a moment."""

    async def apply(self, manifest: Obj) -> Obj:
        """Server-side apply with our field manager, forced; foreign fields survive. Returns the object."""

    async def create(self, manifest: Obj) -> Obj:
        """Make the object and return it; where one of its name is, that one is returned and left as it is."""

    async def delete(self, ref: Ref) -> None:
        """Delete in the foreground's absence (background propagation); what is gone already is fine."""

    async def write_status(self, obj: Obj, status: Mapping[str, Any]) -> Obj:
        """Replace `status` of `obj`, guarded by its resourceVersion: raises `Conflict` when it is stale."""

    async def annotate_pods(self, key: Key, names: Sequence[str], annotation: str, value: str) -> None:
        """Set one annotation on these pods; a pod that is gone is passed over."""

    async def event(self, about: Obj, kind: str, reason: str, message: str) -> None:
        """Record a Kubernetes Event (`Normal` or `Warning`). Best effort: never raises."""
