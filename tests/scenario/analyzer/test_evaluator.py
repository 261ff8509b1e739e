"""The whole evaluation against Prometheus in memory: what is counted, and what is never counted."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from crossfade_analyzer.contract import Evaluation, Fault, MetricKind, MetricPlan, Verdict
from crossfade_analyzer.snapshots import Kind
from crossfade_analyzer.subjects import PlanChanged
from crossfade_analyzer.verification import verify
from tests.fakes.exporter import Exporter, Router
from tests.fakes.requests import ERRORS, LATENCY, own_metric
from tests.scenario.analyzer.conftest import World, begun


def test_every_request_after_the_first_scrape_is_counted_once(world: World) -> None:
    world.prometheus.scrape()  # the first scrape after the exposure: counting begins here
    for _ in range(6):
        world.go(30)
        world.ask()
    assert world.counted() == (6 * 2 * 2 * 900, 6 * 2 * 2 * 100)


def test_a_new_series_of_a_known_target_counts_in_full(world: World) -> None:
    world.prometheus.scrape()
    world.go(15)
    assert world.ask().requests.candidate == 200


def test_counts_before_the_first_exposure_do_not_count(world: World) -> None:
    world.users("stable", 1000)
    world.prometheus.scrape()
    world.go(30)
    assert world.ask().requests.control == 2 * 2 * 900


def test_the_warm_up_is_dropped_from_both_arms(world: World) -> None:
    world.go(60)
    early = world.ask(warmup_seconds=120.0)
    world.go(90)
    late = world.ask(warmup_seconds=120.0)
    assert (early.fault, early.look) == (Fault.WARMING_UP, 0)
    assert late.requests.control == 9 * late.requests.candidate
    assert late.requests.candidate == 2 * 200  # between the scrapes 120, 135 and 150 s after the exposure


def test_asking_again_without_new_samples_adds_nothing(world: World) -> None:
    begun(world)
    first, second = world.ask(), world.ask()
    assert first == second
    assert len(world.looks()) == 1


def test_a_restarted_router_counts_from_zero(world: World) -> None:
    begun(world)
    before = world.counted()
    world.go(15)
    world.routers[0].restart()
    world.go(15)
    world.ask()
    added = (world.counted()[0] - before[0], world.counted()[1] - before[1])
    assert added == (2 * 2 * 900, 2 * 2 * 100)


def test_a_new_router_counts_in_full_from_its_start(world: World) -> None:
    begun(world)
    before = world.counted()[1]
    world.routers.append(Router("recs/ranker", world.prometheus.seconds))
    world.prometheus.target(world.routers[-1])
    world.go(30)
    world.ask()
    assert world.counted()[1] - before == 3 * 2 * 100


def test_a_router_that_does_not_tell_its_start_begins_with_its_first_scrape(world: World) -> None:
    begun(world)
    before = world.counted()[1]
    world.routers.append(Router("recs/ranker", world.prometheus.seconds))
    world.routers[-1].tells_start = False
    world.prometheus.target(world.routers[-1])
    world.go(30)
    world.ask()
    assert world.counted()[1] - before == (2 * 2 + 1) * 100


def test_a_dying_routers_last_scrape_counts(world: World) -> None:
    begun(world)
    before = world.counted()[1]
    world.go(15)
    world.prometheus.now_ms += 1000
    world.prometheus.remove(world.targets[1])
    world.routers.pop()
    world.go(15)
    world.ask()
    assert world.counted()[1] - before == (2 + 1) * 100


def test_a_late_scrape_waits_for_the_next_look_and_loses_nothing(world: World) -> None:
    begun(world)
    before = world.counted()[1]
    world.go(15)
    world.users("candidate", 1)
    world.prometheus.scrape(only=[world.targets[0]])  # the other router's is late
    world.ask()
    between = world.counted()[1] - before
    world.prometheus.scrape(20)
    world.ask()
    assert between <= 200
    assert world.counted()[1] - before == 400


def test_a_request_answered_by_stable_in_the_candidates_place_is_one_failure(world: World) -> None:
    world.prometheus.scrape()
    world.users("stable", 9)
    world.users("candidate", 3, errors=1)
    world.users("candidate", 2, errors=1, served="old")
    world.prometheus.scrape()
    look = world.ask() and world.looks()[0]
    assert sum(look.requests[1]) == 2 * 500
    assert sum(look.counts["error-rate"][0][1]) == 2 * 25 + 2 * 200


@pytest.mark.parametrize("served", ["", "-"])
def test_a_request_nobody_answered_is_the_candidates(world: World, served: str) -> None:
    world.prometheus.scrape()
    world.users("stable", 9)
    world.users("candidate", 1, errors=1, served=served)
    world.prometheus.scrape()
    look = world.ask() and world.looks()[0]
    assert (sum(look.requests[1]), sum(look.counts["error-rate"][0][1])) == (200, 50)


def with_bounds(world: World) -> World:
    """A world whose latency bound is chosen: a tenth of stable's requests took longer than 25 ms."""
    for _ in range(3):
        world.users("stable", 20, slower={"25ms": 2, "100ms": 0})
        world.users("candidate", 2)
        world.prometheus.scrape()
    world.ask(metrics=(ERRORS, LATENCY))
    return world


