"""Metrics: does a data contract hold? Asked when it changes, and every ten minutes while a rollout uses it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from crossfade_analyzer.contract import ContractReport
from crossfade_analyzer.contract import Reason as AnalyzerReason
from crossfade_operator.api.metric import MetricSpec
from crossfade_operator.api.metric_status import MetricStatus
from crossfade_operator.core.conditions import Wanted, set_all
from crossfade_operator.core.planning import source_of
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.revision import revision_of
from crossfade_operator.ports.clock import Clock
from crossfade_operator.ports.cluster import Cluster, Obj
from crossfade_operator.ports.verdicts import Unavailable, Verdicts

CHECK_EVERY = timedelta(minutes=10)
RETRY_AFTER = timedelta(seconds=30)


@dataclass(frozen=True, order=True)
class MetricKey:
    """One Metric."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class References:
    """Which rollouts use which Metrics. What it forgets too late only costs a check."""

    def __init__(self) -> None:
        self._uses: dict[tuple[str, str], frozenset[str]] = {}

    def set(self, namespace: str, rollout: str, metrics: frozenset[str]) -> set[MetricKey]:
        """The rollout's metrics as they are now; returns those that it did not use before."""
        before = self._uses.pop((namespace, rollout), frozenset())
        if metrics:
            self._uses[namespace, rollout] = metrics
        return {MetricKey(namespace, name) for name in metrics - before}

    def used(self, key: MetricKey) -> bool:
        return any(key.name in uses for (namespace, _), uses in self._uses.items() if namespace == key.namespace)


class MetricReconciler:
    """Writes a Metric's status: what the analyzer said of its series."""

    def __init__(self, cluster: Cluster, verdicts: Verdicts, clock: Clock, references: References) -> None:
        self._cluster = cluster
        self._verdicts = verdicts
        self._clock = clock
        self._references = references

    async def reconcile(self, key: MetricKey) -> datetime | None:
        """Check one Metric. Returns when to check it again."""
        metric = (await self._cluster.metrics(key.namespace, [key.name])).get(key.name)
        if metric is None or metric["metadata"].get("deletionTimestamp"):
            return None
        spec = MetricSpec.model_validate(metric["spec"])
        report = await self._verdicts.check(source_of(spec))
        now = self._clock.now()
        await self._cluster.write_status(metric, status_after(metric, spec, report, now).manifest())
        if isinstance(report, Unavailable):
            return now + RETRY_AFTER
        return now + CHECK_EVERY if self._references.used(key) else None


def status_after(metric: Obj, spec: MetricSpec, report: ContractReport | Unavailable, now: datetime) -> MetricStatus:
    """The status that tells of one report. An analyzer that cannot be asked leaves the contract unknown, not broken."""
    before = MetricStatus.model_validate(metric.get("status") or {})
    generation = metric["metadata"]["generation"]
    holds, reason = _judged(report)
    wanted = Wanted("Ready", holds, reason, report.message)
    return MetricStatus(
        observed_generation=generation,
        revision=revision_of(spec.manifest()),
        checked_at=before.checked_at if isinstance(report, Unavailable) else now,
        conditions=set_all(before.conditions, [wanted], generation=generation, now=now),
    )


def _judged(report: ContractReport | Unavailable) -> tuple[bool | None, Reason]:
    if isinstance(report, Unavailable):
        return None, Reason.ANALYZER_UNAVAILABLE
    if report.holds:
        return True, Reason.CONTRACT_HOLDS
    if report.reason is AnalyzerReason.CONTRACT_BROKEN:
        return False, Reason.CONTRACT_BROKEN
    return None, Reason.METRICS_UNAVAILABLE
