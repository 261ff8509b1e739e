"""Experiments get slices of their own, keep them as they are, and leave nothing behind."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from crossfade_operator.core.experiment.holding import FINALIZER
from crossfade_operator.core.routing import name_of_arm
from tests.fakes.cluster import Crash
from tests.scenario.world import World, endpoint, experiment, revision, rollout

ARMS = ("taste.control", "taste.treatment")


@pytest.fixture
async def settled() -> World:
    """v1 serves everyone, and nothing moves."""
    world = World()
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    await world.run(seconds=60)
    return world


def entries(world: World, arm: str = "experiment") -> list[dict[str, Any]]:
    return [entry for entry in world.endpoint_status["ledger"] if entry["arm"] == arm]


def positions(found: list[dict[str, Any]]) -> set[int]:
    return {place for one in found for span in one["ranges"] for place in range(span["from"], span["to"] + 1)}


def refused(world: World) -> dict[str, str]:
    return {one["holder"]: one["message"] for one in world.endpoint_status.get("refusedRequests", [])}


def route(world: World) -> dict[str, Any]:
    return dict(world.endpoint_status["route"])


def files(world: World) -> dict[str, str]:
    table = world.cluster.get("ConfigMap", "recs", "ranker-router")
    assert table is not None
    return dict(table["data"])


def without_name(text: str, world: World) -> str:
    """A file without the generation and the decision's name, which tell one table from another."""
    found = route(world)
    said = json.dumps({"generation": found["generation"]})[1:-1]
    bare = text.replace(said.replace('"', '\\"'), "").replace(found["decision"], "")
    return re.sub('"version_info":"[0-9a-f]*"', "", bare)


def services(world: World) -> list[dict[str, Any]]:
    """The Services of arms."""
    return [one for one in world.cluster.all("Service") if "crossfade.dev/arm" in one["metadata"]["labels"]]


async def granted(world: World, name: str = "taste") -> None:
    await world.run(until=lambda: any(one["holder"] == f"Experiment/{name}" for one in entries(world)))
    await world.run(seconds=5)


async def test_an_experiment_gets_what_it_asks_for(settled: World) -> None:
    settled.ask(experiment())
    await granted(settled)
    found = entries(settled)
    assert [(one["label"], one["positions"], one["request"]) for one in found] == [
        (arm, 100, "taste/1") for arm in ARMS
    ]
    assert [one["revision"] for one in found] == [revision("v1"), revision("v9")]
    assert len(positions(found)) == 200
    assert 10 <= sum(len(one["ranges"]) for one in found) <= 24, "some tens of ranges"
    assert {one["generation"] for one in found} == {route(settled)["generation"]}
    assert route(settled)["confirmedGeneration"] == route(settled)["generation"]
    assert route(settled)["decision"] == "taste-exp-000001"
    assert refused(settled) == {}


async def test_its_arms_are_announced_and_reached_before_anybody_is_sent_there(settled: World) -> None:
    treatment = name_of_arm("taste.treatment", revision("v9"))
    settled.routers.unreached.add(treatment)
    before = settled.endpoint_status["ledger"]
    settled.ask(experiment())
    await settled.run(seconds=60)
    assert settled.endpoint_status["ledger"] == before
    assert treatment in route(settled)["revisions"]
    assert refused(settled) == {}
    settled.routers.unreached.clear()
    await granted(settled)


async def test_its_services_lead_to_its_own_pods(settled: World) -> None:
    settled.ask(experiment())
    await granted(settled)
    found = services(settled)
    assert sorted(one["spec"]["selector"]["crossfade.dev/arm"] for one in found) == ["control", "treatment"]
    for one in found:
        assert one["spec"]["selector"] == {
            "crossfade.dev/component": "arm",
            "crossfade.dev/experiment": "taste",
            "crossfade.dev/arm": one["metadata"]["labels"]["crossfade.dev/arm"],
            "crossfade.dev/revision": one["metadata"]["labels"]["crossfade.dev/revision"],
        }
        assert one["spec"]["clusterIP"] == "None"
        assert one["metadata"]["ownerReferences"][0]["kind"] == "ModelEndpoint"


async def test_without_a_decision_to_run_nobody_is_sent_there(settled: World) -> None:
    settled.cluster.put(experiment())
    await settled.run(seconds=60)
    assert entries(settled) == []
    assert "no Decision to run" in refused(settled)["Experiment/taste"]


async def test_an_experiment_that_stops_leaves_the_table_as_it_was(settled: World) -> None:
    settled.apply(endpoint(policy={"coolDown": "1h"}))
    await settled.run(seconds=5)
    before, name = files(settled), route(settled)
    plain = {file: without_name(text, settled) for file, text in before.items()}
    settled.ask(experiment())
    await granted(settled)
    held = positions(entries(settled))
    settled.stop("taste")
    await settled.run(seconds=60)
    assert entries(settled) == []
    assert {file: without_name(text, settled) for file, text in files(settled).items()} == plain
    assert route(settled)["digest"] == name["digest"]
    assert route(settled)["decision"] == "taste-exp-000002"
    assert services(settled) == []
    (cooling,) = entries(settled, "cooldown")
    assert positions([cooling]) == held
    assert cooling["holder"] == "Experiment/taste"
    await settled.run(seconds=3600)
    assert settled.endpoint_status["ledger"] == []


