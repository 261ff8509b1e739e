"""Reach waits for gates, deploying does not; and what is done against the evidence takes more than one person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crossfade_operator.api.meta import rfc3339
from tests.scenario.parts import harmful, undecided
from tests.scenario.world import START, World, endpoint, experiment, revision, rollout

STEPS = [
    {"slice": "1%", "hold": "1m", "minRequests": 100},
    {"slice": "5%", "hold": "1m", "minRequests": 100},
    {"slice": "50%", "hold": "1m", "minRequests": 100},
]
GATED: dict[str, Any] = {"gates": [{"experiment": "taste"}], "steps": STEPS}


async def with_candidate(**spec: Any) -> World:
    """v1 serves everyone, and v2 is on its way."""
    world = World()
    world.apply(rollout("v1", **spec))
    await world.until_phase("Promoted")
    world.apply(rollout("v2", **spec))
    await world.until_step(1)
    return world


def conclude(world: World, action: str, model: str | None, **spec: Any) -> str:
    """An experiment ends."""
    usual: dict[str, Any] = {
        "subject": {"modelDigest": model} if model else {},
        "basis": "Evidence",
        "actor": "ana",
        "rule": "experiment@1",
        "reason": "Decided",
        "at": rfc3339(world.clock.time),
        "expiresAt": rfc3339(world.clock.time + timedelta(days=30)),
        "retainUntil": rfc3339(START + timedelta(days=730)),
    }
    return world.decide_on("taste", action, **{**usual, **spec})


def model_of_candidate(world: World) -> str:
    made = world.status.decisions[-1].model_digest
    assert made is not None
    return made


def slices(world: World) -> list[tuple[str, int]]:
    return [(entry["arm"], entry["positions"]) for entry in world.endpoint_status["ledger"]]


def events(world: World, reason: str) -> list[str]:
    return [message for _, _, told, message in world.cluster.events if told == reason]


# Gates ---------------------------------------------------------------------------------------------------------


async def test_a_candidate_takes_the_small_steps_and_waits_with_the_large_one() -> None:
    world = await with_candidate(**GATED)
    await world.run(until=lambda: world.status.reason == "GateNotMet")
    assert slices(world) == [("candidate", 50)]
    assert "gate experiment taste: it is not decided yet" in (world.status.message or "")
    await world.run(seconds=1800)
    assert slices(world) == [("candidate", 50)]
    conclude(world, "Ship", model_of_candidate(world))
    await world.until_phase("Promoted")
    assert world.status.stable_revision == revision("v2")


async def test_a_rollout_that_leaves_the_endpoints_way_gets_no_users_until_it_follows_it() -> None:
    asked = {"mirror": "Required", "guardrails": ["error-rate", "latency"], "minHold": "5m"}
    world = World()
    world.apply(endpoint(policy={"evaluation": asked}))
    world.apply(rollout("v1", steps=STEPS))
    await world.until_phase("Promoted")
    world.apply(rollout("v2", steps=STEPS))
    await world.run(until=lambda: world.status.reason == "PolicyNotMet")
    assert "begin with a step that has mirror: true" in (world.status.message or "")
    copies = {"slice": "5%", "hold": "1m", "mirror": True}
    world.apply(rollout("v2", steps=[copies, *STEPS]))
    await world.run(until=lambda: "guardrails" in (world.status.message or ""))
    assert "give latency the role Guardrail" in (world.status.message or "")
    metrics = [
        {"metric": "error-rate", "role": "Guardrail", "margin": {"absolute": "1%"}},
        {"metric": "latency", "role": "Guardrail", "margin": {"relative": "10%"}},
    ]
    world.apply(rollout("v2", steps=[copies, *STEPS], analysis={"metrics": metrics}))
    await world.run(until=lambda: "minHold" in (world.status.message or ""))
    assert "hold for 5m together, not 0:03:00" in (world.status.message or "")
    assert (world.status.phase, world.status.candidate, slices(world)) == ("Refused", None, [])
    assert set(world.deployed()) == {revision("v1")}, "nothing is brought up for it"
    world.apply(rollout("v2", steps=[copies, *STEPS[:2], {**STEPS[2], "hold": "3m"}], analysis={"metrics": metrics}))
    await world.until_phase("Promoted")
    assert world.status.stable_revision == revision("v2")


async def test_a_way_that_is_cut_short_on_the_way_ends_there() -> None:
    world = World()
    world.apply(endpoint(policy={"evaluation": {"minHold": "3m"}}))
    world.apply(rollout("v1", steps=STEPS))
    await world.until_phase("Promoted")
    world.apply(rollout("v2", steps=STEPS))
    await world.until_step(1)
    world.apply(rollout("v2", steps=[{**step, "hold": "0s"} for step in STEPS]))
    await world.run(until=lambda: world.status.reason == "PolicyNotMet")
    await world.run(seconds=1800)
    assert slices(world) == [("candidate", 10)]


async def test_a_ship_of_another_model_opens_nothing_and_says_both() -> None:
    world = await with_candidate(**GATED)
    conclude(world, "Ship", "sha256:of-something-else")
    await world.run(until=lambda: world.status.reason == "GateNotMet")
    await world.run(seconds=600)
    assert slices(world) == [("candidate", 50)]
    assert "sha256:of-something-else" in (world.status.message or "")
    assert model_of_candidate(world) in (world.status.message or "")


async def test_an_image_that_was_swapped_after_the_decision_is_rolled_back() -> None:
    """The tag is the same, what the registry gives is not; seen between two steps."""
    world = await with_candidate(**GATED)
    conclude(world, "Ship", model_of_candidate(world))
    await world.until_step(3)
    world.pulled[revision("v2")] = "v2-but-another"
    await world.until_phase("RolledBack")
    assert world.status.reason == "ModelChanged"
    assert "when it got its first users" in (world.status.message or "")
    assert slices(world) == []
    assert world.status.stable_revision == revision("v1")


async def test_an_image_that_was_swapped_needs_no_gate_to_be_noticed() -> None:
    world = await with_candidate()
    await world.until_step(2)
    world.pulled[revision("v2")] = "v2-but-another"
    await world.until_phase("RolledBack")
    assert world.status.reason == "ModelChanged"
    await world.run(until=lambda: world.status.candidate is None)
    world.annotate("retry", "what it is now")
    await world.until_phase("Promoted")


async def test_a_ship_that_expires_closes_the_gate_again() -> None:
    world = await with_candidate(**GATED)
    conclude(world, "Ship", model_of_candidate(world), expiresAt=rfc3339(world.clock.time + timedelta(minutes=4)))
    await world.until_step(3)
    world.verdicts.judge = undecided
    await world.run(until=lambda: world.status.reason == "GateNotMet")
    assert "expired at" in (world.status.message or "")


async def test_a_ship_of_a_deleted_experiment_opens_no_gate_for_the_one_that_has_its_name_now() -> None:
    world = await with_candidate(**GATED)
    conclude(world, "Ship", model_of_candidate(world))
    world.cluster.put({**experiment("taste"), "status": {}})
    await world.run(until=lambda: world.status.reason == "GateNotMet")
    await world.run(seconds=600)
    assert "gate experiment taste: it is not decided yet" in (world.status.message or "")
    conclude(world, "Ship", model_of_candidate(world))
    await world.until_phase("Promoted")


async def test_the_endpoint_may_ask_for_any_experiment_on_the_model() -> None:
    world = await with_candidate(steps=STEPS)
    world.apply(endpoint(policy={"gates": {"experiment": "Required"}}))
    await world.run(until=lambda: world.status.reason == "GateNotMet")
    conclude(world, "Ship", model_of_candidate(world))
    await world.until_phase("Promoted")


async def test_approvals_are_of_this_revision_and_by_others_than_the_owner() -> None:
    world = await with_candidate(gates=[{"approvals": 2}], steps=STEPS, owner="ana")
    await world.run(until=lambda: world.status.reason == "GateNotMet")
    for reviewer in ("ana", "ben"):
        world.review(reviewer)
    await world.run(seconds=300)
    assert "1 of 2 people approve" in (world.status.message or "")
    world.review("eve")
    await world.until_phase("Promoted")
    made = world.cluster.get("Decision", "recs", world.status.decisions[-1].name)
    assert made is not None
    assert [note["reviewer"] for note in made["spec"]["reviews"]] == ["ana", "ben", "eve"]


async def test_approvals_of_a_deleted_rollout_are_none_of_its_namesake() -> None:
    """It has the same template, and so the same revision."""
    spec: dict[str, Any] = {"gates": [{"approvals": 1}], "steps": STEPS}
    world = await with_candidate(**spec)
    world.review("ben")
    await world.run(seconds=1)
    world.cluster.remove("ModelRollout", "recs", "ranker")
    world.apply(rollout("v1", **spec))
    await world.until_phase("Promoted")
    world.apply(rollout("v2", **spec))
    await world.run(until=lambda: world.status.reason == "GateNotMet")
    await world.run(seconds=300)
    assert "0 of 1 people approve" in (world.status.message or "")
    world.review("ben")
    await world.until_phase("Promoted")


async def test_the_way_back_needs_no_gate() -> None:
    world = await with_candidate(steps=STEPS)
    await world.until_phase("Promoted")
    world.apply(endpoint(policy={"gates": {"experiment": "Required", "approvals": 3}}))
    world.apply(rollout("v1", steps=STEPS))
    await world.run(until=lambda: world.status.stable_revision == revision("v1"))


# Against the recommendation --------------------------------------------------------------------------------------


@pytest.fixture
async def unproven() -> World:
    """v2 has its first slice, and the evidence does not suffice."""
    world = await with_candidate()
    world.verdicts.judge = undecided
    await world.run(until=lambda: world.status.reason == "InsufficientData")
    return world


async def test_against_the_recommendation_another_person_must_agree(unproven: World) -> None:
    unproven.ask_to_promote("ana", "one")
    await unproven.run(seconds=60)
    assert slices(unproven) == [("candidate", 10)]
    (told,) = events(unproven, "NotApproved")
    assert "Reviews by 1 other people than ana" in told
    assert "action Advance or Promote" in told
    unproven.review("eve", "Dissent")
    unproven.review("ben", action="Advance")
    unproven.ask_to_promote("ana", "two")
    await unproven.until_step(2)
    last = unproven.status.decisions[-1]
    assert (last.by, last.basis, last.recommendation, last.rationale) == (
        "ana",
        "Human",
        "Hold",
        "the numbers will come",
    )
    made = unproven.cluster.get("Decision", "recs", last.name)
    assert made is not None
    assert {note["verdict"] for note in made["spec"]["reviews"]} == {"Dissent", "Approve"}, "dissent stays for ever"
    assert (made["spec"]["actor"], made["spec"]["rule"]) == ("ana", "rollout@1")


async def test_a_request_is_refused_once(unproven: World) -> None:
    unproven.ask_to_promote("ana", "one")
    await unproven.run(seconds=60)
    unproven.review("ben", action="Advance")
    await unproven.run(seconds=60)
    assert slices(unproven) == [("candidate", 10)], "what was refused is asked for again, or not done"


async def test_where_the_evidence_agrees_nobody_else_is_needed() -> None:
    world = await with_candidate()
    await world.until_step(2)
    await world.run(until=lambda: world.status.candidate is not None and world.status.candidate.proven)
    world.clock.time += timedelta(minutes=2)
    world.ask_to_promote("ana", "full:one")
    await world.until_phase("Promoted")
    last = world.status.decisions[-1]
    assert (last.by, last.basis, last.action) == ("ana", "Human", "Promote")


async def test_an_emergency_acts_at_once_and_is_reviewed_afterwards(unproven: World) -> None:
    unproven.ask_to_promote("ana", "full:emergency:one", why="v1 is on fire")
    await unproven.until_phase("Promoted")
    last = unproven.status.decisions[-1]
    assert (last.basis, last.by, last.rationale, last.recommendation) == ("Emergency", "ana", "v1 is on fire", "Hold")

    def due() -> tuple[str, str]:
        found = next(one for one in unproven.status.conditions if one.type == "ReviewDue")
        return str(found.status), found.message

    await unproven.run(seconds=60)
    assert due()[0] == "True"
    assert last.name in due()[1]
    unproven.review("ana", subject={"kind": "Decision", "name": last.name})
    await unproven.turn()
    assert due()[0] == "True", "one's own review is none"
    unproven.review("ben", "Dissent", subject={"kind": "Decision", "name": last.name})
    await unproven.turn()
    assert due()[0] == "False"


async def test_harm_rolls_back_whoever_agrees(unproven: World) -> None:
    unproven.review("ben", action="Promote")
    unproven.verdicts.judge = harmful
    unproven.clock.time += timedelta(seconds=10)
    unproven.ask_to_promote("ana", "full:one")
    await unproven.run(until=lambda: unproven.status.phase == "RolledBack")
    assert unproven.status.stable_revision == revision("v1")
