from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from crossfade_operator.cli.main import run

NOW = datetime(2026, 11, 22, 10, 12, 30, tzinfo=UTC)
Command = Callable[..., tuple[int, str, Any]]


@pytest.fixture
def command(
    cluster: Callable[..., Any],
    experiment_object: dict[str, Any],
    endpoint_object: dict[str, Any],
    metric_object: dict[str, Any],
) -> Command:
    def call(*arguments: str, phase: str | None = None, me: str = "ana@example.com", **status: Any) -> Any:
        if phase:
            experiment_object["status"] |= {"phase": phase, **status}
        made, out = cluster(experiment_object, endpoint_object, metric_object, me=me), io.StringIO()
        code = run(arguments, connect=lambda options: made, out=out, now=lambda: NOW)
        return code, out.getvalue(), made

    return call


def _spec(made: Any) -> dict[str, Any]:
    ((name, patch),) = made.patches
    assert name == "exp/new-ranker"
    return dict(patch["spec"])


def test_start_asks_and_says_what_is_still_waited_for(
    command: Command, experiment_object: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    experiment_object["spec"]["desiredState"] = "Draft"
    code, out, made = command("start", "exp/new-ranker", phase="Draft")
    assert (code, _spec(made)) == (0, {"desiredState": "Running"})
    assert "as soon as nothing stands against it" in out
    assert "warning: 0 of 2 approvals" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "phase", "wanted"), [("stop", "Running", "Stopped"), ("archive", "Decided", "Archived")]
)
def test_a_state_is_one_field_signed(command: Command, verb: str, phase: str, wanted: str) -> None:
    made = command(verb, "new-ranker", phase=phase)[2]
    assert _spec(made) == {"desiredState": wanted}
    ((_, patch),) = made.patches
    assert patch["metadata"] == {"annotations": {"crossfade.dev/state-by": f"1/{wanted} ana@example.com"}}


@pytest.mark.parametrize(
    ("verb", "phase", "said"),
    [
        pytest.param("start", "Running", "was started already", id="start-twice"),
        pytest.param("start", "Decided", '"run":2,"desiredState":"Draft","decision":null', id="start-what-has-ended"),
        pytest.param("stop", "Decided", "has ended already", id="stop-what-has-ended"),
        pytest.param("archive", "Running", "stop and decide it first", id="archive-what-runs"),
        pytest.param("archive", "Archived", "is archived already", id="archive-twice"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(
    command: Command, capsys: pytest.CaptureFixture[str], verb: str, phase: str, said: str
) -> None:
    code, _, made = command(verb, "exp/new-ranker", phase=phase)
    assert (code, made.patches) == (1, [])
    assert said in capsys.readouterr().err


def test_stop_needs_something_that_runs(
    command: Command, experiment_object: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    experiment_object["spec"]["desiredState"] = "Draft"
    assert command("stop", "exp/new-ranker", phase="Draft")[0] == 1
    assert "is not asked to run" in capsys.readouterr().err


FINISHED = {"recommendation": "Ship", "treatment": "treatment", "final": True, "recommendedAt": "2026-11-21T10:00:00Z"}


def test_a_decision_is_made_in_the_callers_own_name(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, made = command("decide", "exp/new-ranker", "ship", "-m", "it is better", phase="Stopped", **FINISHED)
    assert (code, out) == (0, "asked for new-ranker to be decided: Ship\n")
    assert _spec(made) == {
        "decision": {"action": "Ship", "by": "ana@example.com", "rationale": "it is better", "lane": "Regular"}
    }
    assert "warning" not in capsys.readouterr().err


def test_against_the_recommendation_it_says_whose_approval_is_needed(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    against = {**FINISHED, "recommendation": "Abort"}
    code, out, _ = command("decide", "exp/new-ranker", "ship", "-m", "all the same", phase="Stopped", **against)
    assert code == 0
    assert "against the recommendation" in out
    said = capsys.readouterr().err
    assert "approve exp/new-ranker -n recs --action ship -m 'why'" in said
    assert "it needs 1 Reviews by others" in said


def test_an_emergency_needs_no_result_and_says_what_it_is(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("decide", "exp/new-ranker", "abort", "--emergency", "-m", "INC-7")
    _, _, made = command(*arguments, phase="Running", recommendation="Ship")
    assert _spec(made)["decision"]["lane"] == "Emergency"
    assert "as an emergency it is done at once" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("phase", "me", "said"),
    [
        pytest.param(
            "Stopped", "bo@example.com", "ana@example.com decides about new-ranker, and you are bo@", id="who"
        ),
        pytest.param("Running", "ana@example.com", "stop it first", id="no-result-yet"),
        pytest.param("Draft", "ana@example.com", "there is no final result", id="not-even-started"),
        pytest.param("Decided", "ana@example.com", "a decision is never changed", id="decided-already"),
    ],
)
def test_a_decision_that_cannot_be_made_is_not_asked_for(
    command: Command, capsys: pytest.CaptureFixture[str], phase: str, me: str, said: str
) -> None:
    code, _, made = command("decide", "exp/new-ranker", "ship", "-m", "why", phase=phase, me=me)
    assert (code, made.patches) == (1, [])
    assert said in capsys.readouterr().err


def test_a_time_is_left_out_beside_those_that_are_already(command: Command, experiment_object: dict[str, Any]) -> None:
    first = {"from": "2026-11-18T10:00:00Z", "to": "2026-11-18T11:00:00Z", "reason": "INC-1"}
    experiment_object["spec"]["exclusions"] = [first]
    arguments = ("exclude", "exp/new-ranker", "--from", "2026-11-20T10:00:00Z", "--to", "now", "-m", "INC-2")
    code, _, made = command(*arguments)
    second = {"from": "2026-11-20T10:00:00Z", "to": "2026-11-22T10:12:30.000000Z", "reason": "INC-2"}
    assert (code, _spec(made)) == (0, {"exclusions": [first, second]})
    assert made.patches[0][1]["metadata"] == {"resourceVersion": "200"}


@pytest.mark.parametrize(
    ("begin", "end", "said"),
    [
        ("yesterday", "now", "--from: must be a date and time with a zone"),
        ("2026-11-20T10:00:00Z", "2026-11-20T09:00:00Z", "must end after it begins"),
    ],
)
def test_a_time_that_is_none_is_refused(
    command: Command, capsys: pytest.CaptureFixture[str], begin: str, end: str, said: str
) -> None:
    assert command("exclude", "exp/new-ranker", "--from", begin, "--to", end, "-m", "INC-2")[0] == 1
    assert said in capsys.readouterr().err
