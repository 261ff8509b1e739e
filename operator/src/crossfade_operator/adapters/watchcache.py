"""What we own, kept current by one list and watch per kind: reconciles of idle objects cost no requests.

A watch that ends goes on from where it was; one that expired, failed or fell silent begins with a new list, and what
the list no longer has is dropped, so that no ghost of a deleted object stays.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from crossfade_operator.adapters.api import METADATA_ONLY, METADATA_ONLY_LIST, Api, Expired
from crossfade_operator.adapters.slim import slim
from crossfade_operator.ports.cluster import ClusterError, Key, Obj
from crossfade_operator.ports.telemetry import CallTelemetry

logger = logging.getLogger(__name__)

ENDPOINT_LABEL = "crossfade.dev/endpoint"
SELECTOR = f"app.kubernetes.io/managed-by=crossfade,{ENDPOINT_LABEL}"
WATCH_FOR = 300
SILENCE = 90.0
"""Seconds; the API server sends a bookmark about every minute."""
PAGE = 100
RETRY_FROM, RETRY_TO = 0.2, 10.0


@dataclass(frozen=True)
class Kind:
    """A kind of ours to be watched. Of a `metadata_only` one neither spec, data nor status is fetched."""

    api_version: str
    kind: str
    plural: str
    metadata_only: bool = False

    @property
    def root(self) -> str:
        return f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"

    def collection(self, namespace: str | None) -> str:
        return f"{self.root}/namespaces/{namespace}/{self.plural}" if namespace else f"{self.root}/{self.plural}"


DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
CONTROLLER_REVISION = Kind("apps/v1", "ControllerRevision", "controllerrevisions")
SERVICE = Kind("v1", "Service", "services")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps", metadata_only=True)
POD = Kind("v1", "Pod", "pods")
BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", metadata_only=True)
CHILD_KINDS = (DEPLOYMENT, CONTROLLER_REVISION, SERVICE, CONFIG_MAP, POD, BUDGET)


def key_of(obj: Obj) -> Key | None:
    """The endpoint that a child is labelled with."""
    meta = obj["metadata"]
    endpoint = (meta.get("labels") or {}).get(ENDPOINT_LABEL)
    return Key(meta["namespace"], endpoint) if endpoint else None


class Store:
    """Objects of one kind by name, and their names by endpoint."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], Obj] = {}
        self._by_key: dict[Key, set[tuple[str, str]]] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, namespace: str, name: str) -> Obj | None:
        return self._objects.get((namespace, name))

    def of(self, key: Key) -> Sequence[Obj]:
        """The objects of one endpoint, by name."""
        return tuple(self._objects[name] for name in sorted(self._by_key.get(key, ())))

    def put(self, obj: Obj) -> bool:
        """Keep `obj` in place of what is known; returns whether that is news."""
        name = _name(obj)
        known = self._objects.get(name)
        if known is not None and _version(known) == _version(obj):
            return False
        self._forget(name)
        self._objects[name] = obj
        if (key := key_of(obj)) is not None:
            self._by_key.setdefault(key, set()).add(name)
        return True

    def drop(self, obj: Obj) -> bool:
        """Forget `obj`, unless a namesake has come since."""
        known = self._objects.get(_name(obj))
        if known is None or known["metadata"]["uid"] != obj["metadata"]["uid"]:
            return False
        self._forget(_name(obj))
        return True

    def names(self, namespace: str | None) -> set[tuple[str, str]]:
        return {name for name in self._objects if namespace in (None, name[0])}

    def _forget(self, name: tuple[str, str]) -> None:
        known = self._objects.pop(name, None)
        key = key_of(known) if known is not None else None
        if key is not None and (names := self._by_key.get(key)):
            names.discard(name)
            if not names:
                del self._by_key[key]


def _name(obj: Obj) -> tuple[str, str]:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def _version(obj: Obj) -> int:
    """Versions of one kind are integers that grow: KEP-5504 promises what every etcd-backed server did before."""
    return int(obj["metadata"]["resourceVersion"])


