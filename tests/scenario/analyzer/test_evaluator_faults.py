"""Faults of the evidence: each keeps from judging, none becomes a number, and what heals loses nothing."""

from __future__ import annotations

import pytest

from crossfade_analyzer.contract import Fault, Verdict
from crossfade_analyzer.faults import EvidenceFault
from tests.fakes.prometheus import Target
from tests.scenario.analyzer.conftest import World, begun

FAULTS = {
    "a router that does not answer": (Fault.TARGET_DOWN, lambda w: setattr(w.routers[1], "failing", True)),
    "counters that are not numbers": (Fault.NOT_A_NUMBER, lambda w: put(w, "NaN")),
    "counters that are infinite": (Fault.NOT_A_NUMBER, lambda w: put(w, "+Inf")),
    "a negative counter": (Fault.NEGATIVE, lambda w: put(w, -3)),
    "a counter that falls without a restart": (Fault.DECREASING, lambda w: put(w, 1)),
    "half a request": (Fault.NOT_AN_INTEGER, lambda w: put(w, 10_000.5)),
    "the arm label taken away": (Fault.RELABELLED, lambda w: relabel(w, "arm")),
    "the bucket label taken away": (Fault.RELABELLED, lambda w: relabel(w, "abucket")),
    "the endpoint label taken away": (Fault.VANISHED, lambda w: relabel(w, "model_endpoint")),
    "one arm of one router gone": (Fault.VANISHED, lambda w: lose(w, "candidate")),
    "a router scraped by two jobs": (
        Fault.DUPLICATED,
        lambda w: w.prometheus.target(w.routers[0], "other", w.targets[0].instance),
    ),
}


def put(world: World, value: float | str) -> None:
    labels = {"arm": "stable", "abucket": "5", "model_endpoint": "recs/ranker", "served": "old"}
    world.routers[0].put("envoy_crossfade_requests", value, **labels)


def relabel(world: World, label: str) -> None:
    target: Target = world.targets[0]
    target.drop = frozenset({label})


def lose(world: World, arm: str) -> None:
    world.routers[0].change(
        lambda _, labels, value: None if labels["arm"] == arm else value, "envoy_crossfade_requests"
    )


@pytest.mark.parametrize(("fault", "cause"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_never_a_pass_or_a_zero(world: World, fault: Fault, cause: object) -> None:
    begun(world)
    world.go(15)
    cause(world)  # type: ignore[operator]
    world.prometheus.scrape()
    world.prometheus.scrape(50)
    world.prometheus.scrape(50)
    seen = world.ask()
    assert (seen.verdict, seen.fault, seen.look) == (Verdict.CANNOT_JUDGE, fault, 1)
    assert len(world.looks()) == 1


def test_a_missing_arm_is_not_zero_requests(world: World) -> None:
    world.prometheus.scrape()
    for _ in range(3):
        world.users("stable", 9)
        world.prometheus.scrape()
    seen = world.ask()
    assert (seen.verdict, seen.fault, seen.look) == (Verdict.CANNOT_JUDGE, Fault.ARM_MISSING, 0)


def test_prometheus_gone_changes_nothing_and_nothing_is_lost(world: World) -> None:
    begun(world)
    before = world.counted()[1]
    world.prometheus.fault = EvidenceFault(Fault.PROMETHEUS_UNREACHABLE, "gone")
    gone = world.ask()
    world.prometheus.fault = None
    world.go(60)
    world.ask()
    assert (gone.verdict, gone.fault, gone.look) == (Verdict.CANNOT_JUDGE, Fault.PROMETHEUS_UNREACHABLE, 1)
    assert world.counted()[1] - before == 4 * 200


def test_prometheus_that_stopped_scraping_is_stale(world: World) -> None:
    begun(world)
    world.prometheus.now_ms += 120_000
    assert world.ask().fault is Fault.STALE


def test_a_number_that_was_lost_for_one_scrape_loses_nothing(world: World) -> None:
    begun(world)
    before = world.counted()[0]
    world.go(15)
    key = next(key for key in world.routers[0].counters if key[0] == "envoy_crossfade_requests")
    sound = world.routers[0].counters[key]
    world.routers[0].counters[key] = "NaN"
    world.prometheus.scrape()
    broken = world.ask().fault
    world.routers[0].counters[key] = sound
    world.go(15)
    world.ask()
    assert broken is Fault.NOT_A_NUMBER
    assert world.counted()[0] - before == 2 * 1800
