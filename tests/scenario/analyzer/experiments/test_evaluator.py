"""The whole evaluation against Prometheus in memory: what is counted, when it is looked at, and what faults do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from crossfade_analyzer.contract import (
    CheckName,
    ExperimentReason,
    ExperimentState,
    Fault,
    Method,
    MetricVerdict,
    Outcome,
    Recommendation,
)
from crossfade_analyzer.experiments.evaluator import GRACE_MS
from crossfade_analyzer.subjects import PlanChanged
from tests.fakes.experiments import CONTROL, ERRORS, LATENCY, PLAYS, TREATMENT, design, excluded
from tests.scenario.analyzer.experiments.conftest import MINUTE, World

EACH_MINUTE = 4 * 2 * 100 * 5


def checks(seen: object, name: CheckName) -> list[bool]:
    return [check.passed for check in seen.checks if check.name is name]  # type: ignore[attr-defined]


def test_every_request_since_the_start_is_counted_once_in_windows_of_an_interval(world: World) -> None:
    for _ in range(4):
        world.go()
        world.ask()
    windows = world.windows()
    assert [(w.number, w.end - w.start) for w in windows] == [(n, MINUTE) for n in (1, 2, 3, 4)]
    assert world.counted() == ((4 * 4 - 1) * 1000,) * 2  # counting begins at the first scrape after the start


def test_an_analyzer_that_was_away_takes_the_same_windows_afterwards(world: World) -> None:
    for _ in range(6):
        world.go()
    world.ask()
    assert [w.end - w.start for w in world.windows()] == [MINUTE] * 6
    assert world.counted() == ((6 * 4 - 1) * 1000,) * 2


def test_asking_again_without_new_samples_adds_nothing(world: World) -> None:
    world.go(100)
    first, second = world.ask(), world.ask()
    assert first == second
    assert world.kinds() == ["opened", "window", "plan"]


def test_before_the_end_of_a_fixed_horizon_there_is_no_number(world: World) -> None:
    world.go(300, errors=2)
    seen = world.ask()
    assert (seen.state, seen.recommendation) == (ExperimentState.COLLECTING, Recommendation.CONTINUE)
    assert [(m.verdict, m.control, m.absolute, m.z) for m in seen.metrics] == [
        (MetricVerdict.NOT_YET, None, None, None)
    ]
    assert 0 < seen.progress <= 1
    assert [arm.requests for arm in seen.arms] == list(world.counted())


def test_at_the_end_a_harmless_treatment_is_shipped_and_nothing_is_added_afterwards(world: World) -> None:
    world.go(660)
    seen = world.ask()
    assert (seen.final, seen.state, seen.recommendation) == (True, ExperimentState.JUDGED, Recommendation.SHIP)
    assert (seen.treatment, seen.outcome) == ("treatment", Outcome.WIN)
    world.go(300, errors=5)
    assert world.ask() == seen


def test_an_error_counts_for_the_assigned_arm_whoever_answered(world: World) -> None:
    world.prometheus.scrape()
    for _ in range(5):
        world.users("control", 5)
        world.users("treatment", 5)
        world.users("treatment", 5, errors=1, served="stable-1")
        world.prometheus.scrape()
    seen = world.ask()
    window = world.windows()[0]
    assert sum(window.requests[1]) == 2 * sum(window.requests[0])
    assert sum(window.counts["error-rate"][0][1]) == 75 * 2 * 3
    assert window.fallbacks == (0, sum(window.requests[1]) // 2)
    assert [arm.fallbacks for arm in seen.arms] == list(window.fallbacks)


def test_an_arm_that_fell_back_to_stable_makes_the_result_invalid(world: World) -> None:
    for _ in range(44):
        world.users("control", 5)
        world.users("treatment", 4)
        world.users("treatment", 1, served="stable-1")
        world.prometheus.scrape()
    seen = world.ask()
    assert (seen.final, seen.reason, seen.outcome) == (True, ExperimentReason.CHECK_FAILED, Outcome.INVALID)
    assert seen.recommendation is Recommendation.DISCUSS
    assert checks(seen, CheckName.FALLBACK) == [True, False]


def test_a_split_that_is_not_the_nominal_one_is_found_before_the_end(world: World) -> None:
    for _ in range(20):
        world.users("control", 8)
        world.users("treatment", 4)
        world.routers[0].served("new-ranker.control", 7, 9, served="control-1")
        world.prometheus.scrape()
    seen = world.ask()
    assert (seen.state, seen.reason, seen.outcome) == (
        ExperimentState.JUDGED,
        ExperimentReason.CHECK_FAILED,
        Outcome.INVALID,
    )
    assert checks(seen, CheckName.SAMPLE_RATIO) == [False]
    assert "33.2" in seen.message


def test_weights_are_what_the_split_is_held_against(world: World) -> None:
    heavier = CONTROL.model_copy(update={"weight": Decimal(2)})
    world.go(300, control=8, treatment=4)
    assert checks(world.ask(arms=(heavier, TREATMENT)), CheckName.SAMPLE_RATIO) == [True]


def test_an_arm_nobody_was_sent_to_is_no_window_of_zeros(world: World) -> None:
    for _ in range(8):
        world.users("control", 5)
        world.prometheus.scrape()
    seen = world.ask()
    assert (seen.state, seen.fault, seen.windows) == (ExperimentState.CANNOT_JUDGE, Fault.ARM_MISSING, 0)
    assert seen.reason is ExperimentReason.INSUFFICIENT_DATA


def test_users_who_come_after_the_first_interval_are_counted(world: World) -> None:
    """Nobody came in the first one: the first window reaches as far as there are users, and the next ones follow."""
    world.go(120, control=0, treatment=0)
    asked = world.ask()
    assert (asked.fault, asked.windows) == (Fault.NOTHING_SCRAPED_YET, 0)
    world.go()
    assert world.ask().windows == 1
    world.go()
    world.ask()
    first, second = world.windows()
    assert (first.end - first.start, second.end - second.start) == (3 * MINUTE, MINUTE)
    assert world.counted() == (2 * 4 * 1000,) * 2


def test_an_arm_that_starts_late_is_told(world: World) -> None:
    for number in range(44):
        world.users("control", 5)
        if number >= 20:
            world.users("treatment", 10)
        world.prometheus.scrape()
    assert checks(world.ask(), CheckName.START_SKEW) == [False]


def test_harm_is_found_at_an_interim_look_of_a_group_sequential_design(world: World) -> None:
    asked = design(method=Method.GROUP_SEQUENTIAL, looks=4, max_runtime_seconds=900.0)
    seen = None
    for _ in range(9):
        world.go(errors=4)
        seen = world.ask(design=asked)
    assert seen is not None
    assert (seen.final, seen.recommendation, seen.reason) == (
        False,
        Recommendation.ABORT,
        ExperimentReason.DETERIORATION,
    )
    (metric,) = seen.metrics
    assert (metric.verdict, metric.z) == (MetricVerdict.INFERIOR, None)
    assert metric.harm_z is not None
    assert metric.harm_bound is not None
    assert metric.harm_z >= metric.harm_bound
    assert [look.number for look in world.looks()] == sorted({look.number for look in world.looks()})


def test_what_was_found_at_a_look_stays_found(world: World) -> None:
    asked = design(method=Method.GROUP_SEQUENTIAL, looks=4, max_runtime_seconds=900.0)
    for _ in range(8):
        world.go(errors=4)
        world.ask(design=asked)
    found = world.looks()[-1].included[0]
    for _ in range(28):  # then it is control that fails, and all in all nobody is worse
        world.users("control", 5, errors=5)
        world.users("treatment", 5)
        world.prometheus.scrape()
    seen = world.ask(design=asked)
    last = world.looks()[-1].included[0]
    assert found.harmed
    assert seen.final
    assert last.harm_z is not None
    assert last.harm_bound is not None
    assert last.harm_z < last.harm_bound
    assert last.harmed
    assert seen.metrics[0].verdict is MetricVerdict.INFERIOR


def test_an_always_valid_design_is_looked_at_at_every_window_and_ships_from_the_shortest_run_time(
    world: World,
) -> None:
    asked = design(method=Method.ALWAYS_VALID)
    for minute in range(1, 13):
        world.go()
        seen = world.ask(design=asked)
        assert seen.look == len(world.windows()) if world.looks() else minute < 3
        if seen.until and (seen.until.timestamp() * 1000 - world.since) < 600_000:
            assert seen.recommendation is Recommendation.CONTINUE
    assert (seen.final, seen.recommendation) == (False, Recommendation.SHIP)
    assert world.ask(design=asked, stopped_ms=world.windows()[-1].end).final


def test_a_stopped_experiment_is_judged_on_what_was_counted_until_then(world: World) -> None:
    world.go(150)
    stopped = world.prometheus.now_ms
    world.go(60, errors=5)
    seen = world.ask(stopped_ms=stopped)
    assert (seen.final, world.windows()[-1].end) == (True, stopped)
    assert world.looks()[0].cause == "stopped"
    assert sum(sum(w.counts["error-rate"][0][1]) for w in world.windows()) == 0


def test_a_stopped_experiment_without_prometheus_is_judged_after_a_while_on_what_there_is(world: World) -> None:
    world.go(100)
    world.ask()
    stopped = world.prometheus.now_ms + 40_000
    for target in world.targets:
        target.exporter.failing = True
    world.prometheus.scrape(120)
    waiting = world.ask(stopped_ms=stopped)
    world.prometheus.now_ms = stopped + GRACE_MS
    given_up = world.ask(stopped_ms=stopped)
    assert (waiting.final, waiting.fault) == (False, Fault.TARGET_DOWN)
    assert (given_up.final, given_up.fault) == (True, None)
    assert given_up.recommendation in (Recommendation.EXTEND, Recommendation.SHIP, Recommendation.DISCUSS)


def test_an_experiment_without_any_window_ends_without_a_result(world: World) -> None:
    world.prometheus.now_ms += 60 * MINUTE + GRACE_MS
    seen = world.ask()
    assert (seen.final, seen.windows, seen.outcome) == (True, 0, Outcome.NOT_READY)
    assert seen.recommendation is Recommendation.DISCUSS
    assert seen.reason is ExperimentReason.INSUFFICIENT_DATA


def test_a_design_that_changed_is_refused_and_says_where(world: World) -> None:
    world.go(120)
    world.ask()
    with pytest.raises(PlanChanged, match=r"design\.alpha: stored \"0\.05\", given \"0\.1\""):
        world.ask(design=design(alpha="0.1"))


def test_latency_is_judged_at_the_bound_nearest_to_stables_p90(world: World) -> None:
    for _ in range(20):
        world.users("stable", 20, served="stable-1", slow=4)
        world.prometheus.scrape()
    world.since = world.prometheus.now_ms
    asked = design(metrics=(ERRORS, LATENCY))
    world.go(300, slow=2)
    world.ask(design=asked)
    assert world.kinds()[:3] == ["opened", "bounds", "plan"]
    counts = world.windows()[0].counts["latency"][0]
    assert sum(counts[0]) == sum(world.windows()[0].requests[0]) // 5  # slower than 100ms: 1 of 5


def test_two_evaluators_at_once_append_each_window_and_look_once(world: World) -> None:
    evaluators = [world.another() for _ in range(3)]
    for _ in range(11):
        world.go()
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(world.ask, evaluators * 2))
        assert len({answer.digest for answer in answers}) == 1
    assert world.kinds() == ["opened", "window", "plan", *["window"] * 9, "look"]


def test_a_forgotten_state_is_rebuilt_to_the_same_bits(world: World) -> None:
    forgetful = world.another(remembered=1)
    asked = design(method=Method.GROUP_SEQUENTIAL, looks=4)
    for number in range(8):
        world.go(errors=number % 2)
        one = world.ask(design=asked)
        world.ask(forgetful, subject="Experiment/another", design=asked)
        assert world.ask(forgetful, design=asked) == one


FAULTS = {
    "router down": (Fault.TARGET_DOWN, lambda w: setattr(w.routers[1], "failing", True)),
    "label dropped": (Fault.RELABELLED, lambda w: setattr(w.targets[0], "drop", frozenset({"arm"}))),
    "bucket dropped": (Fault.RELABELLED, lambda w: setattr(w.targets[0], "drop", frozenset({"abucket"}))),
    "nothing scraped": (Fault.STALE, lambda w: [w.prometheus.remove(t) for t in list(w.targets)]),
    "not a number": (Fault.NOT_A_NUMBER, lambda w: w.routers[0].change(lambda *_: "NaN", "envoy_crossfade_requests")),
    "negative": (Fault.NEGATIVE, lambda w: w.routers[0].change(lambda *_: -1.0, "envoy_crossfade_requests")),
    "gone": (Fault.VANISHED, lambda w: w.routers[0].change(lambda *_: None, "envoy_crossfade_requests")),
}


@pytest.mark.parametrize(("fault", "cause"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_and_leaves_earlier_windows_as_they_are(world: World, fault: Fault, cause: object) -> None:
    world.go(150)
    world.ask()
    before = list(world.store.chain(world.ask().subject))
    cause(world)  # type: ignore[operator]
    for _ in range(3):
        world.prometheus.scrape(50)
    seen = world.ask()
    assert (seen.state, seen.fault) == (ExperimentState.CANNOT_JUDGE, fault)
    assert seen.recommendation is Recommendation.CONTINUE
    assert list(world.store.chain(seen.subject))[: len(before)] == before
    assert max(map(sum, world.windows()[-1].requests)) <= 4 * 1000


def test_counts_of_an_outage_fall_into_the_window_after_it(world: World) -> None:
    world.go(150)
    world.ask()
    for router in world.routers:
        router.failing = True
    world.go(30 * 60)
    down = world.ask()
    for router in world.routers:
        router.failing = False
    world.go(120)
    healed = world.ask()
    lengths = [w.end - w.start for w in world.windows()]
    assert (down.fault, healed.fault) == (Fault.TARGET_DOWN, None)
    assert [length for length in lengths if length > MINUTE]
    assert sum(lengths) % MINUTE == 0
    total = world.counted()
    assert total[0] == total[1] >= (30 * 60 + 150) // 15 * 1000


def test_a_metric_of_ones_own_that_breaks_stops_only_itself(world: World) -> None:
    asked = design(metrics=(ERRORS, PLAYS))
    world.serve()
    world.plays(control=2.0, treatment=2.0)
    for _ in range(4):
        world.plays(control=2.0, treatment=2.0)
        world.go()
    world.ask(design=asked)
    world.server.change(lambda *_: None, "plays_sum")
    world.go(120)
    seen = world.ask(design=asked)
    assert (seen.state, seen.fault) == (ExperimentState.CANNOT_JUDGE, Fault.VANISHED)
    assert {m.metric: m.verdict for m in seen.metrics} == {
        "error-rate": MetricVerdict.NOT_YET,
        "plays": MetricVerdict.CANNOT_JUDGE,
    }
    assert "plays" not in world.windows()[-1].counts
    assert seen.windows == len(world.windows()) > 4


def test_a_metric_that_was_missing_at_the_end_is_no_result(world: World) -> None:
    asked = design(metrics=(ERRORS, PLAYS), max_runtime_seconds=660.0)
    world.go(720)
    world.prometheus.scrape(GRACE_MS / 1000)
    seen = world.ask(design=asked)
    assert (seen.final, seen.outcome) == (True, Outcome.INVALID)
    assert False in checks(seen, CheckName.MISSING_DATA)


def test_windows_that_touch_an_exclusion_count_for_no_arm(world: World) -> None:
    world.go(240)
    incident = world.prometheus.now_ms
    world.go(120, errors=20)
    over = world.prometheus.now_ms
    world.go(360)
    without = world.ask()
    assert without.recommendation is not Recommendation.SHIP
    seen = world.ask(exclusions=(excluded(incident, over),))
    assert seen.final
    assert seen.recommendation is Recommendation.DISCUSS
    assert seen.reason is ExperimentReason.EXCLUSIONS_MATTER
    assert seen.without_exclusions is not None
    assert seen.without_exclusions.recommendation is without.recommendation
    (metric,) = seen.metrics
    assert metric.control is not None
    assert metric.treated is not None
    assert metric.treated.events == 0
    assert metric.control.total == metric.treated.total == world.counted()[0] - 2 * 4 * 1000
    assert world.kinds()[-2:] == ["exclusions", "look"]


def test_an_exclusion_that_touches_nothing_changes_nothing(world: World) -> None:
    world.go(660)
    first = world.ask()
    again = world.ask(exclusions=(excluded(world.since - 2 * MINUTE, world.since - MINUTE),))
    assert (again.recommendation, again.without_exclusions) == (first.recommendation, None)
    assert world.looks()[-1] == world.looks()[0]


def test_time_that_cannot_be_read_is_stepped_over_once_it_is_excluded(world: World) -> None:
    world.routers[0].started -= 3600
    world.go(150)
    world.ask()
    begun = world.prometheus.now_ms
    world.routers[0].change(lambda *_: 1.0, "envoy_crossfade_requests")
    world.go(180)
    stuck = world.ask()
    mended = world.ask(exclusions=(excluded(begun - 1000, world.prometheus.now_ms - 90_000),))
    assert stuck.fault is Fault.DECREASING
    assert (mended.fault, mended.windows) == (None, stuck.windows + 1)
