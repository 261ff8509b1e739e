"""What may befall a run: no looks, no grant, failing arms, another run after it; and runs without users."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crossfade_analyzer.contract import Check, CheckName, ExperimentRequest
from crossfade_operator.ports.learning import Name
from tests.scenario.learning import analyst as scripted
from tests.scenario.learning.analyst import answer
from tests.scenario.learning.world import (
    CONTROL,
    DECIDER,
    DESIGN,
    NAMESPACE,
    World,
    decidable,
    experiment,
    metric,
    running,
)


@pytest.mark.parametrize(
    ("judge", "reason"),
    [(scripted.away, "AnalyzerUnavailable"), (scripted.broken, "ContractBroken")],
    ids=["the analyzer is away", "a contract is broken"],
)
async def test_without_looks_a_run_is_interrupted_keeps_its_users_and_goes_on_with_its_evidence(
    judge: Any, reason: str
) -> None:
    world = await running(World())
    await world.run(seconds=200)
    before = world.status
    world.analyzer.judge = judge
    await world.until_phase("Interrupted")
    assert world.status.reason == reason
    await world.run(seconds=300)
    assert world.holders() == {"Experiment/two-tower"}
    assert (world.status.evidence, world.status.windows) == (before.evidence, before.windows)
    world.analyzer.judge = scripted.collecting
    await world.until_phase("Running")
    assert world.phases[-2:] == ["Interrupted", "Running"]
    assert world.status.started_at == before.started_at
    assert world.status.windows > before.windows


async def test_without_its_grant_a_run_is_interrupted_and_nothing_is_asked() -> None:
    world = await running(World())
    world.full = "a rollout took everything"
    await world.until_phase("Interrupted")
    assert (world.status.reason, world.status.message) == ("GrantLost", world.full)
    asked = len(world.analyzer.asked)
    await world.run(seconds=300)
    assert len(world.analyzer.asked) == asked
    world.full = None
    await world.until_phase("Running")


async def test_an_arm_whose_pods_fail_is_shown_and_the_run_goes_on() -> None:
    world = await running(World())
    world.crashing = {"treatment"}
    await world.run(seconds=300)
    status, message = world.condition("ArmsReady")
    assert (world.status.phase, status) == ("Running", "False")
    assert "treatment: 0 of 2 pods are ready" in message
    assert len(world.analyzer.asked) >= 4


async def test_another_model_in_an_arm_makes_the_run_invalid_and_takes_its_users_out() -> None:
    world = await running(World())
    world.images["treatment"] = "swapped"
    await world.until_phase("Invalid")
    assert world.status.reason == "ModelChanged"
    await world.run(seconds=60)
    assert (world.arms(), world.holders()) == (set(), set())
    assert world.actions == ["Run", "Invalidate"]
    assert world.decisions[-1]["outcome"] == "Invalid"


async def test_a_check_that_failed_for_good_makes_the_run_invalid_at_its_end() -> None:
    world = await running(World())
    world.analyzer.judge = scripted.skewed
    await world.run(seconds=300)
    assert world.status.phase == "Running"
    assert not world.status.checks[0].passed
    world.edit(desiredState="Stopped")
    await world.until_phase("Invalid")
    assert world.actions == ["Run", "Stop", "Invalidate"]
    assert "not split" in world.decisions[-1]["message"]


# More runs, dry runs, A/A ------------------------------------------------------------------------------------------


async def test_another_run_begins_anew_and_supersedes_the_former_decision() -> None:
    world = World()
    world.analyzer.judge = scripted.worse
    await decidable(await running(world))
    world.decide("Abort")
    await world.until_phase("Decided")
    world.analyzer.judge = scripted.better
    world.edit(run=2, decision=None, design={**DESIGN, "slice": "10%"})
    await world.until_phase("Running")
    assert world.status.run == 2
    assert (world.status.results, world.status.decision) == ((), None)
    await decidable(world)
    world.decide("Ship")
    await world.until_phase("Decided")
    assert world.actions == ["Run", "Stop", "Abort", "Run", "Stop", "Ship"]
    assert world.decisions[-1]["supersedes"] == "two-tower-exp-000003"
    assert world.decisions[-1]["subject"]["attempt"] == 2
    assert len(world.analyzer.windows) == 2, "each run has evidence of its own"


async def test_a_new_run_waits_until_the_arms_of_the_one_before_are_gone() -> None:
    world = World()
    world.analyzer.judge = scripted.worse
    await running(world)
    world.serving_away = True
    world.images["treatment"] = "swapped"
    await world.until_phase("Invalid")
    world.edit(run=2)
    await world.run(seconds=300)
    assert (world.status.run, world.status.phase) == (1, "Invalid")
    world.images.clear()
    world.serving_away = False
    await world.run(until=lambda: world.status.run == 2)
    await world.until_phase("Running")


async def test_a_namesake_of_a_deleted_experiment_numbers_its_decisions_on() -> None:
    world = await running(World())
    world.delete()
    await world.run(until=lambda: not world.exists)
    await running(world)
    assert [obj["metadata"]["name"] for obj in world.cluster.all("Decision")] == [
        "two-tower-exp-000001",
        "two-tower-exp-000002",
        "two-tower-exp-000003",
    ]


async def test_a_dry_run_is_played_at_once_without_pods_users_or_decisions() -> None:
    world = World()
    values = [{"arm": "control", "value": "3"}, {"arm": "treatment", "value": "3.1"}]
    world.cluster.put(metric(mock={"requestsPerMinute": 500, "values": values}))
    began = world.clock.time
    world.analyzer.judge = lambda request, windows: (
        scripted.better(request, windows) if windows > 5 else scripted.collecting(request, windows)
    )
    world.apply(experiment(dryRun=True))
    await decidable(world)
    assert world.clock.time - began < timedelta(minutes=1)
    assert world.status.outcome == "Win"
    world.decide("Ship")
    await world.until_phase("Decided")
    assert (world.actions, world.arms(), world.holders(), world.status.decision) == ([], set(), set(), None)
    asked = world.analyzer.asked[0]
    assert asked.design.mock is not None
    assert {name: dict(made.values) for name, made in asked.design.mock.metrics.items()}["plays"].keys() == {
        "control",
        "treatment",
    }
    assert asked.since == began - timedelta(hours=1)


async def test_an_aa_experiment_out_of_tolerance_suspends_the_verdicts_of_others() -> None:
    world = World()
    world.names.append(Name(NAMESPACE, "aa"))

    def judge(request: ExperimentRequest, windows: int) -> Any:
        if "/aa/" not in request.subject:
            return scripted.better(request, windows)
        name = CheckName.FALSE_POSITIVE_RATE
        check = Check(name=name, passed=windows < 3, message="11% of tests at 5%")
        return answer(request, windows, checks=(check,))

    world.analyzer.judge = judge
    twin = {"name": "twin", "role": "Treatment", "revision": "Stable"}
    world.apply(experiment("aa", {"arms": [CONTROL, twin]}, type="AA"))
    await running(world, design={"minRuntime": "30m"})
    await world.until_phase("Interrupted")
    assert world.status.reason == "CalibrationOff"
    assert "11% of tests at 5%" in (world.status.message or "")
    before = world.status
    await world.run(seconds=1800)
    assert world.status.phase == "Interrupted", "no verdict is acted on"
    assert world.status.windows > before.windows, "evidence is kept all the same"
    assert world.status.recommended_at == before.recommended_at
    assert world.status_of("aa").phase == "Running"
    world.edit("aa", desiredState="Stopped")
    await world.run(seconds=60)
    world.edit("aa", decision={"action": "Abort", "by": DECIDER, "rationale": "the measuring is repaired"})
    world.edit("aa", desiredState="Archived")
    await world.run(until=lambda: world.status_of("aa").phase == "Archived")
    await world.until_phase("Stopped")
    assert world.status.transitions[-1].reason == "ResultReached"


async def test_exclusions_are_passed_on_for_all_arms_alike() -> None:
    world = await running(World())
    await world.run(seconds=90)
    world.edit(exclusions=[{"from": "2026-03-01T12:01:00Z", "to": "2026-03-01T12:02:00Z", "reason": "INC-1"}])
    await world.run(seconds=120)
    (excluded,) = world.analyzer.asked[-1].exclusions
    assert (excluded.reason, (excluded.end - excluded.start).total_seconds()) == ("INC-1", 60)
    assert world.analyzer.asked[0].exclusions == ()
