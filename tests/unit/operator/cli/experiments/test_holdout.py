"""`kubectl crossfade holdout`: what it asks, and what it says."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from crossfade_operator.cli.main import run

READINGS = "/v1/holdouts/readings"
NOW = datetime(2026, 11, 22, 10, 12, 30, tzinfo=UTC)
ANSWER: dict[str, Any] = {
    "state": "Read",
    "message": "users outside the holdout against those in it, 95% intervals",
    "since": "2026-08-01T00:00:00Z",
    "until": "2026-11-01T00:00:00Z",
    "requestsHeldOut": 412_000,
    "requestsRest": 40_310_000,
    "metrics": [
        {
            "metric": "error-rate",
            "heldOut": {"events": 4120, "total": 412_000, "value": 0.01},
            "rest": {"events": 362_790, "total": 40_310_000, "value": 0.009},
            "absolute": {"value": -0.001, "lower": -0.0014, "upper": -0.0006},
            "relative": {"value": -0.1, "lower": -0.14, "upper": -0.06},
        },
        {"metric": "latency", "message": "no bound of the latency could be chosen: the router has none"},
        {
            "metric": "plays",
            "heldOut": {"events": 2_060_000, "total": 412_000, "value": 5.0},
            "rest": {"events": 221_705_000, "total": 40_310_000, "value": 5.5},
            "absolute": {"value": 0.5, "lower": 0.3, "upper": 0.7},
            "message": "Control's value is within four standard errors of zero.",
        },
    ],
}
PAGE = """\
recs/ranker · holdout of 1%
  since      2026-08-01 00:00 UTC
  until      2026-11-01 00:00 UTC
  requests   held out 412,000 · rest 40,310,000

the rest against the held out, 95% intervals, each metric for itself
  METRIC      HELD OUT  REST   DIFFERENCE
  error-rate  1.0%      0.90%  -10.0% [-14.0%, -6.0%]
  latency     -         -      -
  plays       5         5.5    +0.5 [+0.3, +0.7]
  latency: no bound of the latency could be chosen: the router has none
  plays: Control's value is within four standard errors of zero.
"""
Command = Callable[..., tuple[int, str, Any]]


@pytest.fixture
def command(cluster: Callable[..., Any], endpoint_object: dict[str, Any], metric_object: dict[str, Any]) -> Command:
    def call(*arguments: str, answer: Any = ANSWER, slice_: str | None = "1%") -> tuple[int, str, Any]:
        if slice_:
            endpoint_object["spec"]["holdout"] = {"slice": slice_, "until": "2026-11-01T00:00:00Z"}
        made, out = cluster(endpoint_object, metric_object), io.StringIO()
        made.answers = {READINGS: answer}
        code = run(arguments, connect=lambda options: made, out=out, now=lambda: NOW)
        return code, out.getvalue(), made

    return call


def test_it_asks_for_every_metric_and_shows_what_is_known(command: Command) -> None:
    code, out, made = command("holdout", "endpoint/ranker")
    assert (code, out) == (0, PAGE)
    ((_, method, path, question),) = made.questions
    assert (method, path, question["endpoint"]) == ("POST", READINGS, "recs/ranker")
    assert question["until"] == "2026-11-01T00:00:00Z"
    assert [one["name"] for one in question["metrics"]] == ["error-rate", "latency", "plays"]
    assert question["metrics"][2]["source"]["numerator"]


def test_it_is_the_same_for_programs(command: Command) -> None:
    _, out, _ = command("holdout", "ranker", "-o", "json")
    assert json.loads(out)["metrics"][0]["relative"] == {"value": -0.1, "lower": -0.14, "upper": -0.06}


def test_before_its_end_it_shows_no_number(command: Command) -> None:
    answer = {"state": "NotYet", "message": "the holdout is compared once, at its end", "until": ANSWER["until"]}
    code, out, _ = command("holdout", "ranker", answer=answer)
    assert code == 4
    assert "The holdout is compared once, at its end." in out
    assert "METRIC" not in out


def test_an_endpoint_without_a_holdout_says_how_to_have_one(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, made = command("holdout", "ranker", slice_=None)
    assert (code, out, made.questions) == (1, "", [])
    said = capsys.readouterr().err
    assert "ranker has no holdout" in said
    assert "spec.holdout {slice, until}" in said
