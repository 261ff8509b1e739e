"""HTTP for the kubelet and for Prometheus: `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

TEXT = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Health:
    """What is wrong with the process, in a sentence; None when nothing is."""

    dead: Callable[[], str | None]
    unready: Callable[[], str | None]


class CannotListen(Exception):
    """The address cannot be had; the sentence says why."""


@asynccontextmanager
async def probes(host: str, port: int, health: Health, registry: CollectorRegistry) -> AsyncIterator[int]:
    """Serve while the context lasts; gives the port, which the system chooses when `port` is 0.

    Raises `CannotListen`.
    """
    runner = web.AppRunner(application(health, registry), access_log=None)
    await runner.setup()
    try:
        await _listen(runner, host, port)
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise CannotListen(f"cannot listen on {host} port {port}: {error.strerror or error}") from error


def application(health: Health, registry: CollectorRegistry) -> web.Application:
    async def healthz(_: web.Request) -> web.Response:
        return _answer(health.dead())

    async def readyz(_: web.Request) -> web.Response:
        return _answer(health.dead() or health.unready())

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": TEXT})

    made = web.Application()
    made.router.add_get("/healthz", healthz)
    made.router.add_get("/readyz", readyz)
    made.router.add_get("/metrics", metrics)
    return made


def _answer(problem: str | None) -> web.Response:
    return web.Response(status=503 if problem else 200, text=f"{problem or 'ok'}\n")
