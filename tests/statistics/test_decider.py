"""Our judgement as simulators drive it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
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


BUCKETS = 40


def look(k: int, rng: np.random.Generator, **odd: Any) -> SimpleNamespace:
    """A look of somebody else's simulator; `odd` says what is unusual about it."""
    buckets, share = odd.get("buckets", BUCKETS), odd.get("weight", 0.25)
    lam = np.full((2, buckets), odd.get("requests", 1000.0) / buckets) * np.array([[1 - share], [share]])
    for arm in odd.get("without", ()):
        lam[arm] = 0
    req = rng.poisson(lam)
    rate = odd.get("rate", 0.05)
    err = rng.binomial(req, np.array([[rate], [min(rate * odd.get("ratio", 1.0), 1.0)]]))
    lat = np.stack([req - err, err, np.zeros_like(req)], axis=2) if odd.get("lat") else None
    interval = odd.get("interval", 1)
    plan = {"horizon_minutes": odd.get("horizon", 60), "interval": interval, "alpha": 0.01,
            "baseline_error": rate, "lat_quantile_idx": odd.get("idx", [0, 1, 2])}  # fmt: skip
    kind = odd.get("kind", np.int64)
    return SimpleNamespace(
        k=k, minute=float((k + 1) * interval), step=k // 10, weight=share, req=req.astype(kind), err=err.astype(kind),
        lat=lat, lat_bounds=(0.1, 0.2) if lat is not None else None, plan=plan,
    )  # fmt: skip


def played(looks: list[dict[str, Any]], name: str = "crossfade", state: dict[str, Any] | None = None) -> str | None:
    decide, state, rng = decider(None)[name], {} if state is None else state, np.random.default_rng(3)
    for k, odd in enumerate(looks):
        action = decide(look(k, rng, **odd), state)
        if action != "continue":
            return action
    return None


BAD = {"ratio": 3.0}


@pytest.mark.parametrize("name", ["crossfade", "crossfade prove"])
@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([{"buckets": 20, **BAD}] * 30, "rollback"),
        ([{"buckets": 250, **BAD}] * 30, "rollback"),
        ([{"buckets": 10, "ratio": 9.0}] * 30, None),  # too few to judge
        ([{"buckets": 1, "ratio": 9.0}] * 5, None),
        ([{"requests": 0.0}, {}, {"requests": 0.0}, BAD] * 15, "rollback"),
        ([{"without": [0], **BAD}] * 30, None),  # nothing to compare with
        ([{"without": [1]}] * 30, None),
        ([{"without": [0], **BAD}, BAD] * 20, "rollback"),
        ([{"weight": 0.0}, {"weight": 1.0}, BAD] * 20, "rollback"),
        ([{"weight": 0.05 if k % 2 else 0.5, **BAD} for k in range(40)], "rollback"),
        ([{"interval": 5, "horizon": 1440, "requests": 300.0, **BAD}] * 100, "rollback"),
        ([{"kind": np.int16, **BAD}] * 30, "rollback"),
        ([{"kind": float, **BAD}] * 30, "rollback"),
        ([{"rate": 0.0}] * 20, None),
        ([{"lat": True, **BAD}] * 30, "rollback"),
        ([{"lat": True, "idx": None, **BAD}] * 30, "rollback"),
        ([{"lat": k > 3, **BAD} for k in range(30)], "rollback"),
        ([{"lat": k < 2, **BAD} for k in range(30)], "rollback"),
    ],
)
def test_other_simulators_may_be_odd(looks: list[dict[str, Any]], expected: str | None, name: str) -> None:
    assert played(looks, name) == expected


@pytest.mark.parametrize("odd", [0.5, float("nan"), float("inf")])
def test_parts_of_an_event_are_refused(odd: float) -> None:
    broken = look(0, np.random.default_rng(3), kind=float)
    broken.err[1, 7] = odd
    with pytest.raises(ValueError, match=f"whole numbers per arm and bucket, not {odd}"):
        decider(None)["crossfade"](broken, {})


def test_everything_failing_in_both_arms_is_no_regression() -> None:
    assert played([{"rate": 1.0}] * 20) is None


def test_rollouts_and_deciders_know_nothing_of_each_other() -> None:
    """The state is one rollout's, also when both deciders are given the same dict."""
    assert played([{}] * 20) is None
    shared: dict[str, Any] = {}
    assert played([BAD] * 2, "crossfade", shared) == played([BAD] * 2)
    first = played([BAD] * 30, "crossfade prove", shared)
    assert first == played([BAD] * 30, "crossfade prove")
    assert played([{}] * 20) is None
