"""Seeded simulations of what is promised, in the benchmark's world of uneven users. Larger: `python -m
benchmarks.detection`."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import pytest
from scipy import stats  # type: ignore[import-untyped]

from benchmarks.detection.incumbents import z_every_look
from benchmarks.detection.play import End, Factory, play
from benchmarks.detection.scenarios import ALPHA, Ramp, Scenario, Users
from crossfade_analyzer.statistics.reference import decider

UNEVEN = Scenario(
    "uneven",
    per_second=50.0,
    baseline=0.02,
    users=Users(count=2000, activity=1.0, propensity=0.5, burst=3.0),
    ramp=Ramp(begins=(0, 15, 30), minutes=45),
)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def ends(scenario: Scenario, rollouts: int, seed: int, factory: Factory = decider) -> dict[str, list[End]]:
    skipped = (
        "Argo 99 %",
        "Argo tuned",
        "Flagger 99 %",
        "Flagger tuned",
        "Kayenta 30 min",
        "Kayenta 5 min",
        "oracle SPRT",
    )
    played = [play(scenario, [factory], seed + i, skipped) for i in range(rollouts)]
    return {name: [end[name] for end in played] for name in played[0]}


def count(found: list[End], action: str) -> int:
    return sum(1 for end in found if end.action == action)


def test_harmless_versions_are_rolled_back_no_more_often_than_promised() -> None:
    """Whole rollouts, looking every minute: within the binomial interval of alpha, where a z test fails most of the
    time."""
    rollouts = 40
    found = ends(UNEVEN, rollouts, seed=1)
    allowed = int(stats.binom.ppf(0.999, rollouts, ALPHA))
    assert count(found["crossfade"], "rollback") <= allowed
    assert z_every_look is not None
    assert count(found["z every look"], "rollback") > rollouts / 2


def test_with_a_warm_up_the_promise_is_the_same() -> None:
    rollouts = 25
    found = ends(replace(UNEVEN, warmup=15), rollouts, seed=1000)
    assert count(found["crossfade"], "rollback") <= int(stats.binom.ppf(0.999, rollouts, ALPHA))


def test_a_doubled_error_rate_is_found() -> None:
    found = ends(replace(UNEVEN, ratio=2.0), 12, seed=2000)["crossfade"]
    assert count(found, "rollback") >= 11
    assert median(end.requests for end in found) < 30_000


def test_versions_at_the_margin_are_promoted_no_more_often_than_beta() -> None:
    """A quarter more errors is exactly the margin that `crossfade prove` must not call proven (beta 5 %)."""
    rollouts = 20
    at_margin = replace(UNEVEN, ratio=1.25, users=replace(UNEVEN.users, activity=0.0, propensity=0.0, burst=1.0))
    found = ends(at_margin, rollouts, seed=3000)
    assert count(found["crossfade prove"], "promote") <= int(stats.binom.ppf(0.999, rollouts, 0.05))
