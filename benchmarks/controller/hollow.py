"""Pods without a node: what a kubelet, a model server and a router would say, said for all of them by one process.

Deployments, ReplicaSets and pods are real objects, made by a real controller manager; only nothing runs in them.
A model pod is declared ready. A router pod is too, and gets an address of its own on 127.77.0.0/16, where it answers
on the ops port as Envoy does: with the generation of its ConfigMap, and with the pods of each revision that are ready.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Any

from crossfade_operator.adapters.api import MERGE, Api, NotFound
from crossfade_operator.adapters.routers import OPS_PORT
from crossfade_operator.adapters.watchcache import CONFIG_MAP, DEPLOYMENT, POD, WatchCache
from crossfade_operator.core.children.router import GENERATION_ANNOTATION
from crossfade_operator.core.pods import is_ready
from crossfade_operator.ports.cluster import Key, Obj
from tests.fakes.telemetry import FakeTelemetry

AT_ONCE = 8
STEPS = ("PodScheduled", "Initialized", "ContainersReady", "Ready")


class Hollow:
    """Every pod of one namespace; a context within which they become ready soon after they were made."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api, self._namespace = api, namespace
        self._cache = WatchCache(
            api, (namespace,), self._changed, FakeTelemetry(), kinds=(POD, DEPLOYMENT, CONFIG_MAP), silence=90.0
        )
        self._todo: asyncio.Queue[Key] = asyncio.Queue()
        self._queued: set[Key] = set()
        self._addresses: dict[str, str] = {}
        self._doors: list[asyncio.Server] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Hollow]:
        """While open, pods are kept ready and routers answer."""
        tasks = [asyncio.create_task(self._cache.run()), *(asyncio.create_task(self._work()) for _ in range(AT_ONCE))]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for door in self._doors:
                door.close()

    def _changed(self, key: Key) -> None:
        if key not in self._queued:
            self._queued.add(key)
            self._todo.put_nowait(key)

    async def _work(self) -> None:
        while True:
            key = await self._todo.get()
            self._queued.discard(key)
            for pod in self._cache.store(POD).of(key):
                if not is_ready(pod):
                    await self._raise(key, pod)

    async def _raise(self, key: Key, pod: Obj) -> None:
        name = pod["metadata"]["name"]
        address = self._addresses.get(name) or await self._address(key, pod)
        path = f"{POD.collection(self._namespace)}/{name}/status"
        with contextlib.suppress(NotFound):
            self._cache.learn(
                await self._api.request("PATCH", path, body={"status": _ready(pod, address)}, content_type=MERGE)
            )

    async def _address(self, key: Key, pod: Obj) -> str:
        number = len(self._addresses)
        router = pod["metadata"]["labels"]["crossfade.dev/component"] == "router"
        address = f"{'127.77' if router else '10.244'}.{number // 250}.{number % 250 + 1}"
        self._addresses[pod["metadata"]["name"]] = address
        if router:
            self._doors.append(await asyncio.start_server(lambda r, w: self._answer(key, r, w), address, OPS_PORT))
        return address

    async def _answer(self, key: Key, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            asked = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
            text = self._page(key, asked)
            status = "200 OK" if text else "404 Not Found"
            head = f"HTTP/1.1 {status}\r\ncontent-length: {len(text)}\r\nconnection: close\r\n\r\n"
            writer.write((head + text).encode())
            await writer.drain()

    def _page(self, key: Key, path: str) -> str:
        if path == "/generation":
            written = [one["metadata"].get("annotations", {}) for one in self._cache.store(CONFIG_MAP).of(key)]
            return f'{{"generation": {max(int(one.get(GENERATION_ANNOTATION, 0)) for one in written)}}}'
        return "".join(self._healthy(key)) if path == "/metrics" else ""

    def _healthy(self, key: Key) -> Iterable[str]:
        """A lone revision has one cluster; where there are more, each has one as a slice, too."""
        for deployment in self._cache.store(DEPLOYMENT).of(key):
            revision = deployment["metadata"]["labels"].get("crossfade.dev/revision")
            ready = deployment.get("status", {}).get("readyReplicas", 0)
            if revision:
                for cluster in (revision, f"{revision}-slice"):
                    yield f'envoy_cluster_membership_healthy{{envoy_cluster_name="{cluster}"}} {ready}\n'


def _ready(pod: Obj, address: str) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "phase": "Running",
        "startTime": now,
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [{"type": step, "status": "True", "lastTransitionTime": now} for step in STEPS],
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": f"sha256:{'0' * 64}",
                "containerID": f"hollow://{pod['metadata']['uid']}",
                "ready": True,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": now}},
            }
            for container in pod["spec"]["containers"]
        ],
    }
