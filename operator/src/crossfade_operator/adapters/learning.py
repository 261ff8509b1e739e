"""The `LearningCluster` port on a Kubernetes API server. Writes go through the same fence and apply as serving's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossfade_operator.adapters.api import Api
from crossfade_operator.adapters.kubernetes import EXPERIMENT, GROUP, KINDS, REVIEW, KubernetesCluster
from crossfade_operator.adapters.watchcache import CONTROLLER_REVISION, DEPLOYMENT, POD, Kind, WatchCache
from crossfade_operator.ports.cluster import Key, Obj
from crossfade_operator.ports.learning import ArmObjects, Name

FIELD_MANAGER = "crossfade-learning"
ARM_SELECTOR = "app.kubernetes.io/managed-by=crossfade,crossfade.dev/component=arm"
ARM_KINDS = (DEPLOYMENT, CONTROLLER_REVISION, POD)
PAGE = 500


class KubernetesLearning:
    """Implements `ports.learning.LearningCluster`. `cache` follows `ARM_KINDS` by `ARM_SELECTOR`."""

    def __init__(self, api: Api, cache: WatchCache, objects: KubernetesCluster, namespaces: Sequence[str]) -> None:
        self._api = api
        self._cache = cache
        self._objects = objects
        self._namespaces: Sequence[str | None] = tuple(namespaces) or (None,)
        self.endpoint, self.metrics, self.decisions = objects.endpoint, objects.metrics, objects.decisions
        self.apply, self.create, self.delete = objects.apply, objects.create, objects.delete
        self.write_status, self.event = objects.write_status, objects.event
        self.hold, self.release = objects.hold, objects.release

    async def experiment(self, name: Name) -> Obj | None:
        return await self._objects.get(EXPERIMENT, name.namespace, name.name)

    async def experiments(self, key: Key) -> Sequence[Obj]:
        return await self._objects.list(EXPERIMENT, key.namespace, {"spec.endpoint": key.endpoint})

    async def reviews(self, namespace: str, kind: str, name: str) -> Sequence[Obj]:
        return await self._objects.list(REVIEW, namespace, {"spec.subject.kind": kind, "spec.subject.name": name})

    async def metric_revision(self, metric: Name, revision: str) -> Mapping[str, Any] | None:
        name = f"metric-{metric.name}-{revision}"
        found = await self._objects.get(CONTROLLER_REVISION, metric.namespace, name)
        spec: Mapping[str, Any] | None = found.get("data", {}).get("spec") if found else None
        return spec

    async def template(self, key: Key, revision: str) -> Mapping[str, Any] | None:
        labels = {"endpoint": key.endpoint, "component": "revision", "revision": revision}
        query = {"labelSelector": ",".join(f"crossfade.dev/{label}={value}" for label, value in labels.items())}
        found = await self._api.request("GET", CONTROLLER_REVISION.collection(key.namespace), query=query)
        return next((item["data"]["template"] for item in found.get("items") or () if item.get("data")), None)

    async def arms(self, experiment: Name, endpoint: str) -> ArmObjects:
        await self._cache.synced()
        key = Key(experiment.namespace, endpoint)
        deployments, records, pods = (self._of(kind, key, experiment.name) for kind in ARM_KINDS)
        return ArmObjects(deployments, records, pods)

    def _of(self, kind: Kind, key: Key, experiment: str) -> Sequence[Obj]:
        found = self._cache.store(kind).of(key)
        return [obj for obj in found if obj["metadata"]["labels"].get("crossfade.dev/experiment") == experiment]

    async def every(self, kind: str) -> Sequence[Obj]:
        wanted = KINDS[GROUP, kind]
        return [obj for namespace in self._namespaces for obj in await self._pages(wanted, namespace)]

    async def _pages(self, kind: Kind, namespace: str | None) -> list[Obj]:
        found: list[Obj] = []
        query = {"limit": str(PAGE)}
        while True:
            page = await self._api.request("GET", kind.collection(namespace), query=query)
            found += [{**item, "apiVersion": GROUP, "kind": kind.kind} for item in page.get("items") or ()]
            more = page["metadata"].get("continue")
            if not more:
                return found
            query = {"limit": str(PAGE), "continue": more}
