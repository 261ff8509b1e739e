"""A bad model is found and taken out, with and without the analyzer."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from crossfade_analyzer.contract import Step
from tests.scenario import parts as scripted
from tests.scenario.world import World, endpoint, revision, rollout


@pytest.fixture
async def moving() -> World:
    """v1 is stable and v2 is in its second step."""
    world = World()
    world.apply(rollout("v1", progressDeadline="5m"))
    await world.until_phase("Promoted")
    world.apply(rollout("v2", progressDeadline="5m"))
    await world.until_step(2)
    return world


async def test_evidence_of_harm_takes_the_slice_back(moving: World) -> None:
    candidate = moving.status.candidate_revision
    moving.verdicts.judge = scripted.harmful
    await moving.until_phase("RolledBack")
    assert moving.status.reason == "EvidenceOfHarm"
    await moving.run(seconds=5)
    assert moving.endpoint_status["ledger"] == []
    assert candidate in moving.deployed(), "the pods stay warm until scaleDownDelay has passed"
    await moving.run(seconds=600)
    assert candidate not in moving.deployed()


async def test_harm_is_found_while_a_router_keeps_the_next_step_from_beginning(moving: World) -> None:
    """Users have the candidate by the step before: whoever waits for a router must not stop looking at them."""
    began = moving.status.candidate
    assert began is not None
    moving.routers.deaf.add(next(iter(moving.routers.running)))
    await moving.run(until=lambda: moving.status.reason == "ShiftingTraffic")
    await moving.run(seconds=60)
    assert moving.status.step == 3
    moving.verdicts.asked.clear()
    moving.verdicts.judge = scripted.harmful
    since = moving.clock.time
    await moving.until_phase("RolledBack")
    assert moving.status.reason == "EvidenceOfHarm"
    assert moving.clock.time - since <= timedelta(seconds=10), "one interval"
    (asked,) = moving.verdicts.asked
    assert asked.step == Step(index=1, started_at=began.step_started_at, share=Decimal("0.1"), shifting=True)


async def test_a_rolled_back_template_is_not_tried_again_until_asked(moving: World) -> None:
    moving.verdicts.judge = scripted.harmful
    await moving.until_phase("RolledBack")
    failed = moving.status.failed_revision
    await moving.run(seconds=7200)
    assert moving.status.phase == "RolledBack"
    moving.verdicts.judge = scripted.proven
    moving.annotate("retry", f"{failed}:again")
    await moving.until_phase("Promoted")
    assert moving.status.stable_revision == failed
    assert moving.status.attempts == 3


async def test_another_template_is_tried_after_a_rollback(moving: World) -> None:
    moving.verdicts.judge = scripted.harmful
    await moving.until_phase("RolledBack")
    moving.verdicts.judge = scripted.proven
    moving.apply(rollout("v3"))
    await moving.run(until=lambda: moving.status.phase == "Progressing")
    await moving.until_phase("Promoted")


async def test_crash_looping_pods_are_taken_out_without_the_analyzer(moving: World) -> None:
    moving.verdicts.judge = scripted.unavailable
    candidate = moving.status.candidate_revision
    assert candidate is not None
    moving.crashing.add(candidate)
    await moving.until_phase("RolledBack")
    assert moving.status.reason == "CrashLooping"
    assert "CrashLoopBackOff" in (moving.status.message or "")


async def test_unready_pods_are_given_until_the_deadline(moving: World) -> None:
    candidate = moving.status.candidate_revision
    assert candidate is not None
    moving.broken.add(candidate)
    await moving.run(until=lambda: moving.status.reason == "CandidateUnready")
    since = moving.clock.time
    await moving.until_phase("RolledBack")
    assert moving.status.reason == "ProgressDeadlineExceeded"
    assert (moving.clock.time - since).total_seconds() == pytest.approx(300, abs=15)


async def test_a_short_unreadiness_is_forgiven(moving: World) -> None:
    candidate = moving.status.candidate_revision
    assert candidate is not None
    moving.broken.add(candidate)
    await moving.run(until=lambda: moving.status.reason == "CandidateUnready")
    moving.broken.clear()
    await moving.until_phase("Promoted")


async def test_a_candidate_that_never_gets_ready_never_gets_a_slice() -> None:
    world = World()
    world.apply(rollout("v1", progressDeadline="5m"))
    await world.until_phase("Promoted")
    stable = world.status.stable_revision
    world.broken.add(revision("v2"))
    world.apply(rollout("v2", progressDeadline="5m"))
    await world.until_phase("RolledBack")
    assert world.status.reason == "ProgressDeadlineExceeded"
    assert "Advance" not in world.actions
    assert world.endpoint_status["stableRevision"] == stable


async def test_an_abort_is_the_act_of_whoever_signed_it_and_of_nobody_for_the_next(moving: World) -> None:
    moving.annotate("abort-by", "one ana")
    moving.annotate("abort", "one")
    await moving.until_phase("RolledBack")
    assert (moving.status.decisions[-1].reason, moving.status.decisions[-1].by) == ("AbortRequested", "ana")
    await moving.run(until=lambda: moving.status.candidate is None)
    moving.annotate("retry", "one")
    await moving.until_step(1)
    moving.annotate("abort", "two")
    await moving.until_phase("RolledBack")
    assert [one.by for one in moving.status.decisions if one.reason == "AbortRequested"] == ["ana", "unnamed"]


async def test_abort_takes_the_slice_back_once(moving: World) -> None:
    moving.annotate("abort", "now")
    await moving.until_phase("RolledBack")
    assert moving.status.reason == "AbortRequested"
    assert moving.status.decisions[-1].by == "unnamed"
    moving.apply(rollout("v3"))
    await moving.run(until=lambda: moving.status.phase == "Progressing")
    await moving.until_phase("Promoted")


async def test_an_abort_for_another_revision_is_refused(moving: World) -> None:
    moving.annotate("abort", "aaaaaaaaaa:now")
    await moving.turn()
    assert moving.status.candidate is not None
    assert ("ranker", "Warning", "OtherRevision") in {event[:3] for event in moving.cluster.events}


async def test_a_new_template_supersedes_after_its_slice_is_back(moving: World) -> None:
    second = moving.status.candidate_revision
    moving.apply(rollout("v3"))
    await moving.turn()
    assert moving.status.candidate is not None
    assert moving.status.candidate.outcome == "Superseded"
    await moving.run(until=lambda: moving.status.candidate_revision != second)
    assert moving.status.candidate is None, "the third one starts only when the second one's routes are gone everywhere"
    assert moving.endpoint_status["ledger"] == []
    assert moving.endpoint_status["route"]["confirmedGeneration"] == moving.endpoint_status["route"]["generation"]
    await moving.until_phase("Promoted")


async def test_the_stable_template_again_ends_the_rollout_at_once(moving: World) -> None:
    moving.apply(rollout("v1", progressDeadline="5m"))
    await moving.until_phase("Promoted")
    assert moving.status.reason == "BackToStable"
    assert moving.endpoint_status["ledger"] == []
    assert moving.status.failed_revision is None


async def test_the_previous_stable_is_restored_without_steps() -> None:
    world = World()
    world.apply(rollout("v1", scaleDownDelay="1m", rollbackWindow="24h"))
    await world.until_phase("Promoted")
    first = world.status.stable_revision
    assert first is not None
    world.apply(rollout("v2", scaleDownDelay="1m", rollbackWindow="24h"))
    await world.run(until=lambda: world.status.phase != "Promoted")
    await world.until_phase("Promoted")
    await world.run(seconds=3600)
    assert world.deployed()[first] == 0, "scaled down, but restorable"
    world.apply(rollout("v1", scaleDownDelay="1m", rollbackWindow="24h"))
    await world.run(until=lambda: world.status.stable_revision == first)
    assert world.actions[-2:] == ["Start", "Restore"]


async def test_after_the_rollback_window_the_old_template_takes_the_steps_again() -> None:
    world = World()
    world.apply(rollout("v1", scaleDownDelay="1m", rollbackWindow="2h"))
    await world.until_phase("Promoted")
    first = world.status.stable_revision
    world.apply(rollout("v2", scaleDownDelay="1m", rollbackWindow="2h"))
    await world.run(until=lambda: world.status.phase != "Promoted")
    await world.until_phase("Promoted")
    await world.run(seconds=3 * 3600)
    assert first not in world.deployed()
    world.apply(rollout("v1", scaleDownDelay="1m", rollbackWindow="2h"))
    await world.run(until=lambda: world.status.stable_revision == first)
    assert world.actions[-5:] == ["Start", "Advance", "Advance", "Advance", "Promote"]


async def test_a_candidate_on_the_holdouts_revision_can_be_withdrawn_and_the_next_one_tried() -> None:
    """The holdout goes on routing to it for months: the candidate's end must not wait for that."""
    world = World()
    world.apply(endpoint(holdout={"slice": "1%", "until": "2027-01-01T00:00:00Z"}))
    world.apply(rollout("v1", rollbackWindow="1m", scaleDownDelay="1m"))
    await world.until_phase("Promoted")
    world.apply(rollout("v2", rollbackWindow="1m", scaleDownDelay="1m"))
    await world.run(until=lambda: world.status.stable_revision == revision("v2"))
    await world.run(seconds=600)
    world.apply(rollout("v1", rollbackWindow="1m", scaleDownDelay="1m"))
    await world.until_step(1)
    world.annotate("abort", "now")
    await world.run(seconds=600)
    assert world.status.candidate is None
    assert world.deployed()[revision("v1")] == 2, "the holdout's users are still served by it"
    world.apply(rollout("v3"))
    await world.run(until=lambda: world.status.stable_revision == revision("v3"))