class WatchCache:
    """The children of all endpoints in `namespaces` (None: everywhere). `changed` hears of every change, after it."""

    def __init__(
        self,
        api: Api,
        namespaces: Sequence[str],
        changed: Callable[[Key], None],
        telemetry: CallTelemetry,
        *,
        kinds: Sequence[Kind] = CHILD_KINDS,
        selector: str = SELECTOR,
        silence: float = SILENCE,
    ) -> None:
        self._api = api
        self._namespaces: Sequence[str | None] = tuple(namespaces) or (None,)
        self._changed = changed
        self._telemetry = telemetry
        self._selector = selector
        self._silence = silence
        self._kinds = tuple(kinds)
        self._stores = {(kind.api_version, kind.kind): Store() for kind in kinds}
        self._waiting = {(kind.kind, namespace) for kind in kinds for namespace in self._namespaces}
        self._told: dict[tuple[str, str | None], int] = {}
        self._synced = asyncio.Event()

    def store(self, kind: Kind) -> Store:
        return self._stores[kind.api_version, kind.kind]

    def find(self, api_version: str, kind: str, namespace: str, name: str) -> Obj | None:
        """The object as last seen; None also for a kind that is not watched."""
        store = self._stores.get((api_version, kind))
        return store.get(namespace, name) if store is not None else None

    async def synced(self) -> None:
        """Return once every kind was listed in full."""
        await self._synced.wait()

    async def run(self) -> None:
        """Watch until cancelled; no failure of the API server ends it."""
        async with asyncio.TaskGroup() as group:
            for kind in self._kinds:
                for namespace in self._namespaces:
                    group.create_task(self._follow(kind, namespace), name=f"watch {kind.plural}")

    def learn(self, obj: Obj) -> None:
        """Take over the answer to a write of ours, so that the next reconcile sees it even before the watch does.

        What the watch has told already, perhaps even the object's end, is not told again.
        """
        namespace = None if self._namespaces == (None,) else obj["metadata"]["namespace"]
        for kind in self._kinds:
            known = (kind.api_version, kind.kind) == (obj["apiVersion"], obj["kind"])
            if known and _version(obj) > self._told.get((kind.kind, namespace), 0):
                self.store(kind).put(_kept(kind, obj))

    async def _follow(self, kind: Kind, namespace: str | None) -> None:
        since: str | None = None
        failures = 0
        while True:
            why = "ended"
            try:
                if since is None:
                    since = await self._list(kind, namespace)
                async with aclosing(self._watch(kind, namespace, since)) as versions:
                    async for version in versions:
                        since, failures = version, 0
            except Expired:
                why, since = "expired", None
            except ClusterError as error:
                why, failures = "failed", failures + 1
                # A server restored from a backup may not know our version: the second failure begins anew.
                since = since if failures == 1 else None
                logger.warning("watching %s goes on after a pause: %s", kind.plural, error)
            self._telemetry.watch_restarted(kind.plural, why)
            await asyncio.sleep(_pause(failures))

    async def _list(self, kind: Kind, namespace: str | None) -> str:
        store = self.store(kind)
        gone = store.names(namespace)
        query = {"labelSelector": self._selector, "limit": str(PAGE)}
        accept = f"{METADATA_ONLY_LIST},application/json" if kind.metadata_only else "application/json"
        while True:
            page = await self._api.request("GET", kind.collection(namespace), query=query, accept=accept, within=30.0)
            for item in page.get("items") or ():
                obj = _kept(kind, item)
                gone.discard(_name(obj))
                if store.put(obj):
                    self._tell([obj])
            if not (more := page["metadata"].get("continue")):
                break
            query["continue"] = more
        for name in gone:
            ghost = store.get(*name)
            if ghost is not None and store.drop(ghost):
                self._tell([ghost])
        version = str(page["metadata"]["resourceVersion"])
        self._told[kind.kind, namespace] = int(version)
        self._listed(kind, namespace)
        return version

    def _listed(self, kind: Kind, namespace: str | None) -> None:
        self._waiting.discard((kind.kind, namespace))
        if not self._waiting:
            self._synced.set()

    async def _watch(self, kind: Kind, namespace: str | None, since: str) -> AsyncGenerator[str]:
        query = {"labelSelector": self._selector, "resourceVersion": since, "timeoutSeconds": str(WATCH_FOR)}
        accept = f"{METADATA_ONLY},application/json" if kind.metadata_only else "application/json"
        events = self._api.watch(kind.collection(namespace), query=query, accept=accept, silence=self._silence)
        async with aclosing(events):
            async for event in events:
                obj = event["object"]
                if event["type"] == "ERROR":
                    raise _watch_error(obj)
                version = str(obj["metadata"]["resourceVersion"])
                self._told[kind.kind, namespace] = int(version)
                if event["type"] != "BOOKMARK":
                    self._take(kind, str(event["type"]), obj)
                yield version

    def _take(self, kind: Kind, what: str, raw: Mapping[str, Any]) -> None:
        store = self.store(kind)
        obj = _kept(kind, raw)
        known = store.get(*_name(obj))
        if what == "DELETED":
            changed = store.drop(obj)
        else:
            # Older than the answer to a write of ours: the watch will come to that, too.
            changed = (known is None or _version(obj) > _version(known)) and store.put(obj)
        if changed:
            self._tell([obj] if known is None else [obj, known])

    def _tell(self, objects: Iterable[Obj]) -> None:
        for key in {key for obj in objects if (key := key_of(obj)) is not None}:
            self._changed(key)


def _kept(kind: Kind, obj: Mapping[str, Any]) -> Obj:
    """What the cache keeps of an object; items of a list do not say their kind."""
    named = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": obj["metadata"]}
    return slim(named if kind.metadata_only else {**obj, **named})


def _pause(failures: int) -> float:
    """Seconds; a little also after an orderly end, for a server that ends every watch at once."""
    longest = min(RETRY_FROM * 2.0 ** (failures - 1), RETRY_TO)
    return longest * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, hides nothing


def _watch_error(status: Mapping[str, Any]) -> ClusterError:
    sentence = str(status.get("message", status))
    return Expired(sentence) if status.get("code") == 410 else ClusterError(sentence)
