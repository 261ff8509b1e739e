"""The composition root: settings, adapters, queues and handlers are made and joined here, and nowhere else."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import httpx
import kopf

from crossfade_operator.adapters.analyzer import AnalyzerVerdicts, analyzer_client
from crossfade_operator.adapters.api import Api, NoCluster, configuration
from crossfade_operator.adapters.clock import SystemClock
from crossfade_operator.adapters.events import Recorder
from crossfade_operator.adapters.kubernetes import FIELD_MANAGER, GROUP, KubernetesCluster
from crossfade_operator.adapters.lease import Lease, LeaseName, uptime
from crossfade_operator.adapters.probes import CannotListen, Health, probes
from crossfade_operator.adapters.routers import HttpRouters, routers_client
from crossfade_operator.adapters.watchcache import WatchCache
from crossfade_operator.handlers.serving.wakes import Wakes
from crossfade_operator.handlers.serving.watching import quieten_kopf, watch_primaries
from crossfade_operator.logs import log_to_stderr
from crossfade_operator.ports.cluster import ClusterError, Key, NotLeader
from crossfade_operator.runtime.metrics import MetricKey, MetricReconciler, References
from crossfade_operator.runtime.queue import WorkQueue
from crossfade_operator.runtime.reconcile import Reconciler, ReconcileSettings
from crossfade_operator.settings import Settings, SettingsError
from crossfade_operator.telemetry import PrometheusTelemetry

logger = logging.getLogger("crossfade_operator.serving")

K = TypeVar("K", Key, MetricKey)

RESTART_AFTER = 2.0
"""Seconds between the end of one term as leader and the next attempt."""
DEAD_AFTER = 60.0
"""Seconds without an attempt at the Lease, answered or not, after which the process counts as stuck."""
COLLECT_AFTER = (20_000, 20, 20)
"""When Python looks for cyclic garbage, as for `gc.set_threshold`. A page of a list parses into tens of thousands of
objects that all live on; with Python's 700 looking at them again and again takes five times as long as parsing."""
KINDS = {"modelendpoints", "modelrollouts", "metrics"}


