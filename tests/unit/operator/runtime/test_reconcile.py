"""A turn: recorded before it is acted on, told to telemetry, and looked at again when it has to be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crossfade_operator.ports.cluster import Conflict
from crossfade_operator.runtime.reconcile import CONFIRMING, FRESH, LATE
from tests.fakes.cluster import Crash
from tests.scenario.world import KEY, STEPS, World, endpoint, revision, rollout


@pytest.fixture
async def settled() -> World:
    """v1 serves everyone, and nothing moves."""
    world = World()
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    await world.run(seconds=60)
    return world


def told(world: World, what: str) -> list[tuple[Any, ...]]:
    return [(*args, *kwargs.values()) for name, args, kwargs in world.telemetry.told if name == what]


# Order -------------------------------------------------------------------------------------------------------


async def test_a_decision_is_recorded_before_anything_follows_from_it(settled: World) -> None:
    settled.cluster.writes.clear()
    settled.apply(rollout("v2"))
    await settled.turn()
    kinds = [(verb, kind) for verb, kind, _ in settled.cluster.writes]
    assert kinds[0] == ("status", "ModelRollout")
    assert kinds.index(("status", "ModelEndpoint")) < kinds.index(("apply", "ConfigMap"))
    revisions = [kind for verb, kind in kinds if verb == "apply"]
    assert revisions.index("ControllerRevision") < revisions.index("Deployment")


async def test_what_cannot_be_recorded_is_not_done(settled: World) -> None:
    settled.apply(rollout("v2"))
    before = set(settled.cluster.objects)

    def stale(verb: str, kind: str) -> None:
        if (verb, kind) == ("status", "ModelRollout"):
            raise Conflict("changed since it was read")

    settled.cluster.fail = stale
    with pytest.raises(Conflict):
        await settled.reconciler.reconcile(KEY)
    assert set(settled.cluster.objects) == before
    assert settled.cluster.events[-1][2] != "NewTemplate", "an Event of a decision that was not made would be a lie"


async def test_an_event_is_told_after_the_act(settled: World) -> None:
    settled.apply(rollout("v2"))
    settled.cluster.events.clear()

    def die(verb: str, kind: str) -> None:
        if (verb, kind) == ("apply", "ConfigMap"):
            raise Crash

    settled.cluster.fail = die
    await settled.turn()
    assert settled.cluster.events == []
    assert settled.status.decisions[-1].reason == "NewTemplate"


async def test_an_idle_turn_writes_nothing(settled: World) -> None:
    await settled.turn()
    settled.cluster.writes.clear()
    outcome = await settled.turn()
    assert [write for write in settled.cluster.writes if write[0] != "apply"] == []
    assert outcome is not None
    assert outcome.requeue_at is None


# What the analyzer is asked ----------------------------------------------------------------------------------


async def test_the_subject_is_one_attempt_of_one_revision(settled: World) -> None:
    settled.apply(rollout("v2"))
    await settled.run(until=lambda: bool(settled.verdicts.asked))
    found = settled.cluster.get("ModelRollout", "recs", "ranker")
    assert found is not None
    uid = found["metadata"]["uid"]
    assert settled.verdicts.asked[0].subject == f"ModelRollout/recs/ranker/{uid}/{revision('v2')}/2"
    assert settled.verdicts.asked[0].plan.endpoint == "recs/ranker"
    assert told(settled, "evaluation")[0] == ("recs", "ranker", "Proven", ())


async def test_nobody_is_asked_before_a_look_is_due(settled: World) -> None:
    settled.apply(rollout("v2"))
    await settled.until_step(1)
    await settled.turn()
    assert settled.verdicts.asked == []


# Objects -----------------------------------------------------------------------------------------------------


async def test_a_deleted_deployment_is_made_again_from_its_record(settled: World) -> None:
    settled.broken.add(revision("v2"))
    settled.apply(rollout("v2"))
    await settled.run(seconds=5)
    name = f"ranker-{revision('v1')}"
    before = settled.cluster.get("Deployment", "recs", name)
    assert before is not None
    settled.cluster.remove("Deployment", "recs", name)
    await settled.turn()
    after = settled.cluster.get("Deployment", "recs", name)
    assert after is not None
    assert after["spec"]["template"] == before["spec"]["template"]


async def test_the_testers_service_comes_and_goes_with_its_setting(settled: World) -> None:
    settled.apply(endpoint(router={"testers": "Enabled"}))
    await settled.turn()
    assert settled.cluster.get("Service", "recs", "ranker-testers") is not None
    settled.apply(endpoint())
    await settled.turn()
    assert settled.cluster.get("Service", "recs", "ranker-testers") is None
    assert settled.cluster.get("Service", "recs", "ranker") is not None


async def test_an_endpoint_that_lost_its_rollout_serves_nobody(settled: World) -> None:
    settled.cluster.remove("ModelRollout", "recs", "ranker")
    await settled.turn()
    assert "stableRevision" not in settled.endpoint_status
    ready = settled.endpoint_status["conditions"][0]
    assert (ready["status"], ready["reason"]) == ("False", "NoRevision")


async def test_an_endpoint_that_is_gone_is_told(settled: World) -> None:
    settled.cluster.remove("ModelEndpoint", "recs", "ranker")
    await settled.turn()
    assert told(settled, "endpoint_gone") == [(KEY,)]
    assert (settled.status.phase, settled.status.reason) == ("Pending", "EndpointNotFound")


async def test_the_next_in_line_takes_the_endpoint_over(settled: World) -> None:
    settled.apply(rollout("v5", name="second"))
    await settled.turn()
    assert settled.status_of("second").reason == "EndpointClaimed"
    settled.cluster.remove("ModelRollout", "recs", "ranker")
    await settled.run(until=lambda: settled.endpoint_status.get("stableRevision") == revision("v5"))
    assert settled.endpoint_status["rollout"] == "second"


async def test_router_objects_that_are_refused_are_shown_and_tried_again(settled: World) -> None:
    settled.cluster.refuse = lambda obj: "must be a quantity" if "router" in obj["metadata"]["name"] else None
    settled.apply(endpoint(router={"resources": {"limits": {"cpu": "many"}}}))
    await settled.turn()
    outcome = await settled.turn()
    accepted = settled.endpoint_status["conditions"][2]
    assert (accepted["status"], accepted["reason"]) == ("False", "InvalidTable")
    assert "must be a quantity" in accepted["message"]
    assert outcome is not None
    assert outcome.requeue_at == settled.clock.time + timedelta(seconds=30)
    settled.cluster.refuse = lambda _: None
    await settled.run(seconds=60)
    assert settled.endpoint_status["conditions"][2]["status"] == "True"


# When it is looked at again ----------------------------------------------------------------------------------


async def test_after_a_move_the_next_turn_follows_at_once(settled: World) -> None:
    settled.apply(rollout("v2"))
    await settled.turn()
    settled.annotate("abort", "now")
    outcome = await settled.turn()
    assert outcome is not None
    assert outcome.requeue_at == settled.clock.time


async def test_a_start_waits_for_what_the_watch_tells_of_its_new_deployment() -> None:
    world = World()
    world.apply(rollout("v1"))
    outcome = await world.turn()
    assert outcome is not None
    assert world.status.candidate is not None
    assert outcome.requeue_at == world.status.candidate.deadline_at, "nothing can follow before that by itself"


async def test_a_start_of_a_revision_that_is_there_already_goes_on_at_once(settled: World) -> None:
    settled.apply(rollout("v2"))
    await settled.run(until=lambda: revision("v2") in settled.deployed())
    settled.annotate("abort", "now")
    await settled.run(until=lambda: settled.status.candidate is None)
    settled.annotate("retry", "now")
    outcome = await settled.turn()
    assert outcome is not None
    assert outcome.requeue_at == settled.clock.time


@pytest.mark.parametrize(
    ("age", "pause"),
    [
        pytest.param(timedelta(0), CONFIRMING, id="soon while the table is fresh"),
        pytest.param(FRESH, LATE, id="less often when one is stuck"),
        pytest.param(-timedelta(hours=1), LATE, id="less often when the clock was set back"),
    ],
)
async def test_routers_that_are_behind_are_asked_again(settled: World, age: timedelta, pause: timedelta) -> None:
    settled.routers.deaf.update(settled.routers.running)
    settled.broken.add(revision("v2"))
    settled.apply(rollout("v2"))
    await settled.turn()
    await settled.turn()
    settled.clock.time += age
    outcome = await settled.turn()
    assert outcome is not None
    assert outcome.requeue_at == settled.clock.time + pause


async def test_the_end_of_a_holdout_is_waited_for(settled: World) -> None:
    settled.apply(endpoint(holdout={"slice": "1%", "until": "2026-03-01T18:00:00Z"}))
    await settled.run(seconds=60)
    outcome = await settled.turn()
    assert outcome is not None
    assert outcome.requeue_at is not None
    assert outcome.requeue_at.isoformat() == "2026-03-01T18:00:00+00:00"


# Telemetry ---------------------------------------------------------------------------------------------------


async def test_every_decision_is_told_once(settled: World) -> None:
    settled.apply(rollout("v2"))
    await settled.run(until=lambda: settled.status.phase != "Promoted")
    await settled.until_phase("Promoted")
    actions = [one[2] for one in told(settled, "decision")]
    assert actions == settled.actions == ["Start", "Promote", "Start", "Advance", "Advance", "Advance", "Promote"]


async def test_phase_share_and_routers_are_told(settled: World) -> None:
    settled.apply(rollout("v2"))
    await settled.until_step(2)
    await settled.turn()
    assert told(settled, "rollout")[-1] == ("recs", "ranker", "Progressing", "Analyzing", 0.1)
    key, generation, ready, confirmed, rejected = told(settled, "routers")[-1]
    assert (key, ready, confirmed, rejected) == (KEY, 2, 2, 0)
    assert generation == settled.endpoint_status["route"]["generation"]


def test_the_steps_that_these_tests_count_on() -> None:
    assert [step["slice"] for step in STEPS] == ["1%", "10%", "50%"]
