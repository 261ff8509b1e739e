from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossfade_operator.cli.client import Refused
from crossfade_operator.cli.main import run
from crossfade_operator.cli.paint import width

NOW = datetime(2026, 11, 22, 10, 12, 30, tzinfo=UTC)
PLANS = "/v1/experiments/plans"
Golden = Callable[[str, str], None]


def _metric(name: str, role: str, **more: Any) -> dict[str, Any]:
    return {"metric": name, "role": role, "holds": True, "message": "", **more}


ANSWER: dict[str, Any] = {
    "feasible": True,
    "refusals": [],
    "notes": ["latency is judged at 100ms, the bound nearest to stable's p90 in the time looked at."],
    "requestsPerDay": 612_345.0,
    "requiredSample": 1_204_332,
    "days": 14,
    "metrics": [
        _metric("plays", "Success", requiredSample=1_204_332, days=9.9, reachable={"absolute": 1, "relative": 0.0081}),
        _metric("error-rate", "Guardrail", requiredSample=311_020, days=2.6, reachable={"absolute": 0.001}),
        _metric("latency", "Deterioration"),
    ],
}  # fmt: skip


@pytest.fixture
def draft(experiment_object: dict[str, Any]) -> dict[str, Any]:
    del experiment_object["status"]
    experiment_object["spec"]["desiredState"] = "Draft"
    return experiment_object


@pytest.fixture
def around(draft: dict[str, Any], endpoint_object: dict[str, Any], metric_object: dict[str, Any]) -> list[Any]:
    return [draft, endpoint_object, metric_object]


@pytest.fixture
def command(cluster: Callable[..., Any], around: list[Any]) -> Callable[..., tuple[int, str, Any]]:
    def call(*arguments: str, answer: Any = ANSWER) -> tuple[int, str, Any]:
        made, out = cluster(*around), io.StringIO()
        made.answers = {PLANS: answer} if answer is not None else {}
        made.services = [] if answer is None else made.services
        code = run(arguments, connect=lambda options: made, out=out, now=lambda: NOW)
        return code, out.getvalue(), made

    return call


def _hash(command: Callable[..., Any]) -> str:
    return str(json.loads(command("plan", "exp/new-ranker", "-o", "json")[1])["designHash"])


def test_a_plan_tells_what_it_takes_who_holds_what_and_who_has_to_agree(
    command: Callable[..., Any], around: list[Any], reviewed: Callable[..., Any], golden: Golden
) -> None:
    design = _hash(command)
    about = "Experiment/new-ranker"
    around += [
        reviewed(about, "bo@example.com", "Approve", design=design),
        reviewed(about, "ana@example.com", "Approve", design=design),
        reviewed(about, "cy@example.com", "Dissent", design=design, reason="Plays are not listening time."),
        reviewed(about, "di@example.com", "Approve", design="sha256:" + "00" * 32),
    ]
    code, page, made = command("plan", "exp/new-ranker")
    assert code == 0
    golden("plan", page)
    assert max(map(width, page.splitlines())) <= 80
    ((service, method, _, question),) = made.questions
    assert (service, method) == ("crossfade-system/crossfade-analyzer", "POST")
    assert [arm["label"] for arm in question["arms"]] == ["new-ranker.control", "new-ranker.treatment"]
    assert (question["slice"], question["design"]["endpoint"]) == ("0.2", "recs/ranker")


def test_without_an_analyzer_the_rest_is_told_and_what_is_missing_is_said(
    command: Callable[..., Any], golden: Golden
) -> None:
    code, page, _ = command("plan", "exp/new-ranker", answer=None)
    assert code == 4
    golden("plan-without-analyzer", page)


def test_conflicts_changes_and_refusals_keep_it_from_starting(
    command: Callable[..., Any], around: list[Any], reviewed: Callable[..., Any], golden: Golden
) -> None:
    design = _hash(command)
    around.append(
        reviewed("Experiment/new-ranker", "bo@example.com", "RequestChanges", design=design, reason="Name an owner.")
    )
    around[0]["spec"]["design"]["slice"] = "35%"
    around[-1]["spec"]["subject"]["design"] = _hash(command)
    broken = {**ANSWER["metrics"][0], "holds": False, "message": "no series counts arm control"}
    short = "71 days are needed, and maxRuntime is 28d; ask for more users"
    refused = {**ANSWER, "feasible": False, "refusals": [short], "metrics": [broken, *ANSWER["metrics"][1:]]}
    code, page, _ = command("plan", "exp/new-ranker", answer=refused)
    assert code == 3
    golden("plan-refused", page)


