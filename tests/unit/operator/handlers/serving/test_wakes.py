"""Which events wake which keys."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade_operator.handlers.serving.wakes import Wakes
from crossfade_operator.ports.cluster import Key
from tests.fakes.telemetry import FakeTelemetry


class Woken(list[Any]):
    """Stands in for a work queue."""

    def wake(self, key: object) -> None:
        self.append(key)


class Rig:
    def __init__(self) -> None:
        self.endpoints, self.telemetry = Woken(), FakeTelemetry()
        queue: Any = self.endpoints
        self.wakes = Wakes(lambda call: call(), queue, self.telemetry)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def body(name: str = "ranker", generation: int = 1, **more: Any) -> dict[str, Any]:
    annotations = more.pop("annotations", {})
    meta = {"name": name, "namespace": "recs", "uid": f"uid-{name}", "generation": generation}
    return {"metadata": {**meta, "annotations": annotations}, **more}


def rollout(name: str = "ranker", generation: int = 1, **more: Any) -> dict[str, Any]:
    return body(name, generation, spec={"endpoint": "web"}, **more)


def test_an_endpoint_wakes_itself(rig: Rig) -> None:
    rig.wakes.endpoint("ADDED", body())
    assert rig.endpoints == [Key("recs", "ranker")]


def test_a_rollout_wakes_its_endpoint(rig: Rig) -> None:
    rig.wakes.rollout("ADDED", rollout())
    assert rig.endpoints == [Key("recs", "web")]


@pytest.mark.parametrize(
    "changed",
    [
        rollout(generation=2),
        rollout(annotations={"crossfade.dev/promote": "1"}),
        {**rollout(), "metadata": {**rollout()["metadata"], "deletionTimestamp": "2026-03-01T12:00:00Z"}},
    ],
    ids=["its spec", "a request by annotation", "its deletion begins"],
)
def test_a_change_by_a_person_wakes(rig: Rig, changed: dict[str, Any]) -> None:
    rig.wakes.rollout("ADDED", rollout())
    rig.wakes.rollout("MODIFIED", changed)
    assert len(rig.endpoints) == 2


def test_a_status_that_we_wrote_wakes_nobody(rig: Rig) -> None:
    rig.wakes.rollout("ADDED", rollout())
    rig.wakes.rollout("MODIFIED", rollout(status={"phase": "Progressing"}))
    assert len(rig.endpoints) == 1


def test_what_a_list_finds_always_wakes_for_a_gap_may_lie_before_it(rig: Rig) -> None:
    rig.wakes.endpoint("ADDED", body())
    rig.wakes.endpoint(None, body())
    assert len(rig.endpoints) == 2


def test_a_deletion_wakes_and_a_namesake_is_new(rig: Rig) -> None:
    rig.wakes.endpoint("ADDED", body())
    rig.wakes.endpoint("DELETED", body())
    rig.wakes.endpoint("ADDED", body())
    assert len(rig.endpoints) == 3


def test_the_series_of_a_deleted_rollout_end(rig: Rig) -> None:
    rig.wakes.rollout("ADDED", rollout())
    rig.wakes.rollout("DELETED", rollout())
    assert ("rollout_gone", ("recs", "ranker"), {}) in rig.telemetry.told


def experiment(**status: Any) -> dict[str, Any]:
    return body("taste", spec={"endpoint": "web"}, status=status)


@pytest.mark.parametrize(
    ("changed", "wakes"),
    [
        pytest.param(experiment(sliceRequest={"id": "u/1"}), True, id="it asks for a slice"),
        pytest.param(experiment(decisionCount=1), True, id="it was decided"),
        pytest.param(experiment(look=7, message="looking"), False, id="it was looked at"),
    ],
)
def test_an_experiment_wakes_its_endpoint_when(rig: Rig, changed: dict[str, Any], wakes: bool) -> None:
    rig.wakes.experiment("ADDED", experiment())
    rig.wakes.experiment("MODIFIED", changed)
    assert rig.endpoints == [Key("recs", "web")] * (1 + wakes)


def test_an_experiment_that_is_deleted_wakes_its_endpoint(rig: Rig) -> None:
    rig.wakes.experiment("ADDED", experiment())
    rig.wakes.experiment("DELETED", experiment())
    assert rig.endpoints == [Key("recs", "web")] * 2


def review(kind: str, name: str) -> dict[str, Any]:
    return body("r1", spec={"subject": {"kind": kind, "name": name}})


@pytest.mark.parametrize(
    ("kind", "name", "wakes"),
    [
        pytest.param("ModelRollout", "ranker", True, id="of a rollout"),
        pytest.param("Decision", "ranker-000007", True, id="of a decision of one"),
        pytest.param("Experiment", "ranker", False, id="of an experiment of that name"),
        pytest.param("ModelRollout", "another", False, id="of a rollout that is not there"),
        pytest.param("Decision", "taste-exp-000001", False, id="of a decision of an experiment"),
    ],
)
def test_a_review_wakes_the_endpoint_of_a_rollout(rig: Rig, kind: str, name: str, wakes: bool) -> None:
    rig.wakes.rollout("ADDED", rollout())
    rig.wakes.review("ADDED", review(kind, name))
    assert rig.endpoints == [Key("recs", "web")] * (1 + wakes)
