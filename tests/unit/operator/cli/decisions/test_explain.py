from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from crossfade_operator.cli.decisions import explain
from crossfade_operator.cli.decisions.view import Note, decision_of
from crossfade_operator.cli.paint import Paint, width

DIRECTIONS = {"plays": "HigherIsBetter"}
Record = Callable[[str], dict[str, Any]]
Golden = Callable[[str, str], None]


def _page(obj: dict[str, Any], wide: int = 80, later: tuple[Note, ...] = ()) -> str:
    return "\n".join(explain.page(decision_of(obj), later, DIRECTIONS, Paint(on=False), wide)) + "\n"


@pytest.mark.parametrize(
    "sort", ["shipped", "shipped-against-the-rule", "rolled-back", "promoted", "crashed", "hurried"]
)
def test_every_sort_of_decision_is_told_in_words(record: Record, golden: Golden, sort: str) -> None:
    page = _page(record(sort))
    golden(sort, page)
    assert max(map(width, page.splitlines())) <= 80


def test_an_act_that_nobody_signed_says_where_the_name_is(record: Record) -> None:
    obj = record("crashed")
    obj["spec"] |= {"actor": "unnamed", "basis": "Human", "reason": "AbortRequested"}
    assert "by somebody who did not sign: the API server's audit log has the name" in " ".join(_page(obj).split())


def test_reviews_of_the_decision_itself_are_told_apart(record: Record) -> None:
    page = _page(record("promoted"), later=(Note("r9", "cy@example.com", "Dissent", "too early"),))
    assert "Reviews since · 1 dissenting voice\n  - Dissent by cy@example.com: “too early”" in page


def test_a_margin_without_the_value_it_applies_to_is_named_and_not_guessed(record: Record) -> None:
    obj = record("promoted")
    del obj["spec"]["results"][0]["control"]
    page = " ".join(_page(obj).split())
    assert "It may not be worse than its margin (1% in absolute terms), so it is proven to be within." in page
    assert "points were left" not in page.split("latency shown worse")[0]


def test_a_metric_without_a_verdict_says_why(record: Record) -> None:
    obj = record("shipped")
    obj["spec"]["results"][0] = {
        "name": "plays",
        "treatment": "treatment",
        "role": "Success",
        "verdict": "CannotJudge",
        "message": "no series counts the treatment",
    }
    page = " ".join(_page(obj).split())
    assert "Nothing could be compared yet between treatment and control. No verdict: no series counts" in page


@pytest.mark.parametrize(("verdict", "told"), [("Different", "was"), ("Inconclusive", "was not")])
def test_a_quality_metric_must_not_differ_either_way(record: Record, verdict: str, told: str) -> None:
    obj = record("shipped")
    obj["spec"]["results"].append({**obj["spec"]["results"][0], "name": "mix", "role": "Quality", "verdict": verdict})
    page = " ".join(_page(obj).split())
    assert f"It must not be shown to differ, either way, and {told}." in page
    assert "mix (treatment) shown to differ from control, either way." in page


def test_only_the_arm_that_was_decided_about_could_have_changed_it(record: Record) -> None:
    obj = record("shipped")
    obj["spec"]["results"].append({**obj["spec"]["results"][0], "treatment": "bigger", "verdict": "Inferior"})
    page = _page(obj)
    assert "arm bigger" in page
    assert "(bigger)" not in page


def test_a_reason_or_action_of_a_newer_controller_is_told_without_a_meaning(record: Record) -> None:
    obj = record("crashed")
    obj["spec"] |= {"reason": "SolarFlare", "action": "Levitate"}
    page = _page(obj)
    assert "Levitate of ranker." in page
    assert "SolarFlare: container model ends" in page


def test_colours_change_no_word(record: Record) -> None:
    decision = decision_of(record("shipped"))
    painted = "\n".join(explain.page(decision, (), DIRECTIONS, Paint(on=True), 200))
    assert "\x1b[" in painted
    plain = "\n".join(explain.page(decision, (), DIRECTIONS, Paint(on=False), 200))
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain


def test_a_check_that_only_warns_could_not_have_changed_the_decision(record: Record) -> None:
    obj = record("shipped")
    gap = {"name": "CorrelationGap", "passed": False, "blocking": False, "message": "bounds may be too low"}
    obj["spec"]["checks"].append(gap)
    page = _page(obj)
    assert "  warns   CorrelationGap: bounds may be too low\n" in page
    assert "A check failed (SampleRatio or Fallback)" in " ".join(page.split())
