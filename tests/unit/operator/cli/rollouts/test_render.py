from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossfade_operator.cli.paint import Paint, columns, width
from crossfade_operator.cli.rollouts import render
from crossfade_operator.cli.rollouts.view import rollout_of
from crossfade_operator.cli.text import span

NOW = datetime(2026, 11, 22, 10, 12, 30, tzinfo=UTC)
PLAIN = Paint(on=False)


def _page(obj: dict[str, Any]) -> str:
    return "\n".join(render.page(rollout_of(obj), PLAIN, NOW, 120))


def test_a_page_tells_where_it_stands_on_what_evidence_and_why(rollout_object: dict[str, Any]) -> None:
    page = _page(rollout_object)
    for fact in (
        "recs/ranker · endpoint ranker · owner team-ranking",
        "Progressing · step 2/2 · 10% of the users",
        "Analyzing: error-rate is not proven yet",
        "kx7wq2m9bc · analyzing · step runs for 12m30s of 30m, 17m30s left",
        "3 of 4 ready",
        "stable 12,345 · candidate 1,234 · in this step 1,100 of 2,000 needed",
        "×0.89 [0.41, 1.95]",
        "error-rate: not proven below the margin yet",
        "StepProven: 1,012 requests, nothing shown worse (rollout@1, evidence sha256:abababab…)",
    ):
        assert fact in page


def test_a_reason_that_a_person_can_act_on_says_what_to_do(rollout_object: dict[str, Any]) -> None:
    rollout_object["status"].update(
        phase="AwaitingApproval", reason="ApprovalMissing", message="0 of 1 approvals given"
    )
    assert "`promote` gives one" in _page(rollout_object)


def test_a_reason_of_a_newer_controller_is_shown_without_advice(rollout_object: dict[str, Any]) -> None:
    rollout_object["status"]["reason"] = "SolarFlare"
    assert "SolarFlare: error-rate is not proven yet" in _page(rollout_object)


def test_an_old_status_is_marked_as_such(rollout_object: dict[str, Any]) -> None:
    assert "has not seen the newest change" not in _page(rollout_object)
    rollout_object["metadata"]["generation"] = 5
    assert "has not seen the newest change" in _page(rollout_object)


def test_a_stable_revision_that_can_be_restored_says_how_long(rollout_object: dict[str, Any]) -> None:
    rollout_object["status"].update(previousRevision="zz9plural2", previousUntil="2026-11-25T10:12:30Z")
    assert "zz9plural2 · can be restored for 3d" in _page(rollout_object)
    rollout_object["status"]["previousUntil"] = "2026-11-22T10:00:00Z"
    assert "zz9plural2" not in _page(rollout_object)


def test_an_emergency_asks_for_its_review(rollout_object: dict[str, Any]) -> None:
    rollout_object["status"]["reviewsDue"] = [{"decision": "ranker-000011", "by": "ana@example.com"}]
    page = " ".join(_page(rollout_object).split())
    assert "ranker-000011 was an emergency; another person has to review it" in page
    assert "approve|dissent decision/ranker-000011 -n recs -m 'why'" in page


def test_only_the_last_decisions_are_shown_and_the_rest_is_counted(rollout_object: dict[str, Any]) -> None:
    rollout_object["status"]["decisions"] *= 15
    page = _page(rollout_object)
    assert "decisions (last 8 of 15)" in page
    assert page.count("StepProven") == 8


def test_words_are_wrapped_to_the_width_asked_for(rollout_object: dict[str, Any]) -> None:
    rollout_object["status"]["message"] = "a rather long sentence about nothing in particular " * 6
    lines = render.page(rollout_of(rollout_object), PLAIN, NOW, 80)
    assert max(len(line) for line in lines if "rather" in line or "particular" in line) <= 80


def test_a_table_has_a_line_per_rollout_and_namespaces_when_asked(rollout_object: dict[str, Any]) -> None:
    rollout = rollout_of(rollout_object)
    header, line = render.table([rollout], PLAIN, NOW, None, namespaces=False)
    assert header.split()[0] == "NAME"
    assert line.split() == ["ranker", "ranker", "Progressing", "2/2", "10%", "p4rtz8vnd5", "kx7wq2m9bc", "Undecided",
                            "Analyzing", "1h12m"]  # fmt: skip
    assert render.table([rollout], PLAIN, NOW, None, namespaces=True)[1].split()[0] == "recs"


def test_a_narrow_table_leaves_out_what_tells_least(rollout_object: dict[str, Any]) -> None:
    lines = render.table([rollout_of(rollout_object)], PLAIN, NOW, 80, namespaces=True)
    assert max(map(width, lines)) <= 80
    assert "PHASE" in lines[0]
    assert "STABLE" not in lines[0]


def test_a_page_fits_a_narrow_terminal(rollout_object: dict[str, Any], golden: Callable[[str, str], None]) -> None:
    page = "\n".join(render.page(rollout_of(rollout_object), PLAIN, NOW, 80)) + "\n"
    golden("mid-step-80", page)
    assert max(map(width, page.splitlines())) <= 80


def test_a_line_for_logs_holds_all_of_it(rollout_object: dict[str, Any]) -> None:
    said = render.line(rollout_of(rollout_object), NOW).split("  ", 1)[1]
    assert said == "recs/ranker  Progressing  step 2/2 10%  Undecided  Analyzing: error-rate is not proven yet"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (-3, "0s"), (59, "59s"), (60, "1m"), (75, "1m15s"), (7200, "2h"), (90061, "1d1h"), (86401, "1d")],
)
def test_spans_read_well(seconds: int, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text


def test_colours_take_no_column_and_can_be_left_out() -> None:
    red = Paint(on=True)("bad", "red", "bold")
    assert width(red) == 3
    assert Paint(on=False)("bad", "red") == "bad"
    assert columns([("a", "b"), (red, "c")]) == ["a    b", f"{red}  c"]
