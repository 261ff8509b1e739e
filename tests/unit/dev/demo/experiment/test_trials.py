"""What is shown of experiments that run: every phase and every look once, on lines that fit a terminal."""

from __future__ import annotations

import io
from typing import Any, cast

import pytest

from dev.cluster.errors import ClusterError
from dev.demo.experiment.plugin import Plugin
from dev.demo.experiment.trials import Trials, over
from dev.demo.kube import Kube
from dev.demo.show import Show
from dev.demo.traffic import Traffic

LONG = "40% of the users for 2 arms, and then a sentence that would never fit on one line of a terminal of 80 columns"


def _result(metric: str, verdict: str, relative: float) -> dict[str, Any]:
    ends = {"lower": relative - 0.05, "upper": relative + 0.05}
    return {"metric": metric, "treatment": "treatment", "verdict": verdict, "relative": relative, **ends}


STATUSES: tuple[dict[str, Any], ...] = (
    {"phase": "Approved", "reason": "ArmsStarting", "message": LONG},
    {"phase": "Running", "reason": "Started"},
    {"phase": "Running", "reason": "Collecting", "look": 1, "progress": "25%", "results": [_result("plays", "", 0.12)]},
    {"phase": "Running", "reason": "Judged", "look": 1, "progress": "26%", "results": [_result("plays", "", 0.13)]},
    {"phase": "Stopped", "reason": "LastLookPending", "look": 2, "results": [_result("plays", "Superior", 0.13)]},
    {"phase": "Stopped", "reason": "DecisionPending", "look": 2, "results": [_result("plays", "Superior", 0.13)]},
)
SPEC = {"design": {"metrics": [{"metric": "plays", "role": "Success", "mde": {"relative": "8%"}}]}}


class _Objects:
    """Gives one status after the other."""

    def __init__(self, statuses: tuple[dict[str, Any], ...]) -> None:
        self._statuses = list(statuses)

    def objects(self) -> _Objects:
        return self

    def get(self, kind: object, name: str) -> dict[str, Any]:
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        return {"metadata": {"name": name, "namespace": "demo"}, "spec": SPEC, "status": status}


class _Quiet:
    failed = 0

    @property
    def latest(self) -> dict[str, int]:
        return {"requests": 1000}


def _trials(out: io.StringIO, *statuses: dict[str, Any]) -> Trials:
    return Trials(cast(Kube, _Objects(statuses)), Show(out), cast(Traffic, _Quiet()))


def test_phases_and_looks_are_told_once_until_a_person_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("dev.demo.experiment.trials._LOOK_SECONDS", 0.0)
    out = io.StringIO()
    seen = _trials(out, *STATUSES).until(["new-ranker"], over, 60)
    assert seen["new-ranker"].reason == "DecisionPending"
    lines = [line.strip() for line in out.getvalue().splitlines()]
    phases = ("Approved", "Running", "Stopped")
    assert [line.split()[-1] for line in lines if line.endswith(phases)] == list(phases)
    assert [line for line in lines if line.startswith("plays")] == [
        "plays  Success 8%  +12.0% [+7.0%, +17.0%]",
        "plays  Success 8%  +13.0% [+8.0%, +18.0%]  Superior",
    ]
    assert max(map(len, out.getvalue().splitlines())) <= 80


def test_an_experiment_that_does_not_get_there_is_an_error_that_shows_its_page() -> None:
    out = io.StringIO()
    with pytest.raises(ClusterError, match="new-ranker is Approved, ArmsStarting"):
        _trials(out, STATUSES[0]).until(["new-ranker"], over, 0.0)
    assert "experiment on" in out.getvalue()


def test_what_the_plugin_refuses_is_an_error_with_its_sentence(tmp_path: Any) -> None:
    class Nowhere:
        kubeconfig = tmp_path / "missing"

    out = io.StringIO()
    with pytest.raises(ClusterError, match="no usable kubeconfig"):
        Plugin(cast(Kube, Nowhere()), Show(out))("get", "exp/new-ranker")
    assert "$ kubectl crossfade get exp/new-ranker -n demo" in out.getvalue()
