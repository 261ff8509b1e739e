"""The `Routers` port: each router's `ops` listener says which table it runs and how many it refused."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from crossfade_operator.ports.routers import RouterPod, RouterReport
from crossfade_operator.ports.telemetry import CallTelemetry

OPS_PORT = 9902
WITHIN = 1.0
REMEMBERED = 4096
REJECTED = re.compile(
    r"^envoy_(?:listener_manager_lds|cluster_manager_cds|http_rds)_update_rejected(?:\{[^}]*\})? (\d+)", re.MULTILINE
)
"""Tables refused, by what they are: listeners, clusters, routes."""
HEALTHY = re.compile(
    r'^envoy_cluster_membership_healthy\{[^}]*envoy_cluster_name="([a-z0-9]+(?:-slice)?)"[^}]*\} (\d+)', re.MULTILINE
)
"""Pods that take requests: a revision's as stable and, once there is a stable to fall back to, as a slice; an arm's as
a slice."""
REJECTED_EVERY = 10.0
"""Seconds between two looks at one router's metrics: the text is large, and it matters only when a router lags."""


@dataclass(frozen=True)
class _Lagging:
    """A router that was heard of before: what it ran, and the refused tables it had at `looked_at`."""

    generation: int
    rejected: int
    looked_at: float


class RunningTable(BaseModel):
    """The answer to `GET /generation`; a router may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    generation: int
    digest: str | None = None


def routers_client() -> httpx.AsyncClient:
    """A connection pool for `HttpRouters`; connections are not kept, for pods come and go."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(timeout=WITHIN, limits=limits, trust_env=False)


class HttpRouters:
    """Implements `ports.routers.Routers`."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        telemetry: CallTelemetry,
        *,
        port: int = OPS_PORT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._telemetry = telemetry
        self._port = port
        self._clock = clock
        self._heard: OrderedDict[RouterPod, _Lagging] = OrderedDict()

    async def reports(self, pods: Sequence[RouterPod], *, names: Collection[str] = ()) -> Sequence[RouterReport]:
        return await asyncio.gather(*(self._report(pod, names) for pod in pods))

    async def _report(self, pod: RouterPod, names: Collection[str]) -> RouterReport:
        try:
            async with asyncio.timeout(WITHIN):
                report = await self._ask(pod)
                if names and report.error is None:
                    report = replace(report, healthy=await self._healthy(pod, names))
        except TimeoutError:
            report = RouterReport(pod.name, None, error=f"no answer within {WITHIN:g} s")
        except (httpx.HTTPError, ValueError) as error:
            report = RouterReport(pod.name, None, error=_said(error))
        self._telemetry.router_call("ok" if report.error is None else "unavailable")
        return report

    async def _ask(self, pod: RouterPod) -> RouterReport:
        base = f"http://{_host(pod.ip)}:{self._port}"
        response = await self._client.get(f"{base}/generation")
        if response.status_code != httpx.codes.OK:
            return RouterReport(pod.name, None, error=f"/generation answered {response.status_code}")
        try:
            running = RunningTable.model_validate_json(response.content)
        except ValidationError:
            return RouterReport(pod.name, None, error=f"/generation answered {response.text[:80]!r}")
        return RouterReport(pod.name, running.generation, running.digest, await self._rejected(pod, base, running))

    async def _rejected(self, pod: RouterPod, base: str, running: RunningTable) -> int:
        """Tables refused so far, as last seen: looked up when the router still runs what it ran when last asked."""
        before = self._heard.get(pod)
        rejected = before.rejected if before else 0
        looked_at = before.looked_at if before else self._clock() - REJECTED_EVERY
        if before and before.generation == running.generation and self._clock() - looked_at >= REJECTED_EVERY:
            rejected, looked_at = await self._count(base, rejected), self._clock()
        self._keep(pod, _Lagging(running.generation, rejected, looked_at))
        return rejected

    async def _count(self, base: str, known: int) -> int:
        """A router whose metrics cannot be read has still confirmed what it runs."""
        try:
            async with asyncio.timeout(WITHIN / 2):
                response = await self._client.get(f"{base}/metrics")
        except (httpx.HTTPError, TimeoutError):
            return known
        return sum(int(count) for count in REJECTED.findall(response.text))

    async def _healthy(self, pod: RouterPod, names: Collection[str]) -> dict[str, int]:
        """The pods of each name that the router has found and that passed its health check."""
        response = await self._client.get(f"http://{_host(pod.ip)}:{self._port}/metrics")
        healthy: dict[str, int] = {}
        for cluster, count in HEALTHY.findall(response.text):
            name = cluster.removesuffix("-slice")
            if name in names:
                healthy[name] = min(int(count), healthy.get(name, int(count)))
        return healthy

    def _keep(self, pod: RouterPod, heard: _Lagging) -> None:
        self._heard[pod] = heard
        self._heard.move_to_end(pod)
        while len(self._heard) > REMEMBERED:
            self._heard.popitem(last=False)


def _host(ip: str) -> str:
    address = ip_address(ip)
    return f"[{address}]" if isinstance(address, IPv6Address) else str(address)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
