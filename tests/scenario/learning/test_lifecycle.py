"""An experiment from its draft to its archive: what people do, what is recorded, and what is left in the cluster."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crossfade_operator.core.routing import Backend
from tests.scenario.learning import analyst as scripted
from tests.scenario.learning.analyst import answer
from tests.scenario.learning.world import (
    ARM_CLASS,
    CONTROL,
    DECIDER,
    NAME,
    NAMESPACE,
    STABLE,
    TREATMENT,
    World,
    decidable,
    experiment,
    metric,
    running,
    template,
)


async def test_a_better_model_is_shipped_and_nothing_but_records_is_left() -> None:
    world = World()
    before = set(world.cluster.objects)
    world.analyzer.judge = scripted.better
    await decidable(await running(world))
    world.decide("Ship")
    await world.until_phase("Decided")
    world.edit(desiredState="Archived")
    await world.until_phase("Archived")
    assert world.phases == ["Draft", "InReview", "Approved", "Running", "Stopped", "Decided", "Archived"]
    assert world.actions == ["Run", "Stop", "Ship"]
    world.cluster.remove("Experiment", NAMESPACE, "two-tower")
    assert {address[0] for address in set(world.cluster.objects) - before} == {"Decision"}


async def test_a_draft_is_left_alone() -> None:
    world = World()
    world.apply(experiment(desiredState="Draft"))
    await world.run(seconds=3600)
    assert (world.phases, world.actions, world.arms()) == (["Draft"], [], set())
    assert world.status.reason == "NotAsked"


async def test_a_ship_decision_holds_what_it_rests_on() -> None:
    world = World(shipValidity="10d", retention="365d")
    world.analyzer.judge = scripted.better
    await running(world)
    pinned = world.status.arms[1].model_digest
    await decidable(world)
    world.review("Dissent", "bob")
    world.decide("Ship")
    await world.until_phase("Decided")
    ship = world.decisions[-1]
    assert ship["subject"]["modelDigest"] == pinned
    assert ship["subject"]["revision"] == world.status.arms[1].revision
    assert (ship["actor"], ship["basis"], ship["recommendation"]) == (DECIDER, "Evidence", "Ship")
    assert ship["evidence"] == {
        "digest": world.status.evidence,
        "locator": f"Experiment/recs/two-tower/{world.obj()['metadata']['uid']}/1",
    }
    assert ship["designHash"] == world.status.design_hash
    assert ship["reviews"][0]["verdict"] == "Dissent"
    assert ship["rationale"] == "as the numbers say"
    assert ship["outcome"] == "Win"
    at = world.status.transitions[-1].at
    assert ship["expiresAt"] == (at + timedelta(days=10)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert ship["retainUntil"] == (at + timedelta(days=365)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    decision = next(obj for obj in world.cluster.all("Decision") if obj["spec"]["action"] == "Ship")
    assert "ownerReferences" not in decision["metadata"]
    assert decision["metadata"]["name"] == world.status.decision == "two-tower-exp-000003"


async def test_every_transition_says_who_when_and_why() -> None:
    world = World()
    world.analyzer.judge = scripted.better
    await decidable(await running(world, signed="1/Running carol"))
    world.decide("Abort")
    world.review("Approve", "bob", action="Abort", reason="not worth it")
    await world.until_phase("Decided")
    told = [(one.phase.value, one.by, one.reason) for one in world.status.transitions]
    assert told == [
        ("Draft", "experiment@1", "NotAsked"),
        ("InReview", "carol", "RunAsked"),
        ("Approved", "experiment@1", "DesignApproved"),
        ("Running", "experiment@1", "Started"),
        ("Stopped", "experiment@1", "ResultReached"),
        ("Decided", DECIDER, "Aborted"),
    ]
    times = [one.at for one in world.status.transitions]
    assert times == sorted(times)


# The design ----------------------------------------------------------------------------------------------------


async def test_users_take_part_only_once_every_router_has_confirmed_the_arms() -> None:
    world = World()
    world.routers_deaf = True
    world.apply(experiment())
    await world.run(until=lambda: world.status.reason == "RoutersConfirming")
    await world.run(seconds=300)
    assert world.status.started_at is None
    assert world.analyzer.asked == []
    world.routers_deaf = False
    await world.until_phase("Running")
    assert world.status.started_at == world.clock.time


async def test_an_edit_of_a_metric_changes_nothing_of_a_running_experiment() -> None:
    world = await running(World())
    world.cluster.put(metric(prometheus={"numerator": "other_sum", "denominator": "other_count"}))
    await world.run(seconds=300)
    sources = {request.design.metrics[0].source.numerator for request in world.analyzer.asked}  # type: ignore[union-attr]
    assert sources == {"plays_sum"}
    assert len(world.analyzer.asked) >= 4


async def test_a_promotion_changes_nothing_of_an_arm_that_is_the_stable_revision() -> None:
    world = await running(World())
    world.endpoint["status"]["stableRevision"] = "newstable1"
    world.cluster.remove("ControllerRevision", NAMESPACE, f"ranker-{STABLE}")
    await world.run(seconds=300)
    control = next(obj for obj in world.cluster.all("Deployment") if "control" in obj["metadata"]["name"])
    assert control["spec"]["template"]["spec"] == template("v1")["spec"] | {
        "automountServiceAccountToken": False,
        "priorityClassName": ARM_CLASS,
    }
    assert world.status.arms[0].revision == STABLE
    assert world.analyzer.asked[-1].fallback_revisions == (STABLE, "newstable1")
    assert world.status.phase == "Running"


async def test_an_arm_keeps_the_priority_that_its_template_asks_for() -> None:
    asked = template("v2")
    asked["spec"]["priorityClassName"] = "important"
    world = await running(World(), design={"arms": [CONTROL, {**TREATMENT, "template": asked}]})
    classes = {
        obj["metadata"]["labels"]["crossfade.dev/arm"]: obj["spec"]["template"]["spec"]["priorityClassName"]
        for obj in world.cluster.all("Deployment")
    }
    assert classes == {"control": ARM_CLASS, "treatment": "important"}


async def test_arms_are_judged_by_what_the_routers_counters_say_of_their_pods() -> None:
    world = await running(World())
    await world.run(seconds=120)
    asked = world.analyzer.asked[-1]
    backends = [
        Backend(one.revision, host="-", http_port=8080, arm=f"{NAME.name}.{one.name}") for one in world.status.arms
    ]
    assert [arm.revisions for arm in asked.arms] == [(one.served,) for one in backends]
    assert not {one.served for one in backends} & set(asked.fallback_revisions), "stable's own pods are others"


async def test_a_deployment_that_somebody_deletes_comes_back_as_it_was() -> None:
    world = await running(World())
    world.cluster.remove("ControllerRevision", NAMESPACE, f"ranker-{STABLE}")
    for deployment in world.cluster.all("Deployment"):
        world.cluster.remove("Deployment", NAMESPACE, deployment["metadata"]["name"])
    await world.run(seconds=120)
    assert world.arms() == {"two-tower.control", "two-tower.treatment"}
    assert world.status.phase == "Running"


async def test_the_slice_is_asked_for_with_what_the_serving_side_needs() -> None:
    world = await running(World())
    request = world.status.slice_request
    assert request is not None
    assert (request.id, request.positions) == (f"{world.obj()['metadata']['uid']}/1", 200)
    assert [(arm.label, arm.http_port, arm.weight) for arm in request.arms] == [
        ("two-tower.control", 8080, 1),
        ("two-tower.treatment", 8080, 1),
    ]


async def test_a_slice_that_is_refused_is_waited_for_with_the_reason_shown() -> None:
    world = World()
    world.full = "Experiment/other holds 80%, 10% is free"
    world.apply(experiment())
    await world.run(until=lambda: world.status.reason == "SliceRefused")
    assert world.status.message == world.full
    world.full = None
    await world.until_phase("Running")


async def test_arms_that_do_not_become_ready_are_shown_as_late_and_nobody_is_sent_to_them() -> None:
    world = World()
    world.crashing = {"treatment"}
    world.apply(experiment())
    await world.run(seconds=300)
    assert (world.status.phase, world.status.reason) == ("Approved", "ArmsStarting")
    await world.run(seconds=400)
    assert world.status.reason == "ArmsLate"
    assert "CrashLoopBackOff" in (world.status.message or "")
    assert (world.status.slice_request, world.actions) == (None, [])
    world.crashing = set()
    await world.until_phase("Running")


async def test_an_experiment_that_cannot_start_is_withdrawn_corrected_and_started() -> None:
    world = World()
    world.crashing = {"treatment"}
    world.apply(experiment())
    await world.run(seconds=60)
    world.edit(desiredState="Draft")
    await world.until_phase("Draft")
    await world.run(seconds=60)
    assert world.arms() == set()
    world.crashing = set()
    arms = [CONTROL, {**TREATMENT, "template": template("v3")}]
    world.apply(experiment(design={"arms": arms}))
    await world.until_phase("Running")
    assert world.actions == ["Run"]


# A run's ends ----------------------------------------------------------------------------------------------------


async def test_harm_ends_a_run_at_once_and_a_good_result_only_after_the_shortest_runtime() -> None:
    for judge, minutes, reason in ((scripted.worse, 1, "EvidenceOfHarm"), (scripted.better, 10, "ResultReached")):
        world = await running(World())
        world.analyzer.judge = judge
        started = world.status.started_at
        await world.until_phase("Stopped")
        stopped = world.status.transitions[-1]
        assert started is not None
        assert (stopped.reason, stopped.at - started) == (reason, timedelta(minutes=minutes))


async def test_the_longest_runtime_ends_a_run_without_a_result() -> None:
    world = await running(World())
    started = world.status.started_at
    await world.until_phase("Stopped")
    assert started is not None
    assert world.status.transitions[-1].reason == "MaxRuntimeReached"
    assert world.status.transitions[-1].at - started == timedelta(hours=1)


async def test_the_longest_runtime_also_ends_a_run_whose_analyzer_is_away() -> None:
    world = await running(World())
    world.analyzer.judge = scripted.away
    await world.until_phase("Interrupted")
    await world.until_phase("Stopped")
    assert world.status.transitions[-1].reason == "MaxRuntimeReached"
    world.decide("Abort")
    await world.run(seconds=600)
    assert world.status.phase == "Stopped"
    assert "the last look at the evidence is still to be taken" in (world.status.message or "")
    world.analyzer.judge = scripted.collecting
    await world.until_phase("Decided")


async def test_the_last_planned_look_ends_a_run() -> None:
    world = await running(World())
    world.analyzer.judge = lambda request, windows: answer(request, windows, final=True)
    await world.until_phase("Stopped")
    assert world.status.transitions[-1].reason == "PlanComplete"
    asked = len(world.analyzer.asked)
    await world.run(seconds=600)
    assert len(world.analyzer.asked) == asked, "nothing is asked after the last look"


async def test_asked_to_stop_it_stops_and_keeps_the_arms_until_no_router_sends_anybody() -> None:
    world = await running(World())
    world.serving_away = True
    world.edit(desiredState="Stopped")
    await world.until_phase("Stopped")
    await world.run(seconds=300)
    assert world.status.slice_request is None
    assert world.arms() == {"two-tower.control", "two-tower.treatment"}
    assert world.status.stopped_at is None
    world.serving_away = False
    await world.run(until=lambda: world.arms() == set())
    assert world.status.stopped_at is not None
    stop = next(spec for spec in world.decisions if spec["action"] == "Stop")
    assert (stop["basis"], stop["actor"]) == ("Human", "unnamed")
    run = next(spec for spec in world.decisions if spec["action"] == "Run")
    assert run["actor"] == "unnamed"


async def test_a_signature_speaks_for_the_state_that_it_names_and_for_no_later_one() -> None:
    world = await running(World(), signed="1/Running carol")
    world.edit(desiredState="Stopped")
    await world.until_phase("Stopped")
    assert [(spec["action"], spec["actor"]) for spec in world.decisions] == [("Run", "carol"), ("Stop", "unnamed")]


async def test_the_last_look_is_taken_after_the_last_user() -> None:
    world = await running(World())
    world.edit(desiredState="Stopped")
    await decidable(world)
    last = world.analyzer.asked[-1]
    assert last.ended
    assert last.stopped_at == world.status.stopped_at
    assert world.status.final


async def test_a_deleted_experiment_takes_its_arms_along_and_leaves_its_decisions() -> None:
    world = await running(World())
    world.delete()
    await world.run(until=lambda: not world.exists)
    assert world.arms() == set()
    assert world.holders() == set()
    assert world.actions == ["Run", "Stop"]
    stop = world.decisions[-1]
    assert (stop["reason"], stop["basis"], stop["actor"]) == ("Deleted", "Human", "unnamed")


async def test_a_deleted_experiment_and_its_arms_stay_while_users_may_be_in_them() -> None:
    world = await running(World())
    world.serving_away = True
    world.delete()
    await world.until_phase("Stopped")
    await world.run(seconds=600)
    assert world.exists
    assert world.arms() == {"two-tower.control", "two-tower.treatment"}
    assert world.status.slice_request is None
    world.serving_away = False
    await world.run(until=lambda: not world.exists)
    assert world.arms() == set()


async def test_a_namespace_that_takes_no_records_any_more_lets_a_deleted_experiment_go() -> None:
    world = await running(World())
    world.cluster.refuse_records = True
    world.delete()
    await world.run(until=lambda: not world.exists)
    assert (world.holders(), world.actions) == (set(), ["Run"])


@pytest.mark.parametrize("state", ["Draft", "Stopped"])
async def test_an_experiment_without_users_is_deleted_at_once(state: str) -> None:
    world = World()
    world.apply(experiment(desiredState="Draft"))
    if state == "Stopped":
        world = await running(World())
        world.edit(desiredState="Stopped")
    await world.run(seconds=600)
    assert str(world.status.phase) == state
    world.delete()
    assert not world.exists


# Interruptions ---------------------------------------------------------------------------------------------------