def test_a_fallback_is_a_failure_and_not_late_as_well(world: World) -> None:
    """Its two tries take longer than one, also where both models fail the same requests."""
    with_bounds(world)
    world.users("stable", 20)
    world.users("candidate", 3, slower={"25ms": 1})
    world.users("candidate", 2, slower={"25ms": 2}, served="old")
    world.prometheus.scrape()
    world.ask(metrics=(ERRORS, LATENCY))
    late, answered = world.looks()[-1].counts["latency/25ms"]
    assert (sum(late[1]), answered and sum(answered[1]), sum(world.looks()[-1].requests[1])) == (200, 600, 1000)
    assert sum(world.looks()[-1].counts["error-rate"][0][1]) == 400


def test_without_the_error_rate_a_fallback_is_as_late_as_users_met_it(world: World) -> None:
    """Else a candidate that answers nobody would pass a plan that looks at latency alone."""
    with_bounds(world)
    subject = "ModelRollout/recs/ranker/uid/new/2"
    world.go(30)
    world.ask(metrics=(LATENCY,), subject=subject)
    world.users("stable", 20)
    world.users("candidate", 2, slower={"25ms": 2}, served="old")
    world.prometheus.scrape()
    world.ask(metrics=(LATENCY,), subject=subject)
    late, totals = world.looks(subject)[-1].counts["latency/25ms"]
    assert (sum(late[1]), totals) == (400, None)


def test_a_predecessors_tail_is_no_evidence(world: World) -> None:
    world.prometheus.scrape()
    world.users("stable", 9)
    world.users("candidate", 1)
    world.users("candidate", 7, errors=7, served="older")
    world.prometheus.scrape()
    world.ask()
    assert world.counted() == (1800, 200)


def test_testers_and_requests_without_a_unit_are_nobodys(world: World) -> None:
    world.prometheus.scrape()
    world.go(15)
    for bucket in ("none", "forced"):
        world.routers[0].served("candidate", bucket, 1000, 1000)
        world.routers[0].served("unassigned", bucket, 1000, 1000)
    world.go(15)
    world.ask()
    assert world.counted() == (2 * 1800, 400)


def test_a_changed_step_is_a_look_of_its_own(world: World) -> None:
    begun(world)
    world.go(30)
    changed = world.prometheus.now_ms + 5_000
    world.prometheus.now_ms = changed
    world.go(45, stable=5, candidate=5)
    world.ask(step=1, share="0.5", step_at_ms=changed)
    shares = [(look.step, str(look.share), sum(look.requests[1])) for look in world.looks()[1:]]
    # The scrape at 75 s is within the 10 s before the change, the one at 95 s straddles it: neither step counts them.
    assert shares == [(0, "0.1", 200), (1, "0.5", 2 * 1000)]


def test_a_step_that_just_began_waits_for_its_scrapes(world: World) -> None:
    begun(world)
    changed = world.prometheus.now_ms + 1
    seen = world.ask(step=1, share="0.5", step_at_ms=changed)
    assert seen.requests.candidate_in_step == 0
    world.go(45, stable=5, candidate=5)
    assert world.ask(step=1, share="0.5", step_at_ms=changed).requests.candidate_in_step == 2 * 1000


