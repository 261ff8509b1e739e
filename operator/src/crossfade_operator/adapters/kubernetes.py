"""The `Cluster` port on a Kubernetes API server: fresh reads of primaries, cached children, fenced writes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from crossfade_operator.adapters.api import APPLY, MERGE, Api, NotFound
from crossfade_operator.adapters.events import Recorder
from crossfade_operator.adapters.lease import Fence, fenced
from crossfade_operator.adapters.slim import content_mark
from crossfade_operator.adapters.watchcache import (
    CHILD_KINDS,
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    POD,
    SERVICE,
    Kind,
    WatchCache,
)
from crossfade_operator.ports.cluster import Children, Conflict, Key, Obj, Ref, Refused
from crossfade_operator.ports.telemetry import CallTelemetry

FIELD_MANAGER = "crossfade-serving"
GROUP = "crossfade.dev/v1alpha1"
ENDPOINT = Kind(GROUP, "ModelEndpoint", "modelendpoints")
ROLLOUT = Kind(GROUP, "ModelRollout", "modelrollouts")
METRIC = Kind(GROUP, "Metric", "metrics")
EXPERIMENT = Kind(GROUP, "Experiment", "experiments")
REVIEW = Kind(GROUP, "Review", "reviews")
DECISION = Kind(GROUP, "Decision", "decisions")
PRIMARY_KINDS = (ENDPOINT, ROLLOUT, METRIC, EXPERIMENT, REVIEW, DECISION)
KINDS = {(kind.api_version, kind.kind): kind for kind in (*CHILD_KINDS, *PRIMARY_KINDS)}
REMEMBERED = 20_000


class KubernetesCluster:
    """Implements `ports.cluster.Cluster`. `fence` says whether this process may still write."""

    def __init__(
        self,
        api: Api,
        cache: WatchCache,
        fence: Fence,
        recorder: Recorder,
        telemetry: CallTelemetry,
        *,
        field_manager: str = FIELD_MANAGER,
    ) -> None:
        self._api = api
        self._field_manager = field_manager
        self._cache = cache
        self._fence = fence
        self._recorder = recorder
        self._telemetry = telemetry
        self._applied: OrderedDict[Ref, tuple[bytes, bytes]] = OrderedDict()

    async def endpoint(self, key: Key) -> Obj | None:
        return await self.get(ENDPOINT, key.namespace, key.endpoint)

    async def rollouts(self, key: Key) -> Sequence[Obj]:
        """One consistent list, filtered by the API server: it needs `.spec.endpoint` as a selectable field."""
        return await self.list(ROLLOUT, key.namespace, {"spec.endpoint": key.endpoint})

    async def experiments(self, key: Key) -> Sequence[Obj]:
        return await self.list(EXPERIMENT, key.namespace, {"spec.endpoint": key.endpoint})

    async def decisions(self, namespace: str, fields: Mapping[str, str]) -> Sequence[Obj]:
        return await self.list(DECISION, namespace, fields)

    async def reviews(self, namespace: str, fields: Mapping[str, str]) -> Sequence[Obj]:
        return await self.list(REVIEW, namespace, fields)

    async def metrics(self, namespace: str, names: Sequence[str]) -> Mapping[str, Obj]:
        found = await asyncio.gather(*(self.get(METRIC, namespace, name) for name in names))
        return {name: obj for name, obj in zip(names, found, strict=True) if obj is not None}

    async def children(self, key: Key) -> Children:
        """From the watch cache, once it has been filled; `slim` says what its objects lack, ConfigMaps are metadata."""
        await self._cache.synced()
        return Children(
            deployments=self._cache.store(DEPLOYMENT).of(key),
            services=self._cache.store(SERVICE).of(key),
            config_maps=self._cache.store(CONFIG_MAP).of(key),
            controller_revisions=self._cache.store(CONTROLLER_REVISION).of(key),
            pods=self._cache.store(POD).of(key),
        )

    async def apply(self, manifest: Obj) -> Obj:
        """Sends nothing when the object is as our last apply of this very manifest left it."""
        ref = _unguarded(Ref.of(manifest))
        digest = _digest(manifest)
        known = self._cache.find(ref.api_version, ref.kind, ref.namespace, ref.name)
        if known is not None and self._applied.get(ref) == (digest, content_mark(known)):
            self._telemetry.apply_skipped(_kind(ref).plural)
            return known
        query = {"fieldManager": self._field_manager, "force": "true", "fieldValidation": "Strict"}
        async with fenced(self._fence):
            result = await self._api.request("PATCH", _path(ref), query=query, body=manifest, content_type=APPLY)
        self._cache.learn(result)
        self._remember(ref, digest, result)
        return result

    async def create(self, manifest: Obj) -> Obj:
        ref = Ref.of(manifest)
        collection = _kind(ref).collection(ref.namespace)
        query = {"fieldManager": self._field_manager, "fieldValidation": "Strict"}
        try:
            async with fenced(self._fence):
                return await self._api.request("POST", collection, query=query, body=manifest)
        except Conflict:
            return await self._api.request("GET", _path(ref))

    async def delete(self, ref: Ref) -> None:
        options: dict[str, Any] = {"propagationPolicy": "Background"}
        if ref.uid is not None:
            options["preconditions"] = {"uid": ref.uid}
        self._applied.pop(_unguarded(ref), None)
        try:
            async with fenced(self._fence):
                await self._api.request("DELETE", _path(ref), body=options)
        except NotFound:
            return

    async def write_status(self, obj: Obj, status: Mapping[str, Any]) -> Obj:
        """Sends nothing when `status` is what `obj` has already."""
        if obj.get("status", {}) == status:
            return obj
        query = {"fieldManager": self._field_manager, "fieldValidation": "Strict"}
        path = f"{_path(Ref.of(obj))}/status"
        try:
            async with fenced(self._fence):
                return await self._api.request("PUT", path, query=query, body={**obj, "status": status})
        except NotFound as gone:
            raise Conflict(str(gone)) from gone

    async def hold(self, obj: Obj, finalizer: str) -> Obj:
        return await self._finalizers(obj, [*(obj["metadata"].get("finalizers") or ()), finalizer])

    async def release(self, obj: Obj, finalizer: str) -> None:
        kept = [one for one in obj["metadata"].get("finalizers") or () if one != finalizer]
        with contextlib.suppress(NotFound):
            await self._finalizers(obj, kept)

    async def _finalizers(self, obj: Obj, wanted: Sequence[str]) -> Obj:
        version = obj["metadata"]["resourceVersion"]
        patch = {"metadata": {"resourceVersion": version, "finalizers": list(wanted)}}
        query = {"fieldManager": self._field_manager, "fieldValidation": "Strict"}
        async with fenced(self._fence):
            return await self._api.request("PATCH", _path(Ref.of(obj)), query=query, body=patch, content_type=MERGE)

    async def annotate_pods(self, key: Key, names: Sequence[str], annotation: str, value: str) -> None:
        patch = {"metadata": {"annotations": {annotation: value}}}
        await asyncio.gather(*(self._patch_pod(key.namespace, name, patch) for name in names))

    async def event(self, about: Obj, kind: str, reason: str, message: str) -> None:
        if self._fence.remaining() > 0:
            await self._recorder.record(about, kind, reason, message)

    async def list(self, kind: Kind, namespace: str, fields: Mapping[str, str]) -> Sequence[Obj]:
        query = {"fieldSelector": ",".join(f"{field}={value}" for field, value in fields.items())}
        found = await self._api.request("GET", kind.collection(namespace), query=query)
        items = [{**item, "apiVersion": GROUP, "kind": kind.kind} for item in found.get("items") or ()]
        return sorted(items, key=lambda o: (o["metadata"]["creationTimestamp"], o["metadata"]["name"]))

    async def get(self, kind: Kind, namespace: str, name: str) -> Obj | None:
        try:
            return await self._api.request("GET", f"{kind.collection(namespace)}/{name}")
        except NotFound:
            return None

    async def _patch_pod(self, namespace: str, name: str, patch: Mapping[str, Any]) -> None:
        path = f"{POD.collection(namespace)}/{name}"
        query = {"fieldManager": self._field_manager}
        try:
            async with fenced(self._fence):
                patched = await self._api.request("PATCH", path, query=query, body=patch, content_type=MERGE)
        except NotFound:
            return
        self._cache.learn(patched)

    def _remember(self, ref: Ref, digest: bytes, result: Obj) -> None:
        self._applied[ref] = (digest, content_mark(result))
        self._applied.move_to_end(ref)
        while len(self._applied) > REMEMBERED:
            self._applied.popitem(last=False)


def _unguarded(ref: Ref) -> Ref:
    return Ref(ref.api_version, ref.kind, ref.namespace, ref.name)


def _digest(manifest: Obj) -> bytes:
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _kind(ref: Ref) -> Kind:
    kind = KINDS.get((ref.api_version, ref.kind))
    if kind is None:
        raise Refused(
            f"{ref.api_version} {ref.kind} {ref.namespace}/{ref.name}: this controller does not handle that kind"
        )
    return kind


def _path(ref: Ref) -> str:
    return f"{_kind(ref).collection(ref.namespace)}/{ref.name}"
