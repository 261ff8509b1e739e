"""Metrics: does a data contract hold, and what did its revisions say? Asked when it changes, and while it is used."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from crossfade_analyzer.contract import ContractReport
from crossfade_analyzer.contract import Reason as AnalyzerReason
from crossfade_operator.api.metric import MetricSpec
from crossfade_operator.api.metric_status import MetricStatus
from crossfade_operator.core.conditions import Wanted, set_all
from crossfade_operator.core.planning import source_of
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.revision import revision_of
from crossfade_operator.ports.clock import Clock
from crossfade_operator.ports.cluster import Obj
from crossfade_operator.ports.learning import LearningCluster, Name
from crossfade_operator.ports.verdicts import ExperimentVerdicts, Unavailable
from crossfade_operator.runtime.learning.references import References

CHECK_EVERY = timedelta(minutes=10)
RETRY_AFTER = timedelta(seconds=30)


class MetricReconciler:
    """Writes a Metric's status, what the analyzer said of its series, and keeps every revision of it on record."""

    def __init__(
        self, cluster: LearningCluster, verdicts: ExperimentVerdicts, clock: Clock, references: References
    ) -> None:
        self._cluster = cluster
        self._verdicts = verdicts
        self._clock = clock
        self._references = references

    async def reconcile(self, name: Name) -> datetime | None:
        """Record and check one Metric. Returns when to check it again."""
        metric = (await self._cluster.metrics(name.namespace, [name.name])).get(name.name)
        if metric is None or metric["metadata"].get("deletionTimestamp"):
            return None
        spec = MetricSpec.model_validate(metric["spec"])
        await self._cluster.apply(record(metric, spec))
        report = await self._verdicts.check(source_of(spec))
        now = self._clock.now()
        await self._cluster.write_status(metric, status_after(metric, spec, report, now).manifest())
        if isinstance(report, Unavailable):
            return now + RETRY_AFTER
        return now + CHECK_EVERY if self._references.users(name) else None


def record(metric: Obj, spec: MetricSpec) -> dict[str, Any]:
    """The ControllerRevision that keeps one revision's spec, so that `name@revision` can be used after an edit.

    The Metric owns it: revisions of a deleted Metric are of no use to a new design, and running experiments hold the
    design in full. The API server lets nobody change its data.
    """
    meta, revision = metric["metadata"], revision_of(spec.manifest())
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"metric-{meta['name']}-{revision}",
            "namespace": meta["namespace"],
            "labels": {
                "app.kubernetes.io/managed-by": "crossfade",
                "crossfade.dev/component": "metric",
                "crossfade.dev/metric": meta["name"],
                "crossfade.dev/revision": revision,
            },
            "ownerReferences": [
                {"apiVersion": metric["apiVersion"], "kind": "Metric", "name": meta["name"], "uid": meta["uid"]}
            ],
        },
        "data": {"spec": spec.manifest()},
        "revision": meta["generation"],
    }


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
