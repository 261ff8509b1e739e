"""Plans before the start: what real traffic says, and every refusal as a sentence that says what to do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crossfade_analyzer.contract import Bound, ExperimentPlan, ExperimentPlanRequest, ExperimentRole, Fault, Method
from crossfade_analyzer.experiments.planning import plan
from tests.fakes.experiments import CONTROL, ERRORS, LATENCY, PLAYS, TREATMENT, arm, design, mock
from tests.scenario.analyzer.experiments.conftest import World

DAY = 86_400.0


def planned(world: World, share: str = "0.2", history: float = 3600.0, **fields: Any) -> ExperimentPlan:
    chosen: dict[str, Any] = {
        "interval_seconds": 3600.0,
        "min_runtime_seconds": DAY,
        "max_runtime_seconds": 14 * DAY,
        **fields,
    }
    arms = chosen.pop("arms", (CONTROL, TREATMENT))
    request = ExperimentPlanRequest(design=design(**chosen), arms=arms, slice=Decimal(share), history_seconds=history)
    return plan(world.prometheus, request, world.prometheus.now_ms)


@pytest.fixture
def busy(world: World) -> World:
    """An hour of stable's traffic, a scrape every 3 minutes: 200 requests a minute, 1 % of them failed."""
    for turn in range(20):
        for bucket in range(100):
            failed = (bucket * 7 + turn) % 50 == 0
            world.routers[0].served("stable", bucket, 6, 3 * failed, {"100ms": 1}, "stable-1")
        world.prometheus.scrape(180, only=world.targets[:1])
    return world


def test_the_sample_and_the_days_follow_from_real_traffic(busy: World) -> None:
    found = planned(busy)
    (errors,) = found.metrics
    assert errors.baseline == pytest.approx(0.01, rel=0.05)
    assert found.requests_per_day == pytest.approx(200 * 1440, rel=0.05)
    assert errors.units_per_day == pytest.approx(0.2 * 200 * 1440, rel=0.05)
    # Two equal arms, one guardrail: 2 x 2 x (z_0.95 + z_0.81)^2 sigma^2 / margin^2
    assert errors.deviation is not None
    assert errors.required_sample == pytest.approx(4 * (1.6449 + 0.8779) ** 2 * errors.deviation**2 / 0.02**2, rel=0.01)
    assert (found.feasible, found.refusals, found.days) == (True, (), 1)
    assert errors.reachable is not None
    assert errors.reachable.absolute < 0.02


def test_looking_at_any_time_costs_more(busy: World) -> None:
    once, always = (planned(busy, method=method).metrics[0] for method in (Method.FIXED_HORIZON, Method.ALWAYS_VALID))
    assert once.inflation == 1.0
    assert always.inflation is not None
    assert 1.5 < always.inflation < 3
    assert always.required_sample == pytest.approx(once.required_sample * always.inflation, rel=0.01)  # type: ignore[operator]


def test_more_arms_and_a_smaller_slice_take_longer(busy: World) -> None:
    two = planned(busy).metrics[0]
    three = planned(busy, arms=(CONTROL, TREATMENT, arm("second"))).metrics[0]
    assert three.required_sample == pytest.approx(1.5 * two.required_sample, rel=0.01)  # type: ignore[operator]
    assert planned(busy, share="0.1").metrics[0].days == pytest.approx(2 * two.days)  # type: ignore[operator]


def test_less_traffic_than_asked_for_is_said(busy: World) -> None:
    found = planned(busy, history=7 * DAY)
    assert any("days of traffic were found" in note for note in found.notes)
    assert found.history_from is not None
    assert found.history_until is not None


def test_what_cannot_be_reached_in_time_says_what_could(busy: World) -> None:
    tight = ERRORS.model_copy(update={"margin": Bound(absolute=Decimal("0.0005"))})
    found = planned(busy, metrics=(tight,), max_runtime_seconds=2 * DAY)
    assert not found.feasible
    (refusal,) = found.refusals
    assert "needs" in refusal
    assert "ask for a slice of" in refusal or "more traffic than the endpoint has" in refusal
    assert "or allow more time" in refusal


def test_a_relative_effect_on_nothing_is_refused(busy: World) -> None:
    none = ERRORS.model_copy(update={"margin": Bound(relative=Decimal("0.1"))})
    busy.routers[0].change(lambda *_: 0.0, "envoy_crossfade_errors")
    busy.since = busy.prometheus.now_ms
    for _ in range(4):
        busy.users("stable", 4, served="stable-1")
        busy.prometheus.scrape(60)
    found = planned(busy, history=230.0, metrics=(none,))
    assert "give an absolute one" in " ".join(found.refusals)


def test_latency_is_planned_at_the_bound_nearest_to_p90(busy: World) -> None:
    found = planned(busy, metrics=(ERRORS, LATENCY))
    assert any("100ms" in note for note in found.notes)
    assert found.metrics[1].holds


def test_a_metric_that_is_not_there_is_refused_with_its_fault(busy: World) -> None:
    found = planned(busy, metrics=(ERRORS, PLAYS))
    assert not found.feasible
    assert found.metrics[1].fault is Fault.NO_SERIES
    assert any(text.startswith("plays: ") for text in found.refusals)


def test_a_metric_of_ones_own_is_planned_from_stables_counts(busy: World) -> None:
    busy.serve()
    for _ in range(8):
        for bucket in range(100):
            labels = {"arm": "stable", "abucket": str(bucket)}
            busy.server.add("plays_sum", 4 * (2.0 + bucket % 5 / 10), **labels)
            busy.server.add("plays_count", 4, **labels)
        busy.users("stable", 4, served="stable-1")
        busy.prometheus.scrape(60)
    found = planned(busy, metrics=(ERRORS, PLAYS), history=400.0)
    plays = found.metrics[1]
    assert (plays.holds, plays.series_per_arm) == (True, 100)
    assert plays.baseline == pytest.approx(2.2, rel=0.01)
    assert plays.cuped_r2 == pytest.approx(1.0, abs=0.1)  # each bucket is as it was


@pytest.mark.parametrize(
    ("role", "sign"), [(ExperimentRole.DETERIORATION, "harm"), (ExperimentRole.QUALITY, "a difference")]
)
def test_a_metric_that_must_show_nothing_needs_no_sample(busy: World, role: ExperimentRole, sign: str) -> None:
    followed = LATENCY.model_copy(update={"role": role})
    plan = planned(busy, metrics=(ERRORS, followed))
    (said,) = (metric for metric in plan.metrics if metric.metric == "latency")
    assert said.message == f"followed for {sign}; it needs no sample of its own"
    assert said.required_sample is None


def test_an_endpoint_without_traffic_is_refused(world: World) -> None:
    found = planned(world, history=3600.0)
    assert not found.feasible
    assert "wait for traffic" in " ".join(found.refusals)


def test_a_design_that_cannot_be_judged_is_refused_before_prometheus_is_asked(world: World) -> None:
    world.prometheus.queries.clear()
    found = planned(world, metrics=(LATENCY,))
    assert (found.feasible, found.metrics) == (False, ())
    assert world.prometheus.queries == []


def test_a_dry_run_is_planned_on_its_made_up_traffic(world: World) -> None:
    found = planned(world, metrics=(PLAYS, ERRORS), mock=mock())
    assert found.feasible
    assert found.metrics[0].baseline == pytest.approx(2.0, rel=0.05)
    assert any("mock" in note for note in found.notes)
