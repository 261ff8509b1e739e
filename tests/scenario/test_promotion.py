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
