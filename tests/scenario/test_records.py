"""Every decision has its object before anybody's share changes, and without it only a way back is taken."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade_operator.ports.cluster import Unreachable
from tests.scenario.parts import harmful, undecided
from tests.scenario.world import World, revision, rollout


@pytest.fixture
async def stepping() -> World:
    """v2 has its first slice."""
    world = World()
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    world.apply(rollout("v2"))
    await world.until_step(1)
    return world


def refuse(world: World, *names: str) -> None:
    """The API server refuses these Decisions, or all."""

    def sentence(obj: Any) -> str | None:
        refused = obj["kind"] == "Decision" and (not names or obj["metadata"]["name"] in names)
        return "admission webhook says no" if refused else None

    world.cluster.refuse = sentence


def ledger(world: World) -> list[tuple[str, int]]:
    return [(entry["arm"], entry["positions"]) for entry in world.endpoint_status["ledger"]]


async def test_every_decision_has_its_object_in_the_end(stepping: World) -> None:
    await stepping.until_phase("Promoted")
    objects = {obj["metadata"]["name"]: obj["spec"] for obj in stepping.cluster.all("Decision")}
    assert list(objects) == [decision.name for decision in stepping.status.decisions]
    assert [spec["action"] for spec in objects.values()] == stepping.actions
    last = objects[stepping.status.decisions[-1].name]
    assert last["supersedes"] == stepping.status.decisions[1].name
    assert last["previousRoute"]["decision"] == stepping.status.decisions[-2].name
    assert last["subject"]["modelDigest"].startswith("sha256:")
    assert last["designHash"].startswith("sha256:")
    assert stepping.endpoint_status["route"]["decision"] in objects


async def test_the_object_is_made_before_the_ledger_and_the_table(stepping: World) -> None:
    def grows(world: World) -> bool:
        return ("candidate", 100) in ledger(world)

    stepping.cluster.writes.clear()
    await stepping.run(until=lambda: grows(stepping))
    kinds = [(verb, kind) for verb, kind, _ in stepping.cluster.writes]
    made = kinds.index(("create", "Decision"))
    assert kinds[made - 1] == ("status", "ModelRollout")
    assert made < kinds.index(("status", "ModelEndpoint"), made) < kinds.index(("apply", "ConfigMap"), made)


async def test_no_share_grows_while_a_decision_cannot_be_put_on_record(stepping: World) -> None:
    refuse(stepping)
    before = stepping.endpoint_status["route"]
    await stepping.run(seconds=3600)
    assert ledger(stepping) == [("candidate", 10)]
    assert stepping.endpoint_status["route"] == before
    assert (stepping.status.phase, stepping.status.reason) == ("Holding", "DecisionNotRecorded")
    assert "admission webhook says no" in (stepping.status.message or "")
    assert stepping.status.decisions[-1].slice == "10%"
    told = [told for told in stepping.telemetry.told if told[0] == "decisions"][-1]
    assert told[2]["pending"] == 1
    stepping.cluster.refuse = lambda _: None
    await stepping.until_step(2)
    assert ledger(stepping) == [("candidate", 100)]


async def test_a_promotion_waits_for_its_record(stepping: World) -> None:
    await stepping.until_step(3)
    refuse(stepping)
    await stepping.run(seconds=3600)
    assert stepping.actions[-1] == "Promote"
    assert stepping.endpoint_status["stableRevision"] == revision("v1")
    assert ledger(stepping) == [("candidate", 500)]
    assert stepping.status.reason == "DecisionNotRecorded"
    stepping.cluster.refuse = lambda _: None
    await stepping.until_phase("Promoted")
    assert stepping.endpoint_status["stableRevision"] == revision("v2")


async def test_a_first_revision_serves_nobody_before_it_is_on_record() -> None:
    world = World()
    refuse(world)
    world.apply(rollout("v1"))
    await world.run(seconds=600)
    assert "stableRevision" not in world.endpoint_status
    world.cluster.refuse = lambda _: None
    await world.until_phase("Promoted")


@pytest.mark.parametrize("way_back", ["harm", "abort", "a newer template"])
async def test_the_way_back_waits_for_no_record(stepping: World, way_back: str) -> None:
    refuse(stepping)
    match way_back:
        case "harm":
            stepping.verdicts.judge = harmful
        case "abort":
            stepping.annotate("abort", "x")
        case _:
            stepping.apply(rollout("v3"))
    await stepping.run(seconds=60)
    assert ledger(stepping) == []
    name = stepping.status.decisions[-1].name
    assert stepping.cluster.get("Decision", "recs", name) is None
    assert "v3" not in str(stepping.deployed()) or stepping.status.candidate is None, "nothing new starts meanwhile"
    stepping.cluster.refuse = lambda _: None
    await stepping.run(seconds=60)
    assert stepping.cluster.get("Decision", "recs", name) is not None


async def test_an_outage_of_the_record_alone_takes_back_all_the_same(stepping: World) -> None:
    def down(verb: str, _kind: str) -> None:
        if verb == "create":
            raise Unreachable("the webhook timed out")

    stepping.cluster.fail = down
    stepping.verdicts.judge = harmful
    await stepping.run(seconds=60)
    assert ledger(stepping) == []


async def test_a_restart_makes_none_again(stepping: World) -> None:
    await stepping.until_phase("Promoted")
    await stepping.run(seconds=3600)
    assert stepping.status.decisions_recorded == stepping.status.decision_count
    stepping.restart()
    stepping.cluster.writes.clear()
    await stepping.run(seconds=60)
    assert [write for write in stepping.cluster.writes if write[0] in ("create", "status")] == []


async def test_a_namesake_goes_on_counting() -> None:
    world = World()
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    last = world.status.decisions[-1].name
    world.cluster.remove("ModelRollout", "recs", "ranker")
    world.apply(rollout("v2"))
    await world.until_phase("Promoted")
    first = world.status.decisions[0].name
    assert int(first[-6:]) == int(last[-6:]) + 1
    assert world.status.decisions_recorded == world.status.decision_count


async def test_a_step_that_proof_did_not_come_for_is_put_on_record_once(stepping: World) -> None:
    stepping.apply(rollout("v2", analysis={"interval": "10m", "inconclusiveAfter": "1h"}))
    stepping.verdicts.judge = undecided
    await stepping.run(seconds=3 * 3600)
    assert stepping.actions[-1] == "Hold"
    assert stepping.actions.count("Hold") == 1
    held = stepping.cluster.get("Decision", "recs", stepping.status.decisions[-1].name)
    assert held is not None
    assert (held["spec"]["recommendation"], held["spec"]["slice"]) == ("Hold", "1%")
    assert ledger(stepping) == [("candidate", 10)]
