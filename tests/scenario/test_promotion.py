"""A good model earns its slices."""

from __future__ import annotations

from tests.scenario.world import World, rollout


async def test_the_first_revision_goes_straight_to_stable() -> None:
    world = World()
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    assert world.actions == ["Start", "Promote"]
    assert world.verdicts.asked == []
    assert world.endpoint_status["stableRevision"] == world.status.stable_revision
    assert world.status.reason == "FirstRevision"


async def test_a_proven_candidate_takes_every_step_and_is_promoted() -> None:
    world = World()
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    first = world.status.stable_revision
    world.apply(rollout("v2"))
    await world.run(until=lambda: world.status.phase != "Promoted")
    await world.until_phase("Promoted")
    assert world.actions == ["Start", "Promote", "Start", "Advance", "Advance", "Advance", "Promote"]
    assert world.status.stable_revision != first
    assert world.status.previous_revision == first


async def test_applying_the_same_template_again_changes_nothing() -> None:
    world = World()
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    before = list(world.cluster.writes)
    world.apply(rollout("v1"))
    await world.run(seconds=3600)
    statuses = [write for write in world.cluster.writes[len(before) :] if write[0] == "status"]
    assert statuses == []


async def test_a_mirror_goes_before_the_first_users_and_needs_no_evidence() -> None:
    world = World()
    steps = [{"slice": "5%", "hold": "1m", "mirror": True}, {"slice": "10%", "hold": "1m", "minRequests": 100}]
    world.apply(rollout("v1", steps=steps))
    await world.until_phase("Promoted")
    world.apply(rollout("v2", steps=steps))
    await world.until_step(1)
    await world.turn()
    assert [(entry["arm"], entry["positions"]) for entry in world.endpoint_status["ledger"]] == [("mirror", 50)]
    assert world.status.slice == "0%", "nobody gets the candidate's answers"
    await world.until_step(2)
    assert world.verdicts.asked == []
    assert [(entry["arm"], entry["positions"]) for entry in world.endpoint_status["ledger"]] == [("candidate", 100)]
    assert world.status.candidate is not None
    assert world.status.candidate.since == world.status.candidate.step_started_at
    await world.until_phase("Promoted")
    assert [decision.slice for decision in world.status.decisions[2:]] == ["0%", "0%", "10%", "100%"]