def test_an_experiment_that_would_not_reach_its_power_is_not_worth_starting(command: Callable[..., Any]) -> None:
    short = "71 days are needed, and maxRuntime is 28d; ask for more users"
    code, page, _ = command("plan", "exp/new-ranker", answer={**ANSWER, "feasible": False, "refusals": [short]})
    assert code == 3
    assert "could start, and would end without enough evidence: see below" in " ".join(page.split())
    assert short in " ".join(page.split())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(Refused(422, "Unusable design: looks"), "answered 422: Unusable design: looks", id="a-refusal"),
        pytest.param({"feasible": "perhaps"}, "another version of the contract", id="another-version"),
    ],
)
def test_an_analyzer_that_cannot_tell_is_quoted(command: Callable[..., Any], answer: Any, said: str) -> None:
    code, page, _ = command("plan", "exp/new-ranker", answer=answer)
    assert code == 4
    assert said in " ".join(page.split())


def test_an_endpoint_that_does_not_exist_is_an_obstacle_and_no_question(
    command: Callable[..., Any], around: list[Any]
) -> None:
    del around[1]
    code, page, made = command("plan", "exp/new-ranker")
    assert (code, made.questions) == (3, [])
    assert "there is no ModelEndpoint 'ranker'" in page


def test_a_file_is_planned_before_it_is_applied_with_the_metrics_beside_it(
    command: Callable[..., Any], around: list[Any], tmp_path: Path
) -> None:
    draft, endpoint, metric = around
    around[:] = [endpoint]
    for name in ("uid", "generation", "resourceVersion", "creationTimestamp"):
        del draft["metadata"][name]
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump_all([metric, draft]))
    code, page, made = command("plan", "-f", str(path))
    assert code == 0
    assert "kubectl apply -f FILE" in page
    assert made.questions[0][3]["design"]["metrics"][0]["direction"] == "HigherIsBetter"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("kind: [", "is no YAML", id="no-yaml"),
        pytest.param("kind: Pod\nmetadata: {name: x}", "holds 0 Experiments", id="no-experiment"),
        pytest.param(
            "kind: Experiment\nmetadata: {name: x}\nspec: {endpoint: ranker, owner: me, decisionMaker: me, design: {}}",
            "Experiment x, spec.design.hypothesis: Field required",
            id="a-field-is-missing",
        ),
        pytest.param(
            "kind: Experiment\nmetadata: {name: x}\nspec: {colour: red}",
            "Experiment x, spec.endpoint: Field required",
            id="not-the-kind",
        ),
    ],
)
def test_a_file_that_cannot_be_planned_is_a_sentence(
    command: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(text)
    assert command("plan", "-f", str(path))[:2] == (1, "")
    assert said in capsys.readouterr().err


def test_a_plan_is_about_one_thing(command: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert command("plan")[0] == 1
    assert "name it as exp/NAME" in capsys.readouterr().err
    assert command("plan", "-f", "/nonexistent.yaml")[0] == 1
    assert "cannot be read" in capsys.readouterr().err


def test_the_design_under_way_keeps_its_digest(command: Callable[..., Any], around: list[Any]) -> None:
    around[0]["status"] = {"observedGeneration": 3, "run": 1, "phase": "Running", "designHash": "sha256:" + "de" * 32}
    assert _hash(command) == "sha256:" + "de" * 32
    around[0]["spec"]["run"] = 2
    assert _hash(command) != "sha256:" + "de" * 32


def test_less_than_a_day_is_told_as_such(command: Callable[..., Any]) -> None:
    needed = {**ANSWER["metrics"][0], "days": 0.0021}
    _, page, _ = command("plan", "exp/new-ranker", answer={**ANSWER, "days": 1, "metrics": [needed]})
    assert "about 3m1s: 1,204,332 units" in page
