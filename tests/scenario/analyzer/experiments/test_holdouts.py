"""What a holdout says: nothing before its end, and then what all launches of its time add up to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossfade_analyzer.contract import (
    CounterSource,
    ExperimentMetric,
    ExperimentRole,
    Fault,
    HoldoutReading,
    HoldoutRequest,
    HoldoutState,
    MetricKind,
)
from crossfade_analyzer.experiments.holdouts import read
from crossfade_analyzer.faults import EvidenceFault
from tests.fakes.exporter import Exporter
from tests.scenario.analyzer.experiments.conftest import World

ERRORS = ExperimentMetric(name="error-rate", kind=MetricKind.ERROR_RATE, role=ExperimentRole.QUALITY)
LATENCY = ExperimentMetric(name="latency", kind=MetricKind.LATENCY, role=ExperimentRole.QUALITY)


def let_time_pass(world: World, minutes: int, *, launched: int = 20) -> None:
    """A scrape a minute; a fifth of the users is held out. After `launched` minutes everybody else has a model that
    fails half as often and is slower."""
    for minute in range(minutes):
        later = minute >= launched
        for router in world.routers:
            for bucket in range(100):
                failures, slow = 4 * ((bucket * 7 + minute) % 10 == 0), 2 + bucket % 3
                rest = (2 if later else 4) * failures, (3 if later else 1) * 4 * slow
                router.served("holdout", bucket, 20, failures, {"25ms": slow, "100ms": 1}, "ranker-1")
                router.served("stable", bucket, 80, rest[0], {"25ms": rest[1], "100ms": 4}, "ranker-2")
        world.prometheus.scrape(60)


def ends_in(world: World, minutes: float) -> datetime:
    return datetime.fromtimestamp(world.prometheus.now_ms / 1000, UTC) + timedelta(minutes=minutes)


def asked(world: World, until: datetime, **fields: Any) -> HoldoutReading:
    usual = {"metrics": (ERRORS,), "latency_bounds": ("25ms", "100ms"), "history_seconds": 86_400.0}
    request = HoldoutRequest.model_validate({"endpoint": "recs/ranker", "until": until, **usual, **fields})
    return read(world.prometheus, request, world.prometheus.now_ms)


def test_what_was_launched_is_seen_against_those_who_never_got_it(world: World) -> None:
    until = ends_in(world, 60)
    let_time_pass(world, 60)
    found = asked(world, until)
    (errors,) = found.metrics
    assert (found.state, errors.message) == (HoldoutState.READ, None)
    assert errors.held_out is not None
    assert errors.rest is not None
    assert errors.held_out.value == pytest.approx(0.02, rel=0.01)
    assert errors.rest.value == pytest.approx((0.02 * 20 + 0.01 * 40) / 60, rel=0.05)
    assert errors.absolute is not None
    assert errors.absolute.lower < errors.absolute.value < errors.absolute.upper < 0
    assert errors.relative is not None
    assert errors.relative.value == pytest.approx(-1 / 3, rel=0.1)


def test_before_its_end_there_is_no_number_to_act_on(world: World) -> None:
    until = ends_in(world, 90)
    let_time_pass(world, 30)
    found = asked(world, until)
    assert (found.state, found.metrics) == (HoldoutState.NOT_YET, ())
    assert "compared once, at its end" in found.message
    assert found.requests_held_out == pytest.approx(30 * 2 * 100 * 20, rel=0.1)
    assert found.requests_rest == pytest.approx(4 * found.requests_held_out, rel=0.05)


def test_what_comes_after_its_end_is_no_part_of_it(world: World) -> None:
    until = ends_in(world, 20)
    let_time_pass(world, 20)
    at_its_end = asked(world, until)
    let_time_pass(world, 40, launched=0)
    assert asked(world, until).metrics[0].rest == at_its_end.metrics[0].rest


def test_latency_is_compared_at_the_bound_of_the_day_before(world: World) -> None:
    for _ in range(30):
        world.users("stable", 20, served="ranker-1", slow=2)
        world.prometheus.scrape(60)
    until = ends_in(world, 60)
    let_time_pass(world, 60)
    (latency,) = asked(world, until, metrics=(LATENCY,)).metrics
    assert latency.message is None
    assert latency.absolute is not None
    assert latency.absolute.lower > 0


def test_a_latency_without_bounds_says_so_and_the_others_are_read(world: World) -> None:
    until = ends_in(world, 30)
    let_time_pass(world, 30)
    latency, errors = asked(world, until, metrics=(LATENCY, ERRORS), latency_bounds=()).metrics
    assert latency.absolute is None
    assert "the router has none" in (latency.message or "")
    assert errors.absolute is not None


def test_a_metric_of_ones_own_is_read_by_its_own_series(world: World) -> None:
    source = CounterSource(numerator="plays_sum", denominator="plays_count", arm_label="arm", bucket_label="abucket")
    plays = ExperimentMetric(name="plays", kind=MetricKind.MEAN, role=ExperimentRole.QUALITY, source=source)
    server = Exporter(world.prometheus.seconds)
    world.prometheus.target(server, "models", "10.1.0.1:8080")
    until = ends_in(world, 30)
    for _ in range(30):
        for arm, value in (("holdout", 2.0), ("stable", 2.2)):
            for bucket in range(100):
                server.add("plays_sum", 20 * (value + 0.1 * (bucket % 3)), arm=arm, abucket=str(bucket))
                server.add("plays_count", 20, arm=arm, abucket=str(bucket))
        let_time_pass(world, 1)
    (found,) = asked(world, until, metrics=(plays,)).metrics
    assert found.absolute is not None
    assert found.absolute.value == pytest.approx(0.2, rel=0.01)


def test_a_holdout_that_nobody_was_in_says_what_to_look_at(world: World) -> None:
    found = asked(world, ends_in(world, 0))
    assert found.state is HoldoutState.CANNOT_JUDGE
    assert "counted no requests of held-out users" in found.message


def test_a_prometheus_that_does_not_answer_is_no_reading(world: World) -> None:
    until = ends_in(world, 5)
    let_time_pass(world, 5)
    world.prometheus.fault = EvidenceFault(Fault.PROMETHEUS_UNREACHABLE, "Prometheus does not answer")
    found = asked(world, until)
    assert (found.state, found.message, found.metrics) == (
        HoldoutState.CANNOT_JUDGE,
        "Prometheus does not answer",
        (),
    )
