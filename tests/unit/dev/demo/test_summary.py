"""The exit code of the demo is whether its promises were kept: each of them can be broken."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossfade_operator.cli.rollouts.view import Decision, rollout_of
from dev.demo.acts import Outcome
from dev.demo.show import Show
from dev.demo.summary import promises, tell
from dev.demo.traffic import Answered

V2, V3 = "vvvvvvvvv2", "vvvvvvvvv3"
T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def _decision(number: int, action: str, step: int, reason: str) -> Decision:
    at = T0 + timedelta(seconds=20 * number)
    return Decision(f"ranker-{number}", action, V2, step, "15%", reason, "because", at, None, "rollout@1")


def _outcome(model: str, phase: str, stable: str, *decisions: Decision) -> Outcome:
    rollout = rollout_of(
        {"metadata": {"name": "ranker", "namespace": "demo"}, "status": {"phase": phase, "stableRevision": stable}}
    )
    return Outcome(model, rollout, decisions, 80.0, 60.0, Answered(900, 500))


GOOD = _outcome(
    "v2", "Promoted", V2, _decision(0, "Start", 1, "NewTemplate"), _decision(1, "Advance", 1, "CandidateReady"),
    _decision(2, "Advance", 2, "StepProven"), _decision(3, "Advance", 3, "StepProven"),
    _decision(4, "Promote", 3, "AllStepsProven"),
)  # fmt: skip
BAD = _outcome(
    "v3", "RolledBack", V2, _decision(5, "Advance", 1, "CandidateReady"), _decision(6, "Rollback", 0, "EvidenceOfHarm")
)
LOAD: dict[str, Any] = {
    "requests": 30000, "users": 4900, "rate": 300.0, "latency_ms": {"p50": 3.0, "p90": 6.0, "p99": 20.0},
    "own_failures": {"requests": 300, "users": 290}, "failed": {"requests": 0, "kinds": {}, "examples": []},
}  # fmt: skip


def test_a_demo_that_went_well_keeps_every_promise() -> None:
    assert [promise.kept for promise in promises(GOOD, BAD, LOAD)] == [True] * 4


@pytest.mark.parametrize(
    ("good", "bad", "load", "broken"),
    [
        pytest.param(_outcome("v2", "RolledBack", "vvvvvvvvv1", *GOOD.decisions), BAD, LOAD, 0, id="v2-rolled-back"),
        pytest.param(replace(GOOD, decisions=GOOD.decisions[2:]), BAD, LOAD, 0, id="v2-skipped-a-step"),
        pytest.param(GOOD, _outcome("v3", "Promoted", V3, *BAD.decisions), LOAD, 1, id="v3-promoted"),
        pytest.param(
            GOOD, replace(BAD, decisions=(_decision(6, "Rollback", 0, "CrashLooping"),)), LOAD, 1,
            id="v3-rolled-back-for-another-reason",
        ),
        pytest.param(GOOD, _outcome("v3", "RolledBack", V3, *BAD.decisions), LOAD, 2, id="v3-stayed-stable"),
        pytest.param(
            GOOD, BAD, LOAD | {"failed": {"requests": 1, "kinds": {}, "examples": []}}, 3, id="a-failed-request"
        ),
        pytest.param(GOOD, BAD, LOAD | {"requests": 0}, 3, id="no-load-at-all"),
    ],
)  # fmt: skip
def test_what_went_otherwise_breaks_its_promise(good: Outcome, bad: Outcome, load: dict[str, Any], broken: int) -> None:
    assert not promises(good, bad, load)[broken].kept


def test_the_summary_states_time_requests_and_users_exposed() -> None:
    out = io.StringIO()
    tell(Show(out), (GOOD, BAD), LOAD, promises(GOOD, BAD, LOAD))
    text = " ".join(out.getvalue().split())
    assert "v3 was taken out 60 s after its first slice. Until then it answered 900 requests of 500 users" in text
    assert "4,900 users sent 30,000 requests" in text
    assert "0 of 30,000 requests failed" in text
    assert "make demo-down" in text
