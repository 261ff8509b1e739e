"""Metrics: what a report does to the status, and when the next check is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from crossfade_analyzer.contract import (
    ContractReport,
    CounterSource,
    ExperimentEvaluation,
    ExperimentPlan,
    ExperimentPlanRequest,
    ExperimentRequest,
    MetricSource,
    Reason,
)
from crossfade_operator.api.metric import MetricSpec
from crossfade_operator.core.revision import revision_of
from crossfade_operator.ports.learning import Name
from crossfade_operator.ports.verdicts import Unavailable
from crossfade_operator.runtime.learning.metrics import CHECK_EVERY, RETRY_AFTER, MetricReconciler
from crossfade_operator.runtime.learning.references import References, User
from tests.fakes.learning import FakeLearning

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = Name("recs", "empty")
RANKER = User("ModelRollout", Name("recs", "ranker"))
HOLDS = ContractReport(holds=True, message="two counters with arm and abucket")
BROKEN = ContractReport(holds=False, reason=Reason.CONTRACT_BROKEN, message="no label abucket")
SILENT = ContractReport(holds=False, reason=Reason.METRICS_UNAVAILABLE, message="Prometheus does not answer")
AWAY = Unavailable("the analyzer cannot be reached")


class Clock:
    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        return self.time


class Verdicts:
    def __init__(self) -> None:
        self.report: ContractReport | Unavailable = HOLDS
        self.asked: list[MetricSource] = []

    async def evaluate_experiment(self, request: ExperimentRequest) -> ExperimentEvaluation | Unavailable:
        raise NotImplementedError

    async def plan_experiment(self, request: ExperimentPlanRequest) -> ExperimentPlan | Unavailable:
        raise NotImplementedError

    async def check(self, source: MetricSource) -> ContractReport | Unavailable:
        self.asked.append(source)
        return self.report


class Rig:
    def __init__(self) -> None:
        self.verdicts, self.clock = Verdicts(), Clock()
        self.cluster = FakeLearning(self.clock.now)
        self.references = References()
        self.reconciler = MetricReconciler(self.cluster, self.verdicts, self.clock, self.references)

    def put(self, numerator: str = "empty_total") -> None:
        spec = {"type": "Count", "prometheus": {"numerator": numerator, "denominator": "requests_total"}}
        meta = {"name": "empty", "namespace": "recs"}
        self.cluster.put({"apiVersion": "crossfade.dev/v1alpha1", "kind": "Metric", "metadata": meta, "spec": spec})

    @property
    def status(self) -> dict[str, Any]:
        found = self.cluster.get("Metric", "recs", "empty")
        assert found is not None
        status: dict[str, Any] = found["status"]
        return status

    @property
    def ready(self) -> tuple[str, str, str]:
        (condition,) = self.status["conditions"]
        assert condition["type"] == "Ready"
        return condition["status"], condition["reason"], condition["message"]


@pytest.fixture
def rig() -> Rig:
    made = Rig()
    made.put()
    return made


@pytest.mark.parametrize(
    ("report", "status", "reason"),
    [
        pytest.param(HOLDS, "True", "ContractHolds", id="the contract holds"),
        pytest.param(BROKEN, "False", "ContractBroken", id="the contract is broken"),
        pytest.param(SILENT, "Unknown", "MetricsUnavailable", id="Prometheus does not answer"),
        pytest.param(AWAY, "Unknown", "AnalyzerUnavailable", id="the analyzer does not answer"),
    ],
)
async def test_a_report_becomes_the_condition(
    rig: Rig, report: ContractReport | Unavailable, status: str, reason: str
) -> None:
    rig.verdicts.report = report
    await rig.reconciler.reconcile(KEY)
    assert rig.ready == (status, reason, report.message)
    assert rig.status["observedGeneration"] == 1


async def test_the_analyzer_is_asked_about_the_series_of_the_spec(rig: Rig) -> None:
    await rig.reconciler.reconcile(KEY)
    assert rig.verdicts.asked == [CounterSource(numerator="empty_total", denominator="requests_total")]


async def test_a_metric_that_is_used_is_checked_every_ten_minutes_and_one_that_is_not_only_when_it_changes(
    rig: Rig,
) -> None:
    assert await rig.reconciler.reconcile(KEY) is None
    rig.references.uses(RANKER, frozenset({"empty"}))
    assert await rig.reconciler.reconcile(KEY) == NOON + CHECK_EVERY


async def test_an_analyzer_that_is_away_is_asked_again_soon(rig: Rig) -> None:
    rig.verdicts.report = AWAY
    assert await rig.reconciler.reconcile(KEY) == NOON + RETRY_AFTER


async def test_an_outage_of_the_analyzer_does_not_write_the_status_over_and_over(rig: Rig) -> None:
    rig.verdicts.report = AWAY
    await rig.reconciler.reconcile(KEY)
    first = rig.status
    rig.clock.time += RETRY_AFTER
    await rig.reconciler.reconcile(KEY)
    assert rig.status == first
    assert "checkedAt" not in first


async def test_another_spec_is_another_revision_of_the_contract(rig: Rig) -> None:
    await rig.reconciler.reconcile(KEY)
    first = rig.status["revision"]
    rig.put("other_total")
    await rig.reconciler.reconcile(KEY)
    assert rig.status["revision"] != first
    assert rig.status["observedGeneration"] == 2


async def test_the_time_of_the_transition_stays_while_the_condition_does(rig: Rig) -> None:
    await rig.reconciler.reconcile(KEY)
    rig.clock.time += CHECK_EVERY
    await rig.reconciler.reconcile(KEY)
    (condition,) = rig.status["conditions"]
    assert condition["lastTransitionTime"] == "2026-03-01T12:00:00.000000Z"
    assert rig.status["checkedAt"] == "2026-03-01T12:10:00.000000Z"


async def test_a_metric_that_is_gone_is_done_with(rig: Rig) -> None:
    rig.cluster.remove("Metric", "recs", "empty")
    assert await rig.reconciler.reconcile(KEY) is None
    assert rig.verdicts.asked == []


async def test_every_revision_stays_on_record_after_an_edit(rig: Rig) -> None:
    await rig.reconciler.reconcile(KEY)
    first = rig.status["revision"]
    rig.put("other_total")
    await rig.reconciler.reconcile(KEY)
    second = rig.status["revision"]
    kept = [await rig.cluster.metric_revision(KEY, revision) for revision in (first, second)]
    assert [spec["prometheus"]["numerator"] for spec in kept if spec] == ["empty_total", "other_total"]
    for revision, spec in zip((first, second), kept, strict=True):
        assert revision_of(MetricSpec.model_validate(spec).manifest()) == revision


async def test_a_revision_is_the_metrics_own_and_goes_with_it(rig: Rig) -> None:
    await rig.reconciler.reconcile(KEY)
    rig.cluster.remove("Metric", "recs", "empty")
    assert rig.cluster.all("ControllerRevision") == []


async def test_a_revision_is_recorded_although_the_analyzer_is_away(rig: Rig) -> None:
    rig.verdicts.report = AWAY
    await rig.reconciler.reconcile(KEY)
    assert len(rig.cluster.all("ControllerRevision")) == 1