def shifted(world: World, errors: int = 0, *, shifting: bool) -> Evaluation:
    """Four looks while 30 % of the users get the candidate, though 10 % are its step's share."""
    for _ in range(4):
        for bucket in range(100):
            world.routers[0].served("candidate", bucket, bucket % 3, 0)  # buckets differ
        world.go(30, stable=7, candidate=3, errors=errors)
        seen = world.ask(shifting=shifting)
    return seen


def test_a_split_that_is_changing_raises_no_alarm_and_harm_is_still_found(world: World) -> None:
    """One of two routers has the next step's share already, and the other one does not confirm."""
    begun(world)
    assert shifted(world, shifting=True).fault is None
    assert shifted(world, errors=3, shifting=True).verdict is Verdict.HARMFUL


def test_the_same_split_without_a_change_is_a_mismatch(world: World) -> None:
    begun(world)
    assert shifted(world, shifting=False).fault is Fault.SAMPLE_RATIO_MISMATCH


def test_a_candidate_that_is_no_worse_is_proven(world: World) -> None:
    for _ in range(12):
        world.users("stable", 0, errors=1)
        world.go(30, stable=9, candidate=1, errors=0)
    assert world.ask().verdict is Verdict.PROVEN


def test_harm_is_found_even_while_another_metric_is_broken(world: World) -> None:
    metrics = (ERRORS, own_metric())
    for _ in range(4):
        world.go(30, candidate=4, errors=3)
        seen = world.ask(metrics=metrics)
    assert seen.verdict is Verdict.HARMFUL
    assert {m.name: m.reason for m in seen.metrics} == {"error-rate": None, "own": "NoSeries"}


def test_a_broken_metric_of_ones_own_keeps_from_proving(world: World) -> None:
    for _ in range(12):
        world.go(30)
        seen = world.ask(metrics=(ERRORS, own_metric()))
    assert (seen.verdict, seen.fault) == (Verdict.CANNOT_JUDGE, Fault.NO_SERIES)


def test_own_counters_are_read_by_arm_and_bucket_and_lose_nothing_over_an_outage(world: World) -> None:
    server = Exporter(world.prometheus.seconds)
    target = world.prometheus.target(server, "models", "10.1.0.1:8080")
    metrics = (ERRORS, own_metric())

    def answer() -> None:
        for bucket in range(100):
            for arm in ("stable", "candidate"):
                server.add("answers_total", 2, arm=arm, abucket=str(bucket))
                server.add("empty_total", 1 if bucket == 7 else 0, arm=arm, abucket=str(bucket))

    answer()
    world.prometheus.scrape()
    answer()
    world.go(30)
    world.ask(metrics=metrics)
    target.exporter.failing = True
    world.go(90)
    down = world.ask(metrics=metrics)
    target.exporter.failing = False
    answer()
    world.go(30)
    healed = world.ask(metrics=metrics)
    own = [look.counts["own"] for look in world.looks() if "own" in look.counts]
    assert (down.verdict, down.fault) == (Verdict.CANNOT_JUDGE, Fault.TARGET_DOWN)
    assert healed.fault is None
    assert [sum(sum(c) for c in events) for events, _ in own] == [2, 2]
    assert sum(sum(sum(c) for c in totals) for _, totals in own if totals) == 800


def test_a_mean_is_summed_in_micro_units(world: World) -> None:
    server = Exporter(world.prometheus.seconds)
    world.prometheus.target(server, "models", "10.1.0.1:8080")
    metric = own_metric(MetricKind.MEAN, "score_sum", "score_count")

    def score() -> None:
        for bucket in range(100):
            for arm in ("stable", "candidate"):
                server.add("score_sum", 0.25, arm=arm, abucket=str(bucket))
                server.add("score_count", 1, arm=arm, abucket=str(bucket))

    score()
    world.prometheus.scrape()
    score()
    world.go(15)
    seen = world.ask(metrics=(ERRORS, metric))
    assert sum(world.looks()[0].counts["own"][0][0]) == 25_000_000
    assert seen.metrics[1].control is not None
    assert seen.metrics[1].control.value == 0.25


