"""Which events wake which experiments and Metrics."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade_operator.handlers.learning.wakes import Wakes
from crossfade_operator.ports.cluster import Key
from crossfade_operator.ports.learning import Name
from crossfade_operator.runtime.learning.references import References
from tests.fakes.telemetry import FakeTelemetry

AB = Name("recs", "ab")


class Woken(list[Any]):
    """Stands in for a work queue."""

    def wake(self, key: object) -> None:
        self.append(key)


class Rig:
    def __init__(self) -> None:
        self.experiments, self.metrics, self.telemetry = Woken(), Woken(), FakeTelemetry()
        queues: Any = (self.experiments, self.metrics)
        self.wakes = Wakes(lambda call: call(), *queues, References(), self.telemetry)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def body(name: str, generation: int = 1, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "recs", "uid": f"uid-{name}", "generation": generation}, **more}


def experiment(*metrics: str, name: str = "ab", endpoint: str = "web", **more: Any) -> dict[str, Any]:
    spec = {"endpoint": endpoint, "design": {"metrics": [{"metric": metric} for metric in metrics]}}
    return body(name, spec=spec, **more)


def endpoint(**status: Any) -> dict[str, Any]:
    return body("web", status={"stableRevision": "v1", "route": {"generation": 1, "confirmedGeneration": 1}, **status})


def review(kind: str, name: str) -> dict[str, Any]:
    return body(f"review-of-{name}", spec={"subject": {"kind": kind, "name": name}})


def test_an_experiment_wakes_itself_and_the_metrics_it_begins_to_use(rig: Rig) -> None:
    rig.wakes.experiment("ADDED", experiment("error-rate", "plays@0123456789"))
    rig.wakes.experiment("MODIFIED", experiment("plays", "skips", generation=2))
    assert rig.experiments == [AB, AB]
    assert rig.metrics == [Name("recs", "plays"), Name("recs", "skips")]


def test_a_status_that_we_wrote_wakes_nobody(rig: Rig) -> None:
    rig.wakes.experiment("ADDED", experiment())
    rig.wakes.experiment("MODIFIED", experiment(status={"phase": "Running"}))
    assert rig.experiments == [AB]


@pytest.mark.parametrize(
    "news",
    [
        endpoint(ledger=[{"holder": "Experiment/ab"}]),
        endpoint(refusedRequests=[{"holder": "Experiment/ab"}]),
        endpoint(route={"generation": 2, "confirmedGeneration": 1}),
        endpoint(route={"generation": 2, "confirmedGeneration": 2}),
        endpoint(stableRevision="v2"),
    ],
    ids=["a grant", "a refusal", "a new route", "a confirmed route", "a promotion"],
)
def test_what_the_serving_side_says_wakes_the_experiments_of_that_endpoint(rig: Rig, news: dict[str, Any]) -> None:
    rig.wakes.experiment("ADDED", experiment())
    rig.wakes.experiment("ADDED", experiment(name="elsewhere", endpoint="ads"))
    rig.wakes.endpoint("ADDED", endpoint())
    rig.experiments.clear()
    rig.wakes.endpoint("MODIFIED", news)
    assert rig.experiments == [AB]


def test_what_the_serving_side_says_of_other_things_wakes_nobody(rig: Rig) -> None:
    rig.wakes.experiment("ADDED", experiment())
    rig.wakes.endpoint("ADDED", endpoint())
    rig.experiments.clear()
    rig.wakes.endpoint("MODIFIED", endpoint(readyReplicas=1, conditions=[{"type": "Ready"}]))
    assert rig.experiments == []


def test_pods_of_an_arm_wake_the_experiments_of_their_endpoint(rig: Rig) -> None:
    rig.wakes.experiment("ADDED", experiment())
    rig.wakes.wake_endpoint(Key("recs", "web"))
    assert rig.experiments == [AB, AB]


@pytest.mark.parametrize(
    ("subject", "woken"),
    [
        (("Experiment", "ab"), [AB]),
        (("Decision", "ab-exp-000003"), [AB]),
        (("Decision", "ranker-000003"), []),
        (("ModelRollout", "ab"), []),
    ],
    ids=["an experiment", "its Decision", "a rollout's Decision", "a rollout"],
)
def test_a_review_wakes_the_experiment_that_it_is_about(rig: Rig, subject: tuple[str, str], woken: list[Name]) -> None:
    rig.wakes.review("ADDED", review(*subject))
    assert rig.experiments == woken


def test_a_metric_wakes_itself_and_the_experiments_that_use_it(rig: Rig) -> None:
    rig.wakes.experiment("ADDED", experiment("plays"))
    rig.wakes.metric("MODIFIED", body("plays", 2))
    assert rig.experiments == [AB, AB]
    assert rig.metrics == [Name("recs", "plays"), Name("recs", "plays")]


def test_the_metrics_of_a_rollout_are_looked_after_too(rig: Rig) -> None:
    uses = {"strategy": {"analysis": {"metrics": [{"metric": "latency"}, {"metric": "plays"}]}}}
    rig.wakes.rollout("ADDED", body("ranker", spec=uses))
    assert (rig.metrics, rig.experiments) == ([Name("recs", "plays")], [])
    rig.wakes.rollout("DELETED", body("ranker", spec=uses))
    rig.wakes.rollout("ADDED", body("ranker", spec=uses))
    assert len(rig.metrics) == 2, "a deleted rollout uses no metric"


def test_a_deleted_experiment_is_nobodys_business_any_more(rig: Rig) -> None:
    rig.wakes.experiment("ADDED", experiment("plays"))
    rig.wakes.experiment("DELETED", experiment("plays"))
    rig.experiments.clear()
    rig.wakes.endpoint("MODIFIED", endpoint())
    rig.wakes.metric("MODIFIED", body("plays", 2))
    assert rig.experiments == []
    assert ("experiment_gone", (AB,), {}) in rig.telemetry.told
