"""The exit code of the experiment's demo is whether its promises were kept: each of them can be broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossfade_operator.cli.decisions.view import Decision, decision_of
from crossfade_operator.cli.experiments.view import Experiment, experiment_of
from crossfade_operator.cli.rollouts import view as rollouts
from dev.demo.experiment.summary import Seen, promises

T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SHIPPED_AT = 100
LOAD: dict[str, Any] = {"requests": 30000, "failed": {"requests": 0, "kinds": {}, "examples": []}}


def _experiment(outcome: str, recommendation: str | None = None) -> Experiment:
    result = {"metric": "plays", "treatment": "t", "role": "Success", "relative": 0.13, "lower": 0.06, "upper": 0.2}
    status = {"outcome": outcome, "recommendation": recommendation, "results": [result], "phase": "Stopped"}
    return experiment_of({"metadata": {"name": "x", "namespace": "demo"}, "spec": {}, "status": status})


def _decision(action: str, basis: str = "Evidence") -> Decision:
    at = (T0 + timedelta(seconds=SHIPPED_AT)).isoformat()
    spec = {"subject": {"kind": "Experiment", "name": "x"}, "action": action, "basis": basis, "at": at}
    return decision_of({"metadata": {"name": "x-exp-000003", "namespace": "demo"}, "spec": spec})


def _step(seconds: int, action: str, share: str) -> rollouts.Decision:
    at = T0 + timedelta(seconds=seconds)
    return rollouts.Decision(f"ranker-{seconds}", action, "v" * 10, 1, share, "StepProven", "", at, None, "rollout@1")


def _rollout(phase: str) -> rollouts.Rollout:
    return rollouts.rollout_of({"metadata": {"name": "ranker", "namespace": "demo"}, "status": {"phase": phase}})


KEPT = Seen(
    twin=_experiment("PoweredNeutral"),
    shipped=_experiment("Win", "Ship"),
    ship=_decision("Ship"),
    promoted=_rollout("Promoted"),
    rollout=(
        _step(10, "Start", ""), _step(20, "Advance", "5%"), _step(SHIPPED_AT, "Advance", "30%"),
        _step(120, "Advance", "60%"), _step(140, "Promote", "100%"),
    ),
    swapped=(_step(150, "Start", ""), _step(160, "Advance", "5%"), _step(170, "Supersede", "")),
    aborted=_experiment("RegressionFound", "Abort"),
    abort=_decision("Abort"),
    verified=True,
    load=LOAD,
)  # fmt: skip


def test_a_demo_that_went_well_keeps_every_promise() -> None:
    assert [promise.kept for promise in promises(KEPT)] == [True] * 7
    assert "v2 had 5% of the users at most before the decision, and 100% after it" in promises(KEPT)[2].text
    assert "plays +13.0% [+6.0%, +20.0%]" in promises(KEPT)[1].text


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        pytest.param(lambda: {"twin": _experiment("Invalid")}, 0, id="equal-models-found-different"),
        pytest.param(lambda: {"twin": _experiment("NotReady")}, 0, id="a-twin-that-was-not-judged"),
        pytest.param(lambda: {"shipped": _experiment("PoweredNeutral", "Abort")}, 1, id="v2-not-found-better"),
        pytest.param(lambda: {"ship": _decision("Ship", "Human")}, 1, id="shipped-against-the-evidence"),
        pytest.param(lambda: {"ship": _decision("Abort")}, 1, id="not-shipped"),
        pytest.param(lambda: {"promoted": _rollout("RolledBack")}, 2, id="v2-rolled-back"),
        pytest.param(
            lambda: {"rollout": (*KEPT.rollout, _step(SHIPPED_AT - 1, "Advance", "30%"))}, 2, id="reach-before-the-gate"
        ),
        pytest.param(lambda: {"rollout": KEPT.rollout[2:]}, 2, id="not-deployed-before-the-gate"),
        pytest.param(lambda: {"rollout": KEPT.rollout[:-1]}, 2, id="never-for-everybody"),
        pytest.param(lambda: {"swapped": (_step(150, "Advance", "30%"),)}, 3, id="a-swapped-model-got-reach"),
        pytest.param(lambda: {"swapped": (_step(150, "Promote", ""),)}, 3, id="a-swapped-model-was-promoted"),
        pytest.param(lambda: {"swapped": ()}, 3, id="nothing-was-swapped"),
        pytest.param(lambda: {"aborted": _experiment("PoweredNeutral", "Abort")}, 4, id="no-harm-found"),
        pytest.param(lambda: {"abort": _decision("Ship")}, 4, id="shipped-all-the-same"),
        pytest.param(lambda: {"verified": False}, 5, id="not-verified"),
        pytest.param(lambda: {"load": LOAD | {"failed": {"requests": 1}}}, 6, id="a-failed-request"),
        pytest.param(lambda: {"load": LOAD | {"requests": 0}}, 6, id="no-load-at-all"),
    ],
)
def test_what_went_otherwise_breaks_its_promise_alone(change: Callable[[], dict[str, Any]], broken: int) -> None:
    kept = [promise.kept for promise in promises(replace(KEPT, **change()))]
    assert [number for number, one in enumerate(kept) if not one] == [broken]
