"""Our judgement as simulators drive it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.detection.play import load, play, score
from benchmarks.detection.scenarios import Ramp, Scenario, Users, scenarios
from benchmarks.detection.simulator import Rollout
from crossfade_analyzer.statistics.reference import decider

QUICK = Scenario(
    "quick", per_second=20.0, baseline=0.05, users=Users(count=1000), ramp=Ramp(begins=(0, 5, 10), minutes=20)
)


def decided(scenario: Scenario, name: str = "crossfade") -> str | None:
    decide = decider(scenario)[name]
    state: dict[str, Any] = {}
    for look, _ in Rollout(scenario, 1):
        action = decide(look, state)
        if action != "continue":
            return action
    return None


def test_a_bad_version_is_rolled_back() -> None:
    assert decided(replace(QUICK, ratio=3.0)) == "rollback"


def test_a_good_version_is_promoted_only_by_proof() -> None:
    assert decided(QUICK) is None
    assert decided(replace(QUICK, ratio=0.5), "crossfade prove") == "promote"


def test_a_slower_version_is_found_by_its_histogram() -> None:
    slow = replace(QUICK, latency=True, slowdown=1.6)
    assert decided(slow) == "rollback"
    assert decided(replace(slow, slowdown=1.0)) is None


def test_looks_have_the_documented_shape() -> None:
    look, _ = next(iter(Rollout(replace(QUICK, latency=True, warmup=3), 1)))
    assert (look.k, look.step, look.req.shape, look.err.shape) == (0, -1, (2, 100), (2, 100))
    assert look.lat is not None
    assert look.lat_bounds is not None
    assert look.lat.shape == (2, 100, len(look.lat_bounds) + 1)
    assert (look.lat.sum(axis=2) == look.req).all()
    assert set(look.plan) == {"horizon_minutes", "interval", "alpha", "baseline_error", "lat_quantile_idx"}


def test_the_simulated_error_rate_is_the_baseline() -> None:
    uneven = replace(QUICK, users=Users(count=3000, activity=0.5, propensity=1.0, burst=3.0), per_second=200.0)
    x = n = 0
    for look, _ in Rollout(uneven, 1):
        x, n = x + int(look.err.sum()), n + int(look.req.sum())
    assert x / n == pytest.approx(0.05, rel=0.1)


def test_a_rollout_is_the_same_for_the_same_seed() -> None:
    one, other = (play(QUICK, [decider], 7, ("crossfade prove",)) for _ in range(2))
    assert one == other
    assert score(QUICK, "crossfade", [one["crossfade"]]).rollouts == 1


def test_an_action_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="answered 'maybe'"):
        play(QUICK, [lambda scenario: {"odd": lambda look, state: "maybe"}], 1)


def test_deciders_are_loaded_by_name() -> None:
    assert load("crossfade_analyzer.statistics.reference:decider") is decider
    with pytest.raises(ValueError, match="module:factory"):
        load("crossfade_analyzer.statistics.reference")


def test_scenarios_have_names_of_their_own() -> None:
    names = [scenario.name for scenario in scenarios()]
    assert len(names) == len(set(names))
