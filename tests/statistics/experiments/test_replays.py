"""Experiments under incidents: type-I error stays at its level, and earlier evidence stays as it was, to the byte."""

from __future__ import annotations

from math import sqrt

import pytest

from crossfade_analyzer.contract import ExperimentReason, Method, Recommendation
from crossfade_analyzer.snapshots import Kind
from crossfade_analyzer.verification import verify
from tests.statistics.experiments.replays import Incidents, drawn, replay

ALPHA, ALPHA_MINUS = 0.05, 0.01
RUNS = {Method.FIXED_HORIZON: 250, Method.GROUP_SEQUENTIAL: 100, Method.ALWAYS_VALID: 30}


def at_most(level: float, runs: int) -> float:
    """Three standard errors above a level."""
    return level + 3 * sqrt(level * (1 - level) / runs)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("method", "runs"), RUNS.items())
def test_equal_arms_are_shipped_or_called_harmful_no_more_often_than_planned(method: Method, runs: int) -> None:
    found = [replay(seed, method, drawn(seed))[0] for seed in range(runs)]
    shipped = sum(one.recommendation is Recommendation.SHIP for one in found) / runs
    shipped += sum(one.reason is ExperimentReason.EXCLUSIONS_MATTER for one in found) / runs
    harmed = sum(one.reason is ExperimentReason.DETERIORATION for one in found) / runs
    checks = sum(one.reason is ExperimentReason.CHECK_FAILED for one in found) / runs
    assert shipped <= at_most(ALPHA, runs), shipped
    assert harmed <= at_most(ALPHA_MINUS, runs), harmed
    assert checks <= at_most(0.001, runs), checks


def test_incidents_leave_the_evidence_before_them_byte_identical_and_all_of_it_verifiable() -> None:
    quiet = Incidents()
    later = Incidents(outage=range(20, 23), gap=range(24, 30), spike=range(24, 30), rollback=20)
    _, before = replay(5, Method.GROUP_SEQUENTIAL, quiet)
    seen, after = replay(5, Method.GROUP_SEQUENTIAL, later)
    subject = seen.subject
    windows = [[e for e in store.chain(subject) if e.kind is Kind.WINDOW] for store in (before, after)]
    assert [e.body for e in windows[0][:20]] == [e.body for e in windows[1][:20]]
    assert [e.body for e in windows[0][20:]] != [e.body for e in windows[1][20:]]
    assert seen.digest is not None
    assert verify(after, seen.digest).differences == ()


def test_nothing_is_lost_over_an_outage_and_a_gap() -> None:
    later = Incidents(outage=range(20, 23), gap=range(24, 30))
    _, quiet = replay(6, Method.FIXED_HORIZON, Incidents())
    _, troubled = replay(6, Method.FIXED_HORIZON, later)
    totals = []
    for store in (quiet, troubled):
        windows = [e.content() for e in store.chain("replay/6") if e.kind is Kind.WINDOW]
        rows = [window["counts"][name]["x"] for window in windows for name in window["counts"]]
        totals.append([sum(sum(row[arm]) for row in rows) for arm in (0, 1)])
        assert sum(window["end"] - window["start"] for window in windows) == windows[-1]["end"] - windows[0]["start"]
    assert totals[0] == totals[1]
