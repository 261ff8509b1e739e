from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from crossfade_operator.api.review import ReviewSpec
from crossfade_operator.cli.main import run

NOW = datetime(2026, 11, 22, 10, 12, 30, tzinfo=UTC)
DESIGN = "sha256:" + "de" * 32
CANDIDATE = "kx7wq2m9bc"
Command = Callable[..., tuple[int, str, Any]]


@pytest.fixture
def decision_object() -> dict[str, Any]:
    spec = {"subject": {"kind": "ModelRollout", "name": "ranker"}, "basis": "Emergency", "actor": "ana@example.com"}
    return {"kind": "Decision", "metadata": {"name": "ranker-000011", "namespace": "recs"}, "spec": spec}


@pytest.fixture
def around(
    experiment_object: dict[str, Any],
    endpoint_object: dict[str, Any],
    metric_object: dict[str, Any],
    rollout_object: dict[str, Any],
    decision_object: dict[str, Any],
) -> list[dict[str, Any]]:
    container = {"name": "model", "image": "ranker:2", "ports": [{"name": "http", "containerPort": 8080}]}
    rollout_object["spec"]["template"] = {"spec": {"containers": [container]}}
    return [experiment_object, endpoint_object, metric_object, rollout_object, decision_object]


@pytest.fixture
def command(cluster: Callable[..., Any], around: list[dict[str, Any]]) -> Command:
    def call(*arguments: str, me: str = "bo@example.com") -> tuple[int, str, Any]:
        made, out = cluster(*around, me=me), io.StringIO()
        code = run(arguments, connect=lambda options: made, out=out, now=lambda: NOW)
        return code, out.getvalue(), made

    return call


def _review(made: Any) -> dict[str, Any]:
    (one,) = made.created
    ReviewSpec.model_validate(one["spec"])
    return dict(one)


def test_an_approval_is_of_the_design_that_is_seen_and_in_ones_own_name(command: Command) -> None:
    code, out, made = command("approve", "exp/new-ranker")
    review = _review(made)
    assert code == 0
    assert review["metadata"]["name"].startswith("new-ranker-approve-bo-")
    assert review["spec"] == {
        "subject": {"kind": "Experiment", "name": "new-ranker", "design": DESIGN},
        "verdict": "Approve",
        "reviewer": "bo@example.com",
    }
    assert out.splitlines() == [
        f"recorded as {review['metadata']['name']}: Approve by bo@example.com of exp/new-ranker (design "
        "sha256:dededede…)",
        "1 of 2 approvals count (bo@example.com).",
    ]


def test_ones_own_approval_is_recorded_and_does_not_count(command: Command) -> None:
    out = command("approve", "exp/new-ranker", me="ana@example.com")[1]
    assert "It does not count: ana@example.com owns the experiment or decides it" in out
    assert "0 of 2 approvals count." in out


def test_agreeing_with_an_action_counts_against_the_recommendation(command: Command) -> None:
    arguments = ("approve", "exp/new-ranker", "--action", "ship", "-m", "the licence ends")
    _, out, made = command(*arguments)
    assert _review(made)["spec"]["action"] == "Ship"
    assert "1 of 1 approval of Ship against the recommendation (Extend)." in out
    assert "It does not count" in command(*arguments, me="ana@example.com")[1]


def test_before_a_result_there_is_nothing_to_agree_against(command: Command, around: list[dict[str, Any]]) -> None:
    del around[0]["status"]["recommendedAt"]
    assert "It does not count yet" in command("approve", "exp/new-ranker", "--action", "ship", "-m", "why")[1]


@pytest.mark.parametrize(
    ("verb", "verdict", "said"),
    [
        ("request-changes", "RequestChanges", "does not start until bo@example.com approves it"),
        ("dissent", "Dissent", "blocks nothing. It is kept with the decision and shown with it for ever"),
        ("comment", "Comment", "counts for nothing and is kept"),
    ],
)
def test_other_verdicts_say_what_they_do(command: Command, verb: str, verdict: str, said: str) -> None:
    _, out, made = command(verb, "exp/new-ranker", "-m", "plays are not listening time")
    assert _review(made)["spec"]["verdict"] == verdict
    assert said in out


def test_changes_that_others_ask_for_are_named(
    command: Command, around: list[dict[str, Any]], reviewed: Callable[..., Any]
) -> None:
    asked = reviewed("Experiment/new-ranker", "cy@example.com", "RequestChanges", design=DESIGN, reason="name an owner")
    around.append(asked)
    assert (
        "It waits for changes: cy@example.com asks for changes: name an owner"
        in command("approve", "exp/new-ranker")[1]
    )


def test_a_rollout_is_approved_in_the_revision_that_is_tried(
    command: Command, around: list[dict[str, Any]], reviewed: Callable[..., Any]
) -> None:
    around += [
        reviewed("ModelRollout/ranker", "cy@example.com", "Approve", revision=CANDIDATE),
        reviewed("ModelRollout/ranker", "di@example.com", "Approve", revision="p4rtz8vnd5"),
    ]
    _, out, made = command("approve", "ranker")
    assert _review(made)["spec"]["subject"] == {"kind": "ModelRollout", "name": "ranker", "revision": CANDIDATE}
    assert f"2 of 2 approvals of revision {CANDIDATE} (bo@example.com and cy@example.com)." in out


def test_a_decision_made_in_an_emergency_is_reviewed_by_another(command: Command) -> None:
    assert "the review that the emergency owed" in command("approve", "decision/ranker-000011")[1]
    owes = command("dissent", "decision/ranker-000011", "-m", "on reflection", me="ana@example.com")[1]
    assert "that is for another person to write" in owes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param("dissent exp/new-ranker", "needs a reason", id="dissent-without-a-word"),
        pytest.param("approve exp/new-ranker --action promote -m x", "it can be ship or abort", id="of-another-kind"),
        pytest.param("approve rollout/ranker --action promote", "needs a reason", id="overruling-without-why"),
        pytest.param("approve decision/ranker-000011 --action ship -m x", "leave --action out", id="what-is-done"),
        pytest.param("comment endpoint/ranker -m x", "exp/NAME or rollout/NAME or decision/NAME", id="no-subject"),
    ],
)
def test_an_opinion_that_cannot_be_recorded_is_refused(
    command: Command, capsys: pytest.CaptureFixture[str], arguments: str, said: str
) -> None:
    code, _, made = command(*arguments.split())
    assert (code, made.created) == (1, [])
    assert said in capsys.readouterr().err


def test_blanks_are_no_reason(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("comment", "exp/new-ranker", "-m", "   ")[0] == 1
    assert "must be a sentence or more" in capsys.readouterr().err


def test_a_rollout_without_a_candidate_has_nothing_to_approve(
    command: Command, around: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    del around[3]["status"]["candidateRevision"]
    assert command("approve", "ranker")[0] == 1
    assert "ranker has no candidate to approve" in capsys.readouterr().err
    assert command("comment", "ranker", "-m", "well done")[0] == 0


@pytest.mark.parametrize(
    ("reviewer", "who"),
    [("system:serviceaccount:recs:ci-bot", "ci-bot"), ("Ana Ñ <ana@example.com>", "ana-ana"), ("@", "")],
)
def test_names_are_readable_and_valid_whoever_reviews(command: Command, reviewer: str, who: str) -> None:
    made = command("approve", "exp/new-ranker", "-o", "json", me=reviewer)[1]
    name = json.loads(made)["metadata"]["name"]
    assert name.rpartition("-")[0] == f"new-ranker-approve{'-' if who else ''}{who}"
    assert name.isascii()
    assert name == name.lower()