class Serving:
    """The serving controller: one contender for the Lease, working whenever it holds it."""

    def __init__(
        self,
        settings: Settings,
        api: Api,
        analyzer: httpx.AsyncClient,
        routers: httpx.AsyncClient,
        telemetry: PrometheusTelemetry,
    ) -> None:
        self._settings = settings
        self._api = api
        self._telemetry = telemetry
        self._clock = SystemClock()
        self._verdicts = AnalyzerVerdicts(analyzer, telemetry)
        self._routers = HttpRouters(routers, telemetry)
        name = LeaseName(settings.lease_namespace, settings.lease_name)
        self.lease = Lease(api, name, settings.identity, telemetry)

    async def run(self) -> None:
        """Stand by, lead, and stand by again, until cancelled. No failure of the API server ends it."""
        while True:
            await self.lease.acquire()
            try:
                await self._lead()
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

    async def _lead(self) -> None:
        """One term: everything is made anew and lasts until the Lease is lost or something fails."""
        references = References()
        endpoints: WorkQueue[Key] = self._queue("endpoint", lambda key: self._turn(reconciler, key))
        cache = WatchCache(self._api, self._settings.namespaces, endpoints.wake, self._telemetry)
        recorder = Recorder(self._api, FIELD_MANAGER, self._settings.identity)
        cluster = KubernetesCluster(self._api, cache, self.lease, recorder, self._telemetry)
        reconciler = Reconciler(
            cluster, self._routers, self._verdicts, self._clock, self._telemetry, self._reconcile_settings()
        )
        metric = MetricReconciler(cluster, self._verdicts, self._clock, references)
        metrics: WorkQueue[MetricKey] = self._queue("metric", metric.reconcile)
        loop = asyncio.get_running_loop()
        wakes = Wakes(loop.call_soon_threadsafe, endpoints, metrics, references, self._telemetry)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.lease.keep(), name="lease")
            group.create_task(cache.run(), name="children")
            group.create_task(self._watch(wakes), name="primaries")
            group.create_task(endpoints.run(), name="endpoints")
            group.create_task(metrics.run(), name="metrics")

    def _queue(self, name: str, work: Callable[[K], Awaitable[datetime | None]]) -> WorkQueue[K]:
        return WorkQueue(name, work, self._clock, self._telemetry, workers=self._settings.workers)

    async def _turn(self, reconciler: Reconciler, key: Key) -> datetime | None:
        return (await reconciler.reconcile(key)).requeue_at

    def _reconcile_settings(self) -> ReconcileSettings:
        return ReconcileSettings(router_image=self._settings.router_image, cluster_domain=self._settings.cluster_domain)

    async def _watch(self, wakes: Wakes) -> None:
        await self._kinds_known()
        await watch_primaries(wakes, self._connection(), self._settings.namespaces)

    async def _kinds_known(self) -> None:
        """Return once the API server knows our kinds; until then say what to do."""
        while True:
            try:
                known = await self._api.request("GET", f"/apis/{GROUP}")
                missing = KINDS - {str(resource["name"]) for resource in known["resources"]}
            except ClusterError as error:
                missing, told = KINDS, str(error)
            else:
                told = "the API server does not have them"
            if not missing:
                return
            logger.warning("waiting for the kinds %s of %s: %s; apply crds/", ", ".join(sorted(missing)), GROUP, told)
            await asyncio.sleep(RESTART_AFTER)

    def _connection(self) -> Callable[[], Awaitable[kopf.ConnectionInfo]]:
        """kopf asks from its own loop; our client answers in ours."""
        loop = asyncio.get_running_loop()

        async def connection() -> kopf.ConnectionInfo:
            asked = asyncio.run_coroutine_threadsafe(self._api.credentials(), loop)
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


async def serve(settings: Settings) -> None:
    """Run the serving controller until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    telemetry = PrometheusTelemetry()
    config = await configuration()
    async with (
        Api(config, telemetry) as api,
        analyzer_client(settings.analyzer_url) as analyzer,
        routers_client() as routers,
    ):
        serving = Serving(settings, api, analyzer, routers, telemetry)
        health = serving.health()
        async with probes(settings.listen_host, settings.listen_port, health, telemetry.registry) as port:
            logger.info("%s serves /healthz, /readyz and /metrics on port %d", settings.identity, port)
            working = asyncio.create_task(serving.run(), name="serving")
            working.add_done_callback(lambda _: stopped.set())
            await stopped.wait()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await serving.lease.release()
    if not working.cancelled() and (failure := working.exception()) is not None:
        raise failure


def main(arguments: list[str] | None = None) -> int:
    """`crossfade-operator serving`. Returns 0 after an orderly stop, 2 when it was not told how to start."""
    parser = argparse.ArgumentParser(prog="crossfade-operator", description="Crossfade's controllers.")
    parser.add_argument("side", choices=["serving", "learning"], help="which controller to run")
    if parser.parse_args(arguments).side == "learning":
        sys.stderr.write("crossfade-operator: there is no learning controller yet; run `crossfade-operator serving`\n")
        return 2
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        sys.stderr.write(f"crossfade-operator: {error}\n")
        return 2
    log_to_stderr(settings.log_level)
    quieten_kopf()
    collect_rarely()
    try:
        asyncio.run(serve(settings))
    except (NoCluster, CannotListen) as error:
        sys.stderr.write(f"crossfade-operator: {error}\n")
        return 2
    return 0


def collect_rarely() -> None:
    """Look for cyclic garbage less often, and never at what was imported."""
    gc.set_threshold(*COLLECT_AFTER)
    gc.freeze()


def _first(group: BaseExceptionGroup[NotLeader]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


if __name__ == "__main__":
    sys.exit(main())
