"""Waiting is a state with a reason; an outage neither advances nor rolls back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crossfade_analyzer.contract import Evaluation, EvaluationRequest, Reason, Verdict
from tests.scenario import parts as scripted
from tests.scenario.parts import answer
from tests.scenario.world import STEPS, World, endpoint, revision, rollout


async def started(**spec: object) -> World:
    world = World()
    world.apply(rollout("v1", **spec))
    await world.until_phase("Promoted")
    world.apply(rollout("v2", **spec))
    await world.until_step(1)
    return world


@pytest.mark.parametrize(
    ("judge", "reason"),
    [
        pytest.param(scripted.unavailable, "AnalyzerUnavailable", id="the analyzer is gone"),
        *(
            pytest.param(
                lambda request, why=why: answer(request, Verdict.CANNOT_JUDGE, reason=why), why.value, id=why.value
            )
            for why in (Reason.METRICS_UNAVAILABLE, Reason.CONTRACT_BROKEN, Reason.SAMPLE_RATIO_MISMATCH)
        ),
    ],
)
async def test_an_outage_of_any_length_holds_and_then_goes_on(judge: scripted.Judge, reason: str) -> None:
    world = await started()
    decisions = world.status.decision_count
    world.verdicts.judge = judge
    await world.run(seconds=3600)
    assert (world.status.phase, world.status.reason) == ("Holding", reason)
    assert world.status.decision_count == decisions
    world.verdicts.judge = scripted.proven
    await world.until_phase("Promoted")


async def test_too_few_requests_hold() -> None:
    world = await started()

    def few(request: EvaluationRequest) -> Evaluation:
        return answer(request, Verdict.PROVEN, requests=99)

    world.verdicts.judge = few
    await world.until_phase("Holding")
    assert world.status.reason == "InsufficientData"
    assert "99 of 100 requests" in (world.status.message or "")


async def test_what_is_not_proven_in_time_is_inconclusive_and_holds() -> None:
    world = await started(analysis={"inconclusiveAfter": "1h"})
    world.verdicts.judge = scripted.undecided
    await world.run(until=lambda: world.status.reason == "Inconclusive")
    await world.run(seconds=3600)
    assert world.status.phase == "Holding"
    assert world.status.step == 1


async def test_inconclusive_rolls_back_when_asked_to() -> None:
    world = await started(analysis={"inconclusiveAfter": "1h", "onInconclusive": "Rollback"})
    world.verdicts.judge = scripted.undecided
    await world.until_phase("RolledBack")
    assert world.status.reason == "Inconclusive"


async def test_proof_may_be_left_to_the_last_step() -> None:
    world = await started(analysis={"proveBefore": "Promotion"})
    world.verdicts.judge = scripted.undecided
    await world.until_step(3)
    await world.until_phase("Holding")
    assert world.status.step == 3
    world.verdicts.judge = scripted.proven
    await world.until_phase("Promoted")


async def test_a_paused_rollout_takes_no_step_but_harm_still_ends_it() -> None:
    world = await started()
    world.pause()
    await world.run(seconds=3600)
    assert (world.status.phase, world.status.step) == ("Paused", 1)
    world.verdicts.judge = scripted.harmful
    await world.until_phase("RolledBack")


async def test_a_resumed_rollout_goes_on() -> None:
    world = await started()
    world.pause()
    await world.run(seconds=3600)
    world.pause(False)
    await world.until_phase("Promoted")


async def test_a_step_with_approvals_waits_for_people() -> None:
    steps = [{**STEPS[0], "approvals": 2}, *STEPS[1:]]
    world = await started(steps=steps)
    await world.until_phase("AwaitingApproval")
    await world.run(seconds=3600)
    assert world.status.step == 1
    world.ask_to_promote("ana", "one")
    await world.run(seconds=600)
    world.ask_to_promote("ana", "two")
    await world.run(seconds=600)
    assert (world.status.phase, world.status.step) == ("AwaitingApproval", 1), "one person is one approval"
    assert "ana has approved this step before" in str(world.cluster.events)
    world.ask_to_promote("ben", "three")
    await world.until_step(2)
    assert world.actions.count("Approve") == 2


@pytest.mark.parametrize(("own", "passes"), [("DoesNotCount", False), ("Counts", True)])
async def test_an_owners_own_approval_counts_where_the_policy_says_so(own: str, passes: bool) -> None:
    world = await started(steps=[{**STEPS[0], "approvals": 1}, *STEPS[1:]], owner="ana")
    world.cluster.put(endpoint(policy={"reviews": {"ownApproval": own}}))
    await world.until_phase("AwaitingApproval")
    world.ask_to_promote("ana", "mine")
    await world.run(seconds=600)
    assert ("Approve" in world.actions) is passes
    assert passes or "ana owns the rollout" in str(world.cluster.events)


async def test_handing_the_rollout_over_makes_nobodys_own_approval_count() -> None:
    world = await started(steps=[{**STEPS[0], "approvals": 1}, *STEPS[1:]], owner="ana")
    await world.until_phase("AwaitingApproval")
    world.apply(rollout("v2", strategy={"steps": [{**STEPS[0], "approvals": 1}, *STEPS[1:]]}, owner="ben"))
    for who in ("ana", "ben"):
        world.ask_to_promote(who, f"by {who}")
        await world.run(seconds=300)
        assert "Approve" not in world.actions
    world.ask_to_promote("cy", "go")
    await world.until_step(2)


async def test_an_owners_own_word_is_not_the_second_persons() -> None:
    world = await started(owner="ana")
    world.verdicts.judge = scripted.undecided
    await world.until_phase("Holding")
    world.review("ana", action="Advance")
    world.ask_to_promote("ben", f"{world.status.candidate_revision}:go")
    await world.run(seconds=600)
    assert world.status.step == 1
    world.review("cy", action="Advance")
    world.ask_to_promote("ben", f"{world.status.candidate_revision}:again")
    await world.until_step(2)


async def test_promote_skips_what_is_still_to_be_proven_in_a_step_when_another_agrees() -> None:
    world = await started()
    world.verdicts.judge = scripted.undecided
    await world.until_phase("Holding")
    world.review("ben", action="Advance")
    world.ask_to_promote("ana", f"{world.status.candidate_revision}:go")
    await world.until_step(2)
    assert world.status.decisions[-1].by == "ana"
    await world.run(seconds=3600)
    assert world.status.step == 2, "one token is one step"


async def test_promote_in_full_skips_the_remaining_steps() -> None:
    """Also of a running hold, when another agrees to that."""
    world = await started()
    world.review("ben", action="Promote")
    world.ask_to_promote("ana", "full:go")
    await world.until_phase("Promoted")
    assert world.status.reason == "PromoteRequested"


async def test_a_second_rollout_on_the_endpoint_is_refused_and_touches_nothing() -> None:
    world = World()
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    world.apply(rollout("other", name="second"))
    await world.run(seconds=60)
    second = world.status_of("second")
    assert (second.phase, second.reason) == ("Refused", "EndpointClaimed")
    assert "'ranker'" in (second.message or "")
    assert not [name for kind, _, name in world.cluster.objects if kind != "ModelRollout" and name.startswith("second")]


async def test_a_rollout_without_an_endpoint_waits_for_it() -> None:
    world = World()
    world.cluster.remove("ModelEndpoint", "recs", "ranker")
    world.apply(rollout("v1"))
    await world.turn()
    assert (world.status.phase, world.status.reason) == ("Pending", "EndpointNotFound")
    assert not world.cluster.all("Deployment")
    world.apply(endpoint())
    await world.until_phase("Promoted")


async def test_a_metric_that_does_not_exist_holds_before_the_first_slice() -> None:
    world = World()
    metrics = [{"metric": "plays", "role": "Guardrail", "margin": {"relative": "10%"}}]
    world.apply(rollout("v1", analysis={"metrics": metrics}))
    await world.until_phase("Promoted")
    world.apply(rollout("v2", analysis={"metrics": metrics}))
    await world.until_phase("Holding")
    assert world.status.reason == "ContractBroken"
    assert "'plays'" in (world.status.message or "")
    assert world.endpoint_status["ledger"] == []


async def test_a_slice_that_does_not_fit_is_refused_naming_the_holders() -> None:
    world = World()
    world.apply(endpoint(holdout={"slice": "30%", "until": "2027-01-01T00:00:00Z"}, policy={"stableFloor": "25%"}))
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    world.apply(rollout("v2"))
    await world.until_phase("Holding")
    assert world.status.reason == "NoFreePositions"
    assert "Holdout holds 30%" in (world.status.message or "")
    assert world.status.step == 2


async def test_a_router_that_does_not_answer_keeps_the_first_slice_back() -> None:
    world = World()
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    deaf = next(iter(world.routers.running))
    world.routers.deaf.add(deaf)
    world.apply(rollout("v2"))
    await world.run(seconds=1800)
    assert world.status.phase == "Progressing", "a router's failure is not the candidate's"
    assert "Advance" not in world.actions
    world.routers.deaf.clear()
    await world.until_phase("Promoted")


async def test_a_router_that_does_not_confirm_keeps_the_next_step_from_beginning() -> None:
    world = await started()
    world.routers.deaf.add(next(iter(world.routers.running)))
    await world.run(until=lambda: world.status.reason == "ShiftingTraffic")
    await world.run(seconds=900)
    assert world.status.candidate is not None
    assert (world.status.step, world.status.candidate.step_started_at) == (2, None)
    world.routers.deaf.clear()
    await world.until_phase("Promoted")


async def test_looks_go_on_at_every_interval_while_a_step_shifts_and_decide_nothing_but_harm() -> None:
    world = await started()
    world.routers.deaf.add(next(iter(world.routers.running)))
    await world.run(until=lambda: world.status.reason == "ShiftingTraffic")
    decided = world.status.decision_count
    world.verdicts.asked.clear()
    world.verdicts.judge = scripted.unavailable
    await world.run(seconds=300)
    world.verdicts.judge = scripted.proven
    await world.run(seconds=300)
    assert len(world.verdicts.asked) == pytest.approx(600 / 10, abs=1)
    assert all(request.step.shifting and request.step.share == Decimal("0.01") for request in world.verdicts.asked)
    assert (world.status.reason, world.status.decision_count) == ("ShiftingTraffic", decided)
    world.routers.deaf.clear()
    await world.until_step(2)
    assert world.status.candidate is not None
    assert world.status.candidate.former is None
    await world.run(seconds=10)
    assert not world.verdicts.asked[-1].step.shifting
    assert world.verdicts.asked[-1].step.share == Decimal("0.1")


async def test_a_first_slice_on_its_way_is_not_looked_at() -> None:
    world = World()
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    world.apply(rollout("v2"))
    await world.run(until=lambda: world.status.candidate is not None and world.status.candidate.stage == "Starting")
    await world.turn()
    world.routers.deaf.update(world.routers.running)
    await world.run(seconds=300)
    assert world.status.candidate is not None
    assert (world.status.candidate.stage, world.verdicts.asked) == ("Shifting", [])


async def test_whoever_withdraws_asks_for_no_more_looks() -> None:
    world = await started()
    world.routers.deaf.add(next(iter(world.routers.running)))
    world.annotate("abort", "now")
    await world.until_phase("RolledBack")
    world.verdicts.asked.clear()
    await world.run(seconds=120)
    assert world.verdicts.asked == []


async def test_objects_that_the_api_server_refuses_are_shown_as_refused() -> None:
    world = World()
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    world.cluster.refuse = lambda obj: (
        "spec.template: unknown field" if obj["kind"] == "Deployment" and "v2" in str(obj) else None
    )
    world.apply(rollout("v2"))
    await world.until_phase("Refused")
    assert world.status.reason == "InvalidTemplate"
    assert "unknown field" in (world.status.message or "")


async def test_what_is_refused_to_the_stable_revision_is_shown_while_users_are_served_and_forgotten_when_over() -> None:
    world = World()
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    world.cluster.refuse = lambda obj: "exceeded quota: services" if obj["kind"] == "Service" else None
    world.apply(rollout("v1", replicas=3))
    await world.run(seconds=60)
    assert world.accepted == ("False", "ObjectsRefused")
    assert world.status.phase == "Promoted"
    assert [event[1:3] for event in world.cluster.events].count(("Warning", "ObjectsRefused")) == 1
    assert world.deployed()[revision("v1")] == 3, "what is not refused is applied all the same"
    world.cluster.refuse = lambda obj: None
    await world.run(seconds=60)
    assert world.accepted == ("True", "Accepted")


async def test_a_slice_that_would_leave_less_than_the_comparison_needs_is_refused_not_written() -> None:
    """A table that gives away more than 95 % is no table: without the refusal the step would shift for ever."""
    world = World()
    world.apply(endpoint(holdout={"slice": "10%", "until": "2027-01-01T00:00:00Z"}, policy={"stableFloor": "0%"}))
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    world.apply(rollout("v2", steps=[{"slice": "90%", "hold": "1m"}]))
    await world.until_phase("Holding")
    assert world.status.reason == "NoFreePositions"
    assert "5% is stable's floor, 85% is free" in (world.status.message or "")


async def test_a_longer_deadline_for_a_running_start_is_kept_to_the_new_end() -> None:
    world = World()
    world.apply(rollout("v1", progressDeadline="5m"))
    await world.until_phase("Promoted")
    world.broken.add(revision("v2"))
    world.apply(rollout("v2", progressDeadline="5m"))
    await world.run(seconds=60)
    world.apply(rollout("v2", progressDeadline="20m"))
    await world.until_phase("RolledBack")
    assert world.status.candidate is not None
    lasted = world.status.decisions[-1].at - world.status.candidate.started_at
    assert lasted.total_seconds() == pytest.approx(1200, abs=5)


async def test_steps_that_are_edited_change_nobodys_share_until_the_next_decision() -> None:
    world = await started()
    before, decided = world.endpoint_status["ledger"], world.status.decision_count
    world.verdicts.judge = scripted.undecided
    world.apply(rollout("v2", steps=[{"slice": "30%", "hold": "1m"}, {"slice": "60%", "hold": "1m"}]))
    await world.run(seconds=600)
    assert (world.endpoint_status["ledger"], world.status.decision_count) == (before, decided)
    assert "step 1/2 at 1%" in (world.status.message or "")
    assert {request.step.share for request in world.verdicts.asked} == {Decimal("0.01")}
    world.verdicts.judge = scripted.proven
    await world.until_step(2)
    assert world.status.decisions[-1].slice == "60%"
