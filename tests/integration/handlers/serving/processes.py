"""Controllers as processes of their own, and a door to the API server that can be shut."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from crossfade_operator.adapters.api import Api, NotFound
from crossfade_operator.ports.cluster import Obj

LEASES = "/apis/coordination.k8s.io/v1"


async def eventually(what: str, check: Callable[[], Awaitable[Any]], within: float = 60.0) -> Any:
    """The first true answer of `check`; fails with what was seen last."""
    until = time.monotonic() + within
    while not (last := await check()) and time.monotonic() < until:  # noqa: ASYNC110 - a process is asked
        await asyncio.sleep(0.1)
    if last:
        return last
    pytest.fail(f"not within {within:.0f} s: {what}; last seen: {last!r}")


class Door:
    """A TCP relay to the API server. Shut, it drops every connection and takes no new one."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (str(parts.hostname), int(parts.port or 443))
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        self._server = None

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        streams = [writer]
        try:
            inner_reader, inner_writer = await asyncio.open_connection(*self._target)
            streams.append(inner_writer)
            await asyncio.gather(_pour(reader, inner_writer), _pour(inner_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            for stream in streams:
                stream.transport.abort()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while block := await reader.read(65536):
        writer.write(block)
        await writer.drain()
    raise ConnectionResetError


@dataclass
class Controller:
    """One `crossfade-operator serving` or `learning`."""

    process: asyncio.subprocess.Process
    port: int
    log: Path

    async def page(self, name: str) -> httpx.Response | None:
        with contextlib.suppress(httpx.HTTPError):
            async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
                return await client.get(f"http://127.0.0.1:{self.port}/{name}")
        return None

    async def counted(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        page = await self.page("metrics")
        if page is None:
            return 0.0
        lines = [line for line in page.text.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(float(line.rpartition(" ")[2]) for line in lines if all(part in line for part in wanted))

    async def leads(self) -> bool:
        return await self.counted("crossfade_leader") == 1

    async def writes(self) -> float:
        """Requests that change something, the Lease aside."""
        verbs = ("POST", "PUT", "PATCH", "DELETE")
        sums = [await self.counted("crossfade_api_requests_total", verb=verb) for verb in verbs]
        leases = [await self.counted("crossfade_api_requests_total", verb=verb, resource="leases") for verb in verbs]
        return sum(sums) - sum(leases)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), 60)


class Site:
    """A namespace, the controllers that serve it, and what a user does in it."""

    def __init__(
        self, api: Api, namespace: str, kubeconfig: Path, url: str, folder: Path, *, side: str = "serving"
    ) -> None:
        self.api, self.namespace, self.side = api, namespace, side
        self.analyzer = "http://127.0.0.1:1"
        self.door = Door(url)
        self._kubeconfig, self._folder = kubeconfig, folder
        self._controllers: list[Controller] = []

    async def __aenter__(self) -> Site:
        await self.door.open()
        config = yaml.safe_load(self._kubeconfig.read_text())
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.door.port}"
        (self._folder / "kubeconfig").write_text(yaml.safe_dump(config))
        return self

    async def __aexit__(self, *_: object) -> None:
        for controller in self._controllers:
            if controller.process.returncode is None:
                controller.process.kill()
                await controller.process.wait()
        await self.door.shut()

    async def start(self, name: str) -> Controller:
        """A controller that is alive; whether it leads is another matter."""
        log, port = self._folder / f"{name}.log", _free_port()
        environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("CROSSFADE_", "KUBERNETES_"))},
            "KUBECONFIG": str(self._folder / "kubeconfig"),
            "CROSSFADE_ANALYZER_URL": self.analyzer,
            "CROSSFADE_ROUTER_IMAGE": "envoy:test",
            "CROSSFADE_NAMESPACES": self.namespace,
            "CROSSFADE_LEASE_NAMESPACE": self.namespace,
            "CROSSFADE_IDENTITY": name,
            "CROSSFADE_LISTEN": f"127.0.0.1:{port}",
        }
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "crossfade_operator", self.side, env=environ, stdout=output, stderr=output
            )
        controller = Controller(process, port, log)
        self._controllers.append(controller)
        await eventually(f"{name} answers", lambda: controller.page("healthz"), within=180)
        return controller

    async def leading(self, name: str) -> Controller:
        controller = await self.start(name)
        await eventually(f"{name} leads", controller.leads)
        return controller

    async def holder(self) -> str | None:
        found = await self.read(f"{LEASES}/namespaces/{self.namespace}/leases/crossfade-{self.side}")
        return found["spec"]["holderIdentity"] if found else None

    async def create(self, *objects: dict[str, Any]) -> None:
        for obj in objects:
            plural = obj["kind"].lower() + "s"
            await self.api.request("POST", self.path(plural), body=obj)

    def path(self, plural: str, name: str | None = None) -> str:
        group = {"deployments": "/apis/apps/v1"}.get(plural, "/apis/crossfade.dev/v1alpha1")
        path = f"{group}/namespaces/{self.namespace}/{plural}"
        return f"{path}/{name}" if name else path

    async def read(self, path: str) -> Obj | None:
        try:
            return await self.api.request("GET", path)
        except NotFound:
            return None

    async def deployments(self) -> list[str]:
        found = await self.read(self.path("deployments"))
        assert found is not None
        return sorted(item["metadata"]["name"] for item in found["items"])


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Stopwatch:
    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began