def calibrated_plan() -> tuple[MetricPlan, ...]:
    return (ERRORS, LATENCY)


def test_latency_bounds_come_from_controls_history_when_it_is_long_enough(world: World) -> None:
    for _ in range(10):
        world.users("stable", 10, slower={"25ms": 5, "100ms": 1, "500ms": 0, "1s": 0})
        world.prometheus.scrape()
    world.since = world.prometheus.now_ms
    world.prometheus.scrape()
    world.go(30)
    seen = world.ask(metrics=calibrated_plan())
    kinds = [entry.kind for entry in world.store.chain(seen.subject)]
    assert kinds == [Kind.OPENED, Kind.BOUNDS, Kind.LOOK]
    assert sorted(world.looks()[0].counts) == ["error-rate", "latency/100ms", "latency/25ms"]


def test_without_history_the_first_looks_calibrate_and_are_not_tested(world: World) -> None:
    world.prometheus.scrape()
    for _ in range(3):
        world.users("stable", 9, slower={"25ms": 5, "100ms": 1})
        world.users("candidate", 1, slower={"25ms": 1})
        world.prometheus.scrape(30)
        world.ask(metrics=calibrated_plan())
    first, *later = world.looks()
    assert list(first.counts) == ["error-rate"]
    assert all("latency/25ms" in look.counts for look in later)
    assert len(later) == 2


def test_a_changed_plan_is_refused_and_says_where(world: World) -> None:
    begun(world)
    with pytest.raises(PlanChanged, match=r"plan\.alpha: stored \"0\.01\", given \"0\.05\""):
        world.ask(alpha="0.05")


def test_the_same_numbers_written_otherwise_are_the_same_plan(world: World) -> None:
    begun(world)
    assert world.ask(alpha="0.010").look == 1


def test_a_forgotten_state_is_rebuilt_to_the_same_bits(world: World) -> None:
    kept, forgetful = world.evaluator, world.another(remembered=1)
    for number in range(5):
        world.go(30, errors=number % 2)
        one = world.ask(kept)
        world.ask(forgetful, subject="another")
        assert world.ask(forgetful) == one
    assert world.ask(world.another()) == one


def test_two_evaluators_at_once_append_each_look_once(world: World) -> None:
    evaluators = [world.another() for _ in range(3)]
    world.prometheus.scrape()
    for _ in range(5):
        world.go(30)
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(world.ask, evaluators * 2))
        assert len({answer.digest for answer in answers}) == 1
        assert len(answers) == 6
    assert world.counted() == (5 * 2 * 1800, 5 * 2 * 200)


def test_an_ordinary_look_takes_far_less_than_a_second_of_cpu(world: World) -> None:
    bounds = {"25ms": 4, "100ms": 1}
    spent = []
    for _ in range(5):
        for arm in ("stable", "candidate"):
            world.users(arm, 9, errors=1, slower=bounds)
        world.prometheus.scrape(30)
        before = time.process_time()
        world.ask(metrics=calibrated_plan())
        spent.append(time.process_time() - before)
    assert sorted(spent)[2] < 0.5, spent  # some 0.1 s, of which half is the fake's


def test_every_look_can_be_verified(world: World) -> None:
    for number in range(4):
        world.go(30, errors=number % 2)
        digest = world.ask().digest
        assert digest
        assert verify(world.store, digest).differences == ()


def test_a_candidate_that_fails_every_request_is_harmful_also_after_a_torn_scrape(world: World) -> None:
    router = world.routers[0]
    labels = {"arm": "candidate", "abucket": "7", "served": "new", "model_endpoint": router.endpoint}
    router.served("candidate", 7, 1)  # it failed, but the scrape had read the errors when it ended
    world.prometheus.scrape()
    router.add("envoy_crossfade_errors", 1, **labels)
    for _ in range(2):
        world.users("stable", 9)
        for failing in world.routers:
            for bucket in range(100):
                failing.served("candidate", bucket, 1, 1)
        world.prometheus.scrape()
    assert world.ask().verdict is Verdict.HARMFUL
    errors, requests = world.looks()[0].counts["error-rate"][0][1], world.looks()[0].requests[1]
    assert (errors[7], requests[7]) == (4, 4)