async def test_its_arms_stay_known_until_no_router_sends_anybody_there(settled: World) -> None:
    settled.ask(experiment())
    await granted(settled)
    settled.routers.deaf = set(settled.routers.running)
    settled.stop("taste")
    await settled.run(seconds=30)
    assert name_of_arm("taste.control", revision("v1")) in route(settled)["revisions"]
    assert (
        len([one for one in settled.cluster.all("Service") if one["metadata"]["labels"].get("crossfade.dev/arm")]) == 2
    )
    settled.routers.deaf.clear()
    await settled.run(seconds=30)
    assert route(settled)["revisions"] == [revision("v1")]


async def test_a_deleted_experiment_gives_its_slice_back(settled: World) -> None:
    settled.ask(experiment())
    await granted(settled)
    settled.cluster.remove("Experiment", "recs", "taste")
    await settled.run(seconds=60)
    assert entries(settled) == []
    assert route(settled)["decision"] == "taste-exp-000001", "the newest decision about it that there is"


async def test_a_deleted_experiment_keeps_its_slice_while_the_learning_side_holds_it(settled: World) -> None:
    settled.ask(experiment())
    await granted(settled)
    held = settled.cluster.get("Experiment", "recs", "taste")
    assert held is not None
    held["metadata"] |= {"deletionTimestamp": "2026-03-01T12:00:00Z", "finalizers": [FINALIZER]}
    await settled.run(seconds=60)
    assert entries(settled) != []
    held["metadata"]["finalizers"] = ["foregroundDeletion"]
    await settled.run(seconds=60)
    assert entries(settled) == []


async def test_another_run_gives_back_first_and_is_drawn_anew_elsewhere(settled: World) -> None:
    settled.ask(experiment())
    await granted(settled)
    first = positions(entries(settled))
    settled.ask(experiment(run=2))
    await settled.run(until=lambda: bool(entries(settled)) and entries(settled)[0]["request"] == "taste/2")
    assert not positions(entries(settled)) & first, "who took part rests"


async def test_a_second_experiment_gets_what_is_left_and_a_third_is_refused(settled: World) -> None:
    for name in ("taste", "smell", "touch"):
        settled.ask(experiment(name, positions=200))
        await settled.run(seconds=30)
    assert {one["holder"] for one in entries(settled)} == {"Experiment/taste", "Experiment/smell"}
    assert len(positions(entries(settled))) == 400
    assert refused(settled) == {
        "Experiment/touch": "a slice of 20% does not fit: experiments may hold 50% together"
        " (policy.maxExperimentSlice), Experiment/taste holds 20%, Experiment/smell holds 20%, 10% is free"
    }
    settled.stop("taste")
    await granted(settled, "touch")
    assert refused(settled) == {}


async def test_a_granted_slice_never_changes_whatever_happens_beside_it(settled: World) -> None:
    settled.ask(experiment())
    await granted(settled)
    before = entries(settled)
    settled.apply(rollout("v2"))
    await settled.until_step(3)
    assert entries(settled) == before
    settled.apply(endpoint(holdout={"slice": "5%", "until": "2027-01-01T00:00:00Z"}, policy={"stableFloor": "40%"}))
    await settled.until_phase("Promoted")
    settled.ask(experiment("smell", positions=50))
    await settled.run(seconds=60)
    assert [one for one in entries(settled) if one["holder"] == "Experiment/taste"] == before


async def test_a_candidate_grows_around_an_experiment_and_is_told_who_is_in_the_way(settled: World) -> None:
    settled.ask(experiment(positions=480))
    await granted(settled)
    settled.apply(rollout("v2"))
    await settled.until_step(2)
    candidate = positions(entries(settled, "candidate"))
    assert len(candidate) == 100
    assert not candidate & positions(entries(settled))
    await settled.run(until=lambda: settled.status.reason == "NoFreePositions")
    assert "Experiment/taste holds 48%" in (settled.status.message or "")


async def test_experiments_users_are_nobodys_control(settled: World) -> None:
    settled.ask(experiment(positions=200))
    await granted(settled)
    settled.apply(rollout("v2"))
    await settled.run(until=lambda: bool(settled.verdicts.asked))
    asked = settled.verdicts.asked[-1]
    assert (asked.control.label, asked.candidate.label) == ("stable", "candidate")
    assert float(asked.step.share) == pytest.approx(10 / 800)


async def test_a_holdout_that_comes_later_waits_for_its_positions(settled: World) -> None:
    settled.ask(experiment(positions=480))
    await granted(settled)
    settled.apply(endpoint(holdout={"slice": "30%", "until": "2027-01-01T00:00:00Z"}))
    await settled.run(seconds=60)
    assert entries(settled, "holdout") == []
    assert "Experiment/taste holds some of them" in refused(settled)["Holdout"]
    settled.stop("taste")
    await settled.run(seconds=60)
    assert [one["positions"] for one in entries(settled, "holdout")] == [300]
    assert refused(settled) == {}


async def test_a_controller_that_is_killed_anywhere_grants_once(settled: World) -> None:
    settled.ask(experiment())
    for writes in range(1, 12):
        left = [writes]

        def die(_verb: str, _kind: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Crash

        settled.cluster.fail = die
        for _ in range(3):
            await settled.turn()
        settled.clock.time += timedelta(seconds=1)
    settled.cluster.fail = lambda _verb, _kind: None
    await granted(settled)
    assert len(positions(entries(settled))) == 200
    assert len(entries(settled)) == 2