async def test_the_stable_template_after_a_rollback_is_up_to_date(moving: World) -> None:
    moving.verdicts.judge = scripted.harmful
    await moving.until_phase("RolledBack")
    moving.apply(rollout("v1", progressDeadline="5m"))
    await moving.until_phase("Promoted")
    assert moving.status.reason == "UpToDate"
    assert moving.status.failed_revision is None


async def test_of_many_that_are_kept_warm_the_first_to_end_give_way() -> None:
    """One table has room for so many revisions, and the status too: a refusal of either would stop it for ever."""
    world = World()
    world.apply(rollout("v0", scaleDownDelay="24h"))
    await world.until_phase("Promoted")
    for number in range(1, 21):
        world.apply(rollout(f"v{number}", scaleDownDelay="24h"))
        await world.run(until=lambda: world.status.candidate is not None)
        world.annotate("abort", str(number))
        await world.run(seconds=5)
    await world.run(seconds=60)
    warm = [revision(f"v{number}") for number in range(13, 21)]
    assert [entry.revision for entry in world.status.retiring] == warm
    assert set(world.deployed()) == {revision("v0"), *warm}, "what was forgotten was cleaned up"
    await world.run(seconds=25 * 3600)
    assert set(world.deployed()) == {revision("v0")}


async def test_a_request_of_any_length_is_met_once(moving: World) -> None:
    moving.annotate("abort", "please " * 200)
    await moving.until_phase("RolledBack")
    await moving.run(seconds=60)
    assert len(moving.status.handled.abort or "") == 512
    assert moving.actions.count("Rollback") == 1
