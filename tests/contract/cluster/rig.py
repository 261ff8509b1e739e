"""One view of two clusters: the fake in memory, and the real adapter on a real API server."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import yaml

from crossfade_operator.adapters.api import MERGE, Api, configuration
from crossfade_operator.adapters.events import Recorder
from crossfade_operator.adapters.kubernetes import KINDS, KubernetesCluster
from crossfade_operator.adapters.watchcache import WatchCache
from crossfade_operator.ports.cluster import Cluster, ClusterError, NotLeader, Ref
from tests.fakes.cluster import FakeCluster
from tests.fakes.telemetry import FakeTelemetry

CRDS = Path(__file__).parents[3] / "crds"
WITHIN = 30.0


class Rig(Protocol):
    """What a test does to a cluster besides using the port."""

    cluster: Cluster
    namespace: str

    async def put(self, obj: dict[str, Any]) -> dict[str, Any]:
        """Create or change an object as a user would; returns it as it then is."""

    async def read(self, kind: str, name: str) -> dict[str, Any] | None:
        """The object as it is now."""

    async def remove(self, kind: str, name: str) -> None:
        """Delete an object as a user would."""

    async def refusal(self) -> dict[str, Any]:
        """A manifest that this server refuses."""

    def lose_the_lease(self) -> None: ...


class FakeRig:
    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.namespace = "recs"

    async def put(self, obj: dict[str, Any]) -> dict[str, Any]:
        return copy.deepcopy(self.cluster.put(obj))

    async def read(self, kind: str, name: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.cluster.get(kind, self.namespace, name))

    async def remove(self, kind: str, name: str) -> None:
        self.cluster.remove(kind, self.namespace, name)

    async def refusal(self) -> dict[str, Any]:
        self.cluster.refuse = lambda _: "it is not to be"
        return config_map(self.namespace, "refused", {"a": "1"})

    def lose_the_lease(self) -> None:
        def fail(_verb: str, _kind: str) -> None:
            raise NotLeader("another leads")

        self.cluster.fail = fail


class RealRig:
    def __init__(self, api: Api, namespace: str) -> None:
        telemetry = FakeTelemetry()
        self.api = api
        self.namespace = namespace
        self.seconds = 3600.0
        self.cache = WatchCache(api, (namespace,), lambda _: None, telemetry)
        recorder = Recorder(api, "crossfade-serving", "contract")
        self.cluster = KubernetesCluster(api, self.cache, self, recorder, telemetry)

    def remaining(self) -> float:
        return self.seconds

    async def put(self, obj: dict[str, Any]) -> dict[str, Any]:
        path = self._path(obj["kind"], obj["metadata"]["name"])
        if await self.read(obj["kind"], obj["metadata"]["name"]) is not None:
            return await self.api.request("PATCH", path, body=obj, content_type=MERGE)
        return await self.api.request("POST", path.rpartition("/")[0], body=obj)

    async def read(self, kind: str, name: str) -> dict[str, Any] | None:
        with contextlib.suppress(ClusterError):
            return await self.api.request("GET", self._path(kind, name))
        return None

    async def remove(self, kind: str, name: str) -> None:
        await self.api.request("DELETE", self._path(kind, name))

    async def refusal(self) -> dict[str, Any]:
        return config_map(self.namespace, "not_a_name", {"a": "1"})

    def lose_the_lease(self) -> None:
        self.seconds = 0.0

    def _path(self, kind: str, name: str) -> str:
        known = next(one for one in KINDS.values() if one.kind == kind)
        return f"{known.collection(self.namespace)}/{name}"


@contextlib.asynccontextmanager
async def real_rig(kubeconfig: Path, namespace: str) -> AsyncIterator[RealRig]:
    """A rig in a new namespace of a real API server that has our kinds."""
    async with Api(await configuration(kubeconfig), FakeTelemetry()) as api:
        await install_kinds(api)
        await api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": namespace}})
        rig = RealRig(api, namespace)
        watching = asyncio.create_task(rig.cache.run())
        try:
            await asyncio.wait_for(rig.cache.synced(), WITHIN)
            yield rig
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def install_kinds(api: Api) -> None:
    """Apply `crds/` and wait until the API server serves them; harmless when they are there."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for file in sorted(CRDS.glob("*.yaml")):
        crd = yaml.safe_load(file.read_text())
        query = {"fieldManager": "tests", "force": "true"}
        name = crd["metadata"]["name"]
        await api.request("PATCH", f"{path}/{name}", query=query, body=crd, content_type="application/apply-patch+yaml")
    served = asyncio.Event()
    async with asyncio.timeout(WITHIN):
        while not served.is_set():
            with contextlib.suppress(ClusterError):
                known = await api.request("GET", "/apis/crossfade.dev/v1alpha1")
                if {"modelendpoints", "modelrollouts", "metrics"} <= {one["name"] for one in known["resources"]}:
                    await api.request("GET", "/apis/crossfade.dev/v1alpha1/modelrollouts")
                    served.set()
                    continue
            await asyncio.sleep(0.05)


