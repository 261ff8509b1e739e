from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from crossfade_operator.cli.experiments import render
from crossfade_operator.cli.experiments.view import experiment_of
from crossfade_operator.cli.paint import Paint, width

NOW = datetime(2026, 11, 22, 10, 12, 30, tzinfo=UTC)
PLAIN = Paint(on=False)
Golden = Callable[[str, str], None]


def _page(obj: dict[str, Any], wide: int = 80) -> str:
    return "\n".join(render.page(experiment_of(obj), PLAIN, NOW, wide)) + "\n"


@pytest.mark.parametrize("wide", [80, 120])
def test_a_page_tells_where_it_stands_on_what_evidence_and_what_to_do(
    experiment_object: dict[str, Any], golden: Golden, wide: int
) -> None:
    page = _page(experiment_object, wide)
    golden(f"running-{wide}", page)
    assert max(map(width, page.splitlines())) <= wide


def test_a_new_draft_says_how_to_go_on(experiment_object: dict[str, Any], golden: Golden) -> None:
    del experiment_object["status"]
    golden("draft", _page(experiment_object))


def test_names_too_long_for_a_table_make_paragraphs_of_its_rows(experiment_object: dict[str, Any]) -> None:
    for entry in (experiment_object["spec"]["design"]["metrics"][0], experiment_object["status"]["results"][0]):
        entry["metric"] = "plays-per-session-among-returning-listeners"
    page = _page(experiment_object)
    assert max(map(width, page.splitlines())) <= 80
    assert "role and bound Success 1% · verdict Inconclusive" in page


@pytest.mark.parametrize(
    ("phase", "says"),
    [
        ("Draft", "kubectl crossfade start exp/new-ranker -n recs"),
        ("InReview", "kubectl crossfade approve exp/new-ranker -n recs"),
        ("Stopped", "waits for ana@example.com to decide"),
        ("Decided", "kubectl crossfade explain exp/new-ranker -n recs"),
        ("Invalid", "count spec.run up"),
        ("Interrupted", "goes on by itself"),
        ("Approved", "starts when its arms are ready"),
    ],
)
def test_every_phase_says_what_it_waits_for(experiment_object: dict[str, Any], phase: str, says: str) -> None:
    experiment_object["status"]["phase"] = phase
    assert says in _page(experiment_object, 120)


def test_an_old_status_is_marked_as_such(experiment_object: dict[str, Any]) -> None:
    assert "has not seen the newest change" not in _page(experiment_object)
    experiment_object["metadata"]["generation"] = 4
    assert "has not seen the newest change" in _page(experiment_object)


def test_an_outcome_is_not_called_a_decision_before_there_is_one(experiment_object: dict[str, Any]) -> None:
    experiment_object["status"] |= {"outcome": "Win", "decision": None}
    assert "so far     Win" in _page(experiment_object)
    experiment_object["status"]["decision"] = "new-ranker-000002"
    assert "decision   new-ranker-000002 · Win" in _page(experiment_object)


@pytest.mark.parametrize(
    ("metric", "fields", "shown"),
    [
        ("error-rate", {"value": 0.0064, "control": 0.0061}, "0.64% against 0.61%"),
        ("error-rate", {"value": 0.001, "control": 0.0, "lower": -0.0005, "upper": 0.0025},
         "0.10% against 0.00% [-0.05%, +0.25%]"),
        ("plays", {"value": 2.5, "control": 2.25}, "2.5 against 2.25"),
        ("plays", {"value": 2.5, "control": 0.0, "upper": 0.125}, "2.5 against 0 [-∞, +0.125]"),
        ("plays", {"relative": 0.018, "lower": -0.002}, "+1.8% [-0.2%, +∞]"),
        ("plays", {"relative": 0.018}, "+1.8%"),
        ("plays", {}, "-"),
    ],
)  # fmt: skip
def test_an_effect_is_told_in_percent_or_in_the_metrics_unit(
    experiment_object: dict[str, Any], metric: str, fields: dict[str, float], shown: str
) -> None:
    entry = experiment_object["status"]["results"][0]
    for field in ("value", "control", "relative", "lower", "upper"):
        entry.pop(field, None)
    experiment_object["status"]["results"] = [entry | {"metric": metric} | fields]
    [result] = experiment_of(experiment_object).results
    assert render.effect(result) == shown


def test_each_treatment_has_a_table_of_its_own(experiment_object: dict[str, Any]) -> None:
    results = experiment_object["status"]["results"]
    results += [{**result, "treatment": "bigger"} for result in results]
    page = _page(experiment_object)
    assert page.count("against control") == 2
    assert "evidence · bigger against control" in page


def test_a_listing_has_a_line_per_experiment(experiment_object: dict[str, Any]) -> None:
    header, line = render.listing([experiment_of(experiment_object)], PLAIN, NOW, None, namespaces=True)
    assert header.split()[:2] == ["NAMESPACE", "NAME"]
    assert line.split() == ["recs", "new-ranker", "ranker", "Running", "20%", "2", "of", "5", "41%", "Extend", "NotYet",
                            "7d1h"]  # fmt: skip


def test_a_line_for_logs_holds_all_of_it(experiment_object: dict[str, Any]) -> None:
    said = render.line(experiment_of(experiment_object), NOW).split("  ", 1)[1]
    assert said == (
        "recs/new-ranker  Running  look 2 of 5 41%  Extend  NotYet: 2 of 5 looks were taken; the next one is planned "
        "for 60% of the information"
    )
