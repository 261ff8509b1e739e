"""Who may start, who may decide, and what that takes: reviews, deliberation, overrides and emergencies."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crossfade_operator.core.revision import revision_of
from tests.scenario.learning import analyst as scripted
from tests.scenario.learning.world import (
    DECIDER,
    DESIGN,
    METRICS,
    NAMESPACE,
    OWNER,
    World,
    decidable,
    experiment,
    metric,
    running,
)

# Before the start --------------------------------------------------------------------------------------------------


async def in_review(world: World, **spec: object) -> World:
    world.apply(experiment(**spec))
    await world.run(seconds=60)
    assert world.status.phase == "InReview"
    return world


async def test_a_design_waits_for_as_many_approvals_as_the_policy_asks_for() -> None:
    world = await in_review(World(reviews={"approvals": 2}))
    world.review("Approve", "bob")
    await world.run(seconds=60)
    assert (world.status.phase, world.status.reason, world.status.approvals) == ("InReview", "ApprovalMissing", 1)
    assert "1 of 2 approvals (by bob)" in (world.status.message or "")
    world.review("Approve", "bob")
    await world.run(seconds=60)
    assert world.status.phase == "InReview", "one person is one approval"
    world.review("Approve", "carol")
    await world.until_phase("Running")


async def test_a_design_that_leaves_the_endpoints_way_does_not_start() -> None:
    world = World(evaluation={"guardrails": ["error-rate", "plays", "latency"], "minRuntime": "14m"})
    world.apply(experiment())
    await world.run(seconds=60)
    assert world.status.phase == "InReview"
    told = world.status.message or ""
    assert "policy.evaluation.guardrails of the endpoint: give latency the role Guardrail" in told
    assert f"let the experiment run for 14m at least (design.minRuntime), not {DESIGN['minRuntime']}" in told
    asked = {"metric": "latency", "role": "Guardrail", "margin": {"relative": "10%"}}
    world.apply(experiment(design={"metrics": [*DESIGN["metrics"], asked], "minRuntime": "14m"}))
    await world.until_phase("Running")


@pytest.mark.parametrize("name", [OWNER, DECIDER])
async def test_nobody_approves_their_own_design_where_the_policy_says_so(name: str) -> None:
    strict = await in_review(World(reviews={"approvals": 1}))
    strict.review("Approve", name)
    await strict.run(seconds=60)
    assert strict.status.phase == "InReview"
    lenient = await in_review(World(reviews={"approvals": 1, "ownApproval": "Counts"}))
    lenient.review("Approve", name)
    await lenient.until_phase("Running")


async def test_an_approval_of_another_design_does_not_count() -> None:
    world = await in_review(World(reviews={"approvals": 1}))
    seen = world.status.design_hash
    world.edit(design={**DESIGN, "slice": "10%"})
    world.review("Approve", "bob", design=seen)
    await world.run(seconds=60)
    assert world.status.phase == "InReview"
    world.review("Approve", "bob")
    await world.until_phase("Running")


async def test_approvals_of_a_deleted_experiment_are_none_of_its_namesake() -> None:
    world = await in_review(World(reviews={"approvals": 1}))
    world.review("Approve", "bob")
    world.delete()
    await world.run(seconds=60)
    await in_review(world)
    assert (world.status.reason, world.status.approvals) == ("ApprovalMissing", 0)
    world.review("Approve", "bob")
    await world.until_phase("Running")


async def test_an_edited_metric_makes_another_design_that_has_to_be_approved_anew() -> None:
    world = await in_review(World(reviews={"approvals": 1}))
    seen = world.status.design_hash
    world.cluster.put(metric(prometheus={"numerator": "other_sum", "denominator": "plays_count"}))
    world.review("Approve", "bob", design=seen)
    await world.run(seconds=60)
    assert world.status.phase == "InReview"
    assert world.status.design_hash != seen


async def test_a_request_for_changes_blocks_until_the_same_person_approves() -> None:
    world = await in_review(World(reviews={"approvals": 1}))
    world.review("RequestChanges", "carol")
    world.review("Approve", "bob")
    await world.run(seconds=60)
    assert (world.status.phase, world.status.reason) == ("InReview", "ChangesRequested")
    assert "carol asks for changes: because" in (world.status.message or "")
    world.clock.time += timedelta(seconds=1)
    world.review("Approve", "carol")
    await world.until_phase("Running")


async def test_everything_that_stands_against_a_design_is_shown_at_once() -> None:
    world = World(maxExperimentSlice="10%", reviews={"approvals": 1})
    world.cluster.remove("Metric", NAMESPACE, "plays")
    world.analyzer.broken_metrics = {"skips": "no series has the label abucket"}
    world.cluster.put(metric("skips", growsWithTime=True))
    skips = {"metric": "skips", "role": "Deterioration"}
    pinned = {"metric": "stars@0123456789", "role": "Deterioration"}
    await in_review(world, design={"metrics": [*METRICS, skips, pinned]})
    for part in (
        "a slice of 20% does not fit",
        "there is no Metric 'plays'",
        "there is no revision 0123456789 of Metric 'stars'",
        "metric skips grows with time",
        "0 of 1 approvals",
    ):
        assert part in (world.status.message or ""), part
    assert world.condition("Planned")[0] == "False"


async def test_a_broken_contract_keeps_a_design_from_starting() -> None:
    world = World()
    world.analyzer.broken_metrics = {"plays": "no series has the label abucket"}
    await in_review(world)
    assert "metric plays: no series has the label abucket" in (world.status.message or "")
    world.analyzer.broken_metrics = {}
    await world.until_phase("Running")


async def test_without_the_analyzer_nothing_is_started() -> None:
    world = World()
    world.analyzer.planner_away = True
    await in_review(world)
    assert "connection refused" in (world.status.message or "")
    world.analyzer.planner_away = False
    await world.until_phase("Running")


async def test_a_metric_is_used_in_the_revision_that_is_pinned_although_it_was_edited_since() -> None:
    world = World()
    old = metric()
    spec = revision_of(scripted_spec(old))
    world.cluster.put(
        {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {"name": f"metric-plays-{spec}", "namespace": NAMESPACE},
            "data": {"spec": scripted_spec(old)},
        }
    )
    world.cluster.put(metric(prometheus={"numerator": "other_sum", "denominator": "other_count"}))
    pinned = {**METRICS[0], "metric": f"plays@{spec}"}
    await running(world, design={"metrics": [pinned, METRICS[1]]})
    await world.run(seconds=120)
    used = world.analyzer.asked[-1].design.metrics[0]
    assert used.source is not None
    assert (used.source.numerator, used.revision) == ("plays_sum", f"plays@{spec}")


def scripted_spec(obj: dict[str, object]) -> dict[str, object]:
    from crossfade_operator.api.metric import MetricSpec

    return MetricSpec.model_validate(obj["spec"]).manifest()


# The decision ------------------------------------------------------------------------------------------------------


async def stopped(judge: scripted.Judge, **policy: object) -> World:
    world = World(**policy)
    world.analyzer.judge = judge
    return await decidable(await running(world))


async def test_only_the_decision_maker_decides() -> None:
    world = await stopped(scripted.better)
    world.decide("Ship", by="bob")
    await world.run(seconds=300)
    assert (world.status.phase, world.status.reason) == ("Stopped", "DecisionIncomplete")
    assert "spec.decision.by is bob, but ana decides" in (world.status.message or "")
    assert "Ship" not in world.actions


async def test_against_the_recommendation_another_person_has_to_agree_with_a_reason() -> None:
    world = await stopped(scripted.worse)
    world.decide("Ship")
    await world.run(seconds=60)
    assert "Ship is against the recommendation (Abort)" in (world.status.message or "")
    world.review("Approve", "bob", action="Ship")
    world.review("Approve", DECIDER, action="Ship", reason="I want it")
    world.review("Approve", "carol", action="Abort", reason="this is the right thing")
    world.review("Approve", "dave", reason="fine")
    await world.run(seconds=60)
    assert world.status.phase == "Stopped", "without a reason, by oneself, for something else: none of it counts"
    world.clock.time += timedelta(seconds=1)
    world.review("Approve", "bob", action="Ship", reason="the loss is worth the speed")
    world.review("Dissent", "erin")
    await world.until_phase("Decided")
    ship = world.decisions[-1]
    assert (ship["action"], ship["basis"], ship["recommendation"]) == ("Ship", "Human", "Abort")
    assert "Dissent" in {note["verdict"] for note in ship["reviews"]}


async def test_an_agreement_from_before_the_result_does_not_count() -> None:
    world = await running(World())
    world.review("Approve", "bob", action="Ship", reason="it will be great")
    world.clock.time += timedelta(seconds=5)
    world.analyzer.judge = scripted.worse
    await decidable(world)
    world.decide("Ship")
    await world.run(seconds=60)
    assert world.status.phase == "Stopped"


async def test_to_abort_without_a_recommendation_needs_nobody_else_and_to_ship_does() -> None:
    world = await stopped(scripted.collecting)
    world.decide("Ship")
    await world.run(seconds=60)
    assert "against the recommendation (none)" in (world.status.message or "")
    world.decide("Abort")
    await world.until_phase("Decided")
    assert (world.decisions[-1]["basis"], world.decisions[-1]["outcome"]) == ("Human", "NotReady")


async def test_a_ship_waits_for_the_deliberation_and_an_abort_does_not() -> None:
    world = await stopped(scripted.better, reviews={"deliberation": "2h"})
    since = world.status.recommended_at
    assert since is not None
    world.decide("Ship")
    await world.run(seconds=60)
    assert "people may deliberate until" in (world.status.message or "")
    await world.until_phase("Decided")
    assert world.status.transitions[-1].at >= since + timedelta(hours=2)
    quick = await stopped(scripted.worse, reviews={"deliberation": "2h"})
    quick.decide("Abort")
    began = quick.clock.time
    await quick.until_phase("Decided")
    assert quick.clock.time - began < timedelta(minutes=1)


async def test_an_emergency_acts_at_once_and_is_reviewed_by_another_person_afterwards() -> None:
    world = await running(World(reviews={"deliberation": "2h"}))
    began = world.clock.time
    world.decide("Abort", lane="Emergency", rationale="the pager goes")
    await world.until_phase("Decided")
    assert world.clock.time - began < timedelta(minutes=1)
    stop, abort = world.decisions[-2:]
    assert (stop["action"], stop["basis"], stop["actor"]) == ("Stop", "Emergency", DECIDER)
    assert (abort["action"], abort["basis"], abort["rationale"]) == ("Abort", "Emergency", "the pager goes")
    await world.run(seconds=60)
    assert world.condition("ReviewDue")[0] == "True"
    about = {"kind": "Decision", "name": world.status.decision}
    world.review("Approve", DECIDER, subject=about)
    await world.run(seconds=60)
    await world.turn()
    assert world.condition("ReviewDue")[0] == "True", "one's own review does not count"
    world.edit(run=2, desiredState="Draft", decision=None)
    await world.until_phase("Draft")
    await world.run(seconds=60)
    assert world.condition("ReviewDue")[0] == "True", "a new run does not pay for the emergency of the last one"
    world.review("RequestChanges", "bob", subject=about)
    await world.turn()
    assert world.condition("ReviewDue")[0] == "False"


async def test_an_emergency_of_somebody_else_is_none() -> None:
    world = await running(World())
    world.decide("Abort", by="mallory", lane="Emergency")
    await world.run(seconds=300)
    assert world.status.phase == "Running"
    assert world.actions == ["Run"]


async def test_what_was_decided_before_it_could_be_is_told_in_the_review() -> None:
    world = World()
    world.apply(experiment(decision={"action": "Ship", "by": DECIDER, "rationale": "why wait"}))
    await world.run(seconds=60)
    assert world.status.phase == "InReview"
    assert "spec.decision is set before there is anything to decide" in (world.status.message or "")


# Records that cannot be written -----------------------------------------------------------------------------------


async def test_without_its_record_nobody_gets_users() -> None:
    world = World()
    world.cluster.refuse_records = True
    world.apply(experiment())
    await world.run(seconds=300)
    assert (world.status.phase, world.status.reason) == ("Approved", "RecordRefused")
    assert (world.status.slice_request, world.holders()) == (None, set())
    world.cluster.refuse_records = False
    await world.until_phase("Running")
    assert world.actions == ["Run"]


async def test_without_its_record_a_stop_takes_the_users_out_all_the_same() -> None:
    world = await running(World())
    world.cluster.refuse_records = True
    world.analyzer.judge = scripted.worse
    await world.run(seconds=120)
    assert (world.status.phase, world.status.reason, world.holders()) == ("Running", "RecordRefused", set())
    world.cluster.refuse_records = False
    await world.until_phase("Stopped")
    assert world.actions == ["Run", "Stop"]
    assert world.status.transitions[-1].reason == "EvidenceOfHarm"
