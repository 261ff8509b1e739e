"""Running kopf: in a thread of its own, for when it ends it cancels every task of its loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence

import kopf

SILENCE = 70.0
"""Seconds without an event or bookmark after which a watch counts as dead; a live one has a bookmark a minute."""
STOPS_WITHIN = 10.0

Connection = Callable[[], Awaitable[kopf.ConnectionInfo]]


class KopfEnded(Exception):
    """kopf gave up; its own log says why."""


def kopf_settings() -> kopf.OperatorSettings:
    """No peering (the Lease does that), no Events of kopf's own, no watching of CRDs and namespaces."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.server_timeout = 300
    settings.watching.chunk_size = 100
    settings.watching.connect_timeout = 5
    settings.watching.inactivity_timeout = SILENCE
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.queueing.idle_timeout = 0.5
    settings.queueing.exit_timeout = 1.0
    return settings


def quieten_kopf() -> None:
    """kopf tells of every handler it calls; what matters is told by the reconciles."""
    for name in ("kopf", "kopf.objects", "kopf.activities"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("kopf._core.reactor.running").addFilter(lambda record: "OS signals" not in record.getMessage())


async def watch_primaries(
    registry: kopf.OperatorRegistry, wakes: object, connection: Connection, namespaces: Sequence[str]
) -> None:
    """Run kopf with the handlers of one side, which find `wakes` in their memo, until cancelled.

    Raises `KopfEnded` when it ends by itself, which it does on errors it cannot retry.
    """
    loop = asyncio.get_running_loop()
    stop, ended = threading.Event(), asyncio.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            memo = kopf.Memo(wakes=wakes, connection=connection)
            kopf.run(
                registry=registry,
                settings=kopf_settings(),
                memo=memo,
                stop_flag=stop,
                standalone=True,
                clusterwide=not namespaces,
                namespaces=tuple(namespaces),
            )
        except BaseException as error:
            failures.append(error)
        finally:
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=run, name="kopf", daemon=True).start()
    try:
        await ended.wait()
    finally:
        stop.set()
        await asyncio.shield(_settled(ended))
    raise KopfEnded(f"kopf ended by itself: {failures[0] if failures else 'see its log'}")


async def _settled(ended: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(STOPS_WITHIN):
            await ended.wait()
    except TimeoutError:
        logging.getLogger(__name__).warning("kopf did not stop within %.0f s; its thread is left behind", STOPS_WITHIN)
