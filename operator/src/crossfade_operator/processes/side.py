"""What both controllers are as processes: contenders for a Lease, with probes, metrics and an orderly stop."""

from __future__ import annotations

import asyncio
import logging
import signal
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime
from typing import TypeVar

import kopf

from crossfade_operator.adapters.api import Api
from crossfade_operator.adapters.clock import SystemClock
from crossfade_operator.adapters.kubernetes import GROUP
from crossfade_operator.adapters.lease import Lease, LeaseName, uptime
from crossfade_operator.adapters.probes import Health, probes
from crossfade_operator.ports.cluster import ClusterError, NotLeader
from crossfade_operator.processes.memory import give_back
from crossfade_operator.runtime.queue import WorkQueue
from crossfade_operator.settings import Settings
from crossfade_operator.telemetry import ProcessTelemetry

logger = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

RESTART_AFTER = 2.0
"""Seconds between the end of one term as leader and the next attempt."""
DEAD_AFTER = 60.0
"""Seconds without an attempt at the Lease, answered or not, after which the process counts as stuck."""


class Side(ABC):
    """One controller: one contender for its Lease, working whenever it holds it."""

    kinds: frozenset[str]
    """The plurals of the kinds that it cannot work without."""

    def __init__(self, settings: Settings, api: Api, telemetry: ProcessTelemetry) -> None:
        self.settings = settings
        self.api = api
        self.clock = SystemClock()
        self._telemetry = telemetry
        name = LeaseName(settings.lease_namespace, settings.lease_name)
        self.lease = Lease(api, name, settings.identity, telemetry)

    @abstractmethod
    async def lead(self) -> None:
        """One term: everything is made anew and lasts until the Lease is lost or something fails."""

    async def run(self) -> None:
        """Stand by, lead, and stand by again, until cancelled. No failure of the API server ends it."""
        while True:
            await self.lease.acquire()
            try:
                await self.lead()
            except* NotLeader as lost:
                logger.warning("standing by: %s", _first(lost))
            except* Exception as failed:
                logger.exception("this term as leader ended; the next begins in %.0f s", RESTART_AFTER, exc_info=failed)
            await asyncio.sleep(RESTART_AFTER)

    def health(self) -> Health:
        """Alive: the loop turns. Ready: the API server has answered; one that stands by is ready too."""

        def dead() -> str | None:
            silent = uptime() - self.lease.attempted_at
            return f"no attempt at the Lease for {silent:.0f} s" if silent > DEAD_AFTER else None

        def unready() -> str | None:
            return None if self.lease.answered else "the API server has not answered yet"

        return Health(dead, unready)

    def queue(self, name: str, work: Callable[[K], Awaitable[datetime | None]]) -> WorkQueue[K]:
        return WorkQueue(name, work, self.clock, self._telemetry, workers=self.settings.workers)

    async def kinds_known(self) -> None:
        """Return once the API server knows our kinds; until then say what to do."""
        while True:
            try:
                known = await self.api.request("GET", f"/apis/{GROUP}")
                missing = self.kinds - {str(resource["name"]) for resource in known["resources"]}
            except ClusterError as error:
                missing, told = self.kinds, str(error)
            else:
                told = "the API server does not have them"
            if not missing:
                return
            logger.warning("waiting for the kinds %s of %s: %s; apply crds/", ", ".join(sorted(missing)), GROUP, told)
            await asyncio.sleep(RESTART_AFTER)

    def connection(self) -> Callable[[], Awaitable[kopf.ConnectionInfo]]:
        """kopf asks from its own loop; our client answers in ours."""
        loop = asyncio.get_running_loop()

        async def connection() -> kopf.ConnectionInfo:
            asked = asyncio.run_coroutine_threadsafe(self.api.credentials(), loop)
            known = await asyncio.wrap_future(asked)
            return kopf.ConnectionInfo(
                server=known.server,
                ca_path=known.ca_path,
                ca_data=known.ca_data,
                certificate_path=known.certificate_path,
                private_key_path=known.key_path,
                token=known.token,
                insecure=known.insecure,
            )

        return connection


async def run_until_stopped(side: Side, telemetry: ProcessTelemetry) -> None:
    """Run one controller until SIGTERM or SIGINT, with its probes and metrics; then give its Lease back."""
    stopped = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    settings = side.settings
    async with probes(settings.listen_host, settings.listen_port, side.health(), telemetry.registry) as port:
        logger.info("%s serves /healthz, /readyz and /metrics on port %d", settings.identity, port)
        working = asyncio.create_task(side.run(), name="side")
        working.add_done_callback(lambda _: stopped.set())
        tidying = asyncio.create_task(give_back(), name="give memory back")
        await stopped.wait()
        for task in (working, tidying):
            task.cancel()
        await asyncio.gather(working, tidying, return_exceptions=True)
        await side.lease.release()
    if not working.cancelled() and (failure := working.exception()) is not None:
        raise failure


def _first(group: BaseExceptionGroup[NotLeader]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
