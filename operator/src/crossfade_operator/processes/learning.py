"""`crossfade-operator learning`: the controller of experiments, which can ask for users but never route one."""

from __future__ import annotations

import asyncio

import httpx

from crossfade_operator.adapters.analyzer import AnalyzerVerdicts, analyzer_client
from crossfade_operator.adapters.api import Api, configuration
from crossfade_operator.adapters.events import Recorder
from crossfade_operator.adapters.kubernetes import KubernetesCluster
from crossfade_operator.adapters.learning import ARM_KINDS, ARM_SELECTOR, FIELD_MANAGER, KubernetesLearning
from crossfade_operator.adapters.watchcache import WatchCache
from crossfade_operator.handlers.learning.primaries import REGISTRY
from crossfade_operator.handlers.learning.wakes import Wakes
from crossfade_operator.handlers.watching import watch_primaries
from crossfade_operator.ports.learning import Name
from crossfade_operator.processes.side import Side, run_until_stopped
from crossfade_operator.runtime.learning.metrics import MetricReconciler
from crossfade_operator.runtime.learning.reconcile import ExperimentReconciler
from crossfade_operator.runtime.learning.records import ALL, RecordKeeper
from crossfade_operator.runtime.learning.references import References
from crossfade_operator.runtime.queue import WorkQueue
from crossfade_operator.settings import LearningSettings
from crossfade_operator.telemetry_experiments import LearningTelemetry


class Learning(Side):
    """The learning controller."""

    kinds = frozenset({"experiments", "metrics", "modelendpoints", "modelrollouts", "decisions", "reviews"})

    def __init__(
        self, settings: LearningSettings, api: Api, analyzer: httpx.AsyncClient, telemetry: LearningTelemetry
    ) -> None:
        super().__init__(settings, api, telemetry)
        self._telemetry: LearningTelemetry = telemetry
        self._verdicts = AnalyzerVerdicts(analyzer, telemetry)
        self._arm_priority_class = settings.arm_priority_class

    async def lead(self) -> None:
        references = References()
        experiments: WorkQueue[Name] = self.queue("experiment", lambda name: reconciler.reconcile(name))
        metrics: WorkQueue[Name] = self.queue("metric", lambda name: metric.reconcile(name))
        records: WorkQueue[str] = self.queue("records", lambda key: keeper.sweep(key))
        post = asyncio.get_running_loop().call_soon_threadsafe
        wakes = Wakes(post, experiments, metrics, references, self._telemetry)
        cache = WatchCache(
            self.api,
            self.settings.namespaces,
            wakes.wake_endpoint,
            self._telemetry,
            kinds=ARM_KINDS,
            selector=ARM_SELECTOR,
        )
        cluster = self._cluster(cache)
        reconciler = ExperimentReconciler(
            cluster, self._verdicts, self.clock, self._telemetry, self._arm_priority_class
        )
        metric = MetricReconciler(cluster, self._verdicts, self.clock, references)
        keeper = RecordKeeper(cluster, self.clock, self._telemetry)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.lease.keep(), name="lease")
            group.create_task(cache.run(), name="arms")
            group.create_task(self._watch(wakes, records), name="primaries")
            group.create_task(experiments.run(), name="experiments")
            group.create_task(metrics.run(), name="metrics")
            group.create_task(records.run(), name="records")

    def _cluster(self, cache: WatchCache) -> KubernetesLearning:
        recorder = Recorder(self.api, FIELD_MANAGER, self.settings.identity)
        objects = KubernetesCluster(self.api, cache, self.lease, recorder, self._telemetry, field_manager=FIELD_MANAGER)
        return KubernetesLearning(self.api, cache, objects, self.settings.namespaces)

    async def _watch(self, wakes: Wakes, records: WorkQueue[str]) -> None:
        await self.kinds_known()
        records.wake(ALL)
        await watch_primaries(REGISTRY, wakes, self.connection(), self.settings.namespaces)


async def learn(settings: LearningSettings) -> None:
    """Run the learning controller until SIGTERM or SIGINT."""
    telemetry = LearningTelemetry()
    config = await configuration()
    async with Api(config, telemetry) as api, analyzer_client(settings.analyzer_url) as analyzer:
        await run_until_stopped(Learning(settings, api, analyzer, telemetry), telemetry)