def config_map(namespace: str, name: str, data: dict[str, str]) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "crossfade", "crossfade.dev/endpoint": "ranker"}
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def endpoint(namespace: str, name: str = "ranker") -> dict[str, Any]:
    return {
        "apiVersion": "crossfade.dev/v1alpha1",
        "kind": "ModelEndpoint",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"unit": {"header": "x-user-id"}},
    }


def rollout(namespace: str, name: str, endpoint_name: str = "ranker", image: str = "ranker:1") -> dict[str, Any]:
    container = {"name": "model", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
    return {
        "apiVersion": "crossfade.dev/v1alpha1",
        "kind": "ModelRollout",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"endpoint": endpoint_name, "template": {"spec": {"containers": [container]}}},
    }


def metric(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "crossfade.dev/v1alpha1",
        "kind": "Metric",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"type": "Count", "prometheus": {"numerator": "empty_total", "denominator": "requests_total"}},
    }


def decision(namespace: str, name: str, about: str = "ranker") -> dict[str, Any]:
    """The smallest Decision that the API server takes."""
    return {
        "apiVersion": "crossfade.dev/v1alpha1",
        "kind": "Decision",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "subject": {"kind": "ModelRollout", "name": about, "uid": "uid-1"},
            "endpoint": "ranker",
            "action": "Start",
            "basis": "Human",
            "actor": "rollout@1",
            "rule": "rollout@1",
            "reason": "NewTemplate",
            "at": "2026-03-01T12:00:00Z",
            "retainUntil": "2028-03-01T12:00:00Z",
        },
    }


def review(namespace: str, name: str, about: str = "ranker") -> dict[str, Any]:
    return {
        "apiVersion": "crossfade.dev/v1alpha1",
        "kind": "Review",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"subject": {"kind": "ModelRollout", "name": about}, "verdict": "Approve", "reviewer": "ana"},
    }


def experiment(namespace: str, name: str, endpoint_name: str = "ranker") -> dict[str, Any]:
    """The smallest Experiment that the API server takes."""
    metric = {"metric": "error-rate", "role": "Guardrail", "margin": {"absolute": "1%"}}
    arms = [
        {"name": "control", "role": "Control", "revision": "Stable"},
        {"name": "treatment", "role": "Treatment", "revision": "Stable"},
    ]
    design = {"hypothesis": "Nothing changes.", "slice": "10%", "arms": arms, "metrics": [metric]}
    return {
        "apiVersion": "crossfade.dev/v1alpha1",
        "kind": "Experiment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "endpoint": endpoint_name,
            "owner": "team",
            "decisionMaker": "ana",
            "type": "AA",
            "design": design,
        },
    }


def pod(namespace: str, name: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "crossfade", "crossfade.dev/endpoint": "ranker"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "envoy", "image": "envoy:1"}]},
    }


def ref(obj: dict[str, Any]) -> Ref:
    return Ref.of(obj)
