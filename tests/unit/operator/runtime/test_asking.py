"""Which experiments ask for what, by which decision, and who asked first."""

from __future__ import annotations

from typing import Any

from crossfade_operator.api.modelendpoint_status import LedgerArm, LedgerEntry, ModelEndpointStatus, RefusedRequest
from crossfade_operator.runtime.asking import decisions, latest, requests
from tests.fakes.cluster import FakeCluster
from tests.scenario.world import experiment

NOTHING = ModelEndpointStatus()


def asking(name: str = "taste", **fields: Any) -> dict[str, Any]:
    made = experiment(name, **fields)
    return {**made, "metadata": {**made["metadata"], "uid": f"uid-{name}"}}


def decision(number: int, action: str, name: str = "taste", uid: str | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "crossfade.dev/v1alpha1",
        "kind": "Decision",
        "metadata": {"name": f"{name}-exp-{number:06d}", "namespace": "recs"},
        "spec": {"action": action, "subject": {"kind": "Experiment", "name": name, "uid": uid or f"uid-{name}"}},
    }


def holding(*names: str, run: int = 1) -> ModelEndpointStatus:
    entries = tuple(
        LedgerEntry(
            holder=f"Experiment/{name}", arm=LedgerArm.EXPERIMENT, request=f"{name}/{run}", positions=0, ranges=()
        )
        for name in names
    )
    return ModelEndpointStatus(ledger=entries)


async def found(status: ModelEndpointStatus, *experiments: dict[str, Any], made: Any = ()) -> Any:
    cluster = FakeCluster()
    for one in made:
        cluster.put(one)
    return await decisions(cluster, "recs", experiments, status)


async def test_a_request_carries_its_newest_run_decision() -> None:
    made = await found(
        NOTHING, asking(), made=[decision(1, "Run"), decision(2, "Stop"), decision(3, "Run"), decision(4, "Hold")]
    )
    (request,) = requests([asking()], NOTHING, made)
    assert (request.holder, request.id, request.decision) == ("Experiment/taste", "taste/1", "taste-exp-000003")
    assert latest(made) == {"Experiment/taste": "taste-exp-000004"}


async def test_a_namesakes_decision_is_not_its_own() -> None:
    made = await found(NOTHING, asking(), made=[decision(1, "Run", uid="uid-of-another")])
    (request,) = requests([asking()], NOTHING, made)
    assert request.decision is None


async def test_decisions_are_read_only_where_something_changes() -> None:
    assert await found(holding("taste"), asking()) == {}
    assert list(await found(holding("taste", run=2), asking())) == ["Experiment/taste"]
    assert list(await found(holding("gone"))) == ["Experiment/gone"]


def test_an_experiment_that_asks_for_nothing_is_passed_over() -> None:
    assert requests([{**asking(), "status": {}}], NOTHING, {}) == ()


def test_whoever_was_refused_keeps_the_place() -> None:
    refused = (RefusedRequest(holder="Experiment/b", request="b/1", message="full"),)
    ordered = requests([asking("a"), asking("b"), asking("c")], ModelEndpointStatus(refused_requests=refused), {})
    assert [one.holder for one in ordered] == ["Experiment/b", "Experiment/a", "Experiment/c"]
