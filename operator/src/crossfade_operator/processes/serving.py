"""`crossfade-operator serving`: the controller that alone changes what users are served."""

from __future__ import annotations

import asyncio
from datetime import datetime

import httpx

from crossfade_operator.adapters.analyzer import AnalyzerVerdicts, analyzer_client
from crossfade_operator.adapters.api import Api, configuration
from crossfade_operator.adapters.events import Recorder
from crossfade_operator.adapters.kubernetes import FIELD_MANAGER, KubernetesCluster
from crossfade_operator.adapters.routers import HttpRouters, routers_client
from crossfade_operator.adapters.watchcache import WatchCache
from crossfade_operator.handlers.serving.primaries import REGISTRY
from crossfade_operator.handlers.serving.wakes import Wakes
from crossfade_operator.handlers.watching import watch_primaries
from crossfade_operator.ports.cluster import Key
from crossfade_operator.processes.side import Side, run_until_stopped
from crossfade_operator.runtime.queue import WorkQueue
from crossfade_operator.runtime.reconcile import Reconciler, ReconcileSettings
from crossfade_operator.settings import ServingSettings
from crossfade_operator.telemetry import PrometheusTelemetry


class Serving(Side):
    """The serving controller."""

    kinds = frozenset({"modelendpoints", "modelrollouts", "metrics", "experiments", "decisions", "reviews"})

    def __init__(
        self,
        settings: ServingSettings,
        api: Api,
        analyzer: httpx.AsyncClient,
        routers: httpx.AsyncClient,
        telemetry: PrometheusTelemetry,
    ) -> None:
        super().__init__(settings, api, telemetry)
        self._telemetry: PrometheusTelemetry = telemetry
        self._reconcile_settings = ReconcileSettings(
            router_image=settings.router_image,
            router_pull_policy=settings.router_pull_policy,
            cluster_domain=settings.cluster_domain,
        )
        self._verdicts = AnalyzerVerdicts(analyzer, telemetry)
        self._routers = HttpRouters(routers, telemetry)

    async def lead(self) -> None:
        endpoints: WorkQueue[Key] = self.queue("endpoint", lambda key: self._turn(reconciler, key))
        cache = WatchCache(self.api, self.settings.namespaces, endpoints.wake, self._telemetry)
        recorder = Recorder(self.api, FIELD_MANAGER, self.settings.identity)
        cluster = KubernetesCluster(self.api, cache, self.lease, recorder, self._telemetry)
        reconciler = Reconciler(
            cluster, self._routers, self._verdicts, self.clock, self._telemetry, self._reconcile_settings
        )
        wakes = Wakes(asyncio.get_running_loop().call_soon_threadsafe, endpoints, self._telemetry)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.lease.keep(), name="lease")
            group.create_task(cache.run(), name="children")
            group.create_task(self._watch(wakes), name="primaries")
            group.create_task(endpoints.run(), name="endpoints")

    async def _turn(self, reconciler: Reconciler, key: Key) -> datetime | None:
        return (await reconciler.reconcile(key)).requeue_at

    async def _watch(self, wakes: Wakes) -> None:
        await self.kinds_known()
        await watch_primaries(REGISTRY, wakes, self.connection(), self.settings.namespaces)


async def serve(settings: ServingSettings) -> None:
    """Run the serving controller until SIGTERM or SIGINT."""
    telemetry = PrometheusTelemetry()
    config = await configuration()
    async with (
        Api(config, telemetry) as api,
        analyzer_client(settings.analyzer_url) as analyzer,
        routers_client() as routers,
    ):
        await run_until_stopped(Serving(settings, api, analyzer, routers, telemetry), telemetry)
