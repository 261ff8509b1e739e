from typing import Any

import pytest
from pydantic import ValidationError

from crossfade_operator.api.metric import MetricSpec

SOURCE = {"numerator": 'empty_total{app="recs"}', "denominator": "results_total"}

HISTOGRAM = {"histogram": 'recs_seconds_bucket{app="recs"}', "above": "0.25"}


def spec(**changes: Any) -> MetricSpec:
    return MetricSpec.model_validate({"type": "Count", "prometheus": SOURCE} | changes)


def test_two_counters_are_enough() -> None:
    assert spec().manifest() == {
        "type": "Count",
        "direction": "LowerIsBetter",
        "prometheus": SOURCE,
        "labels": {"arm": "arm", "bucket": "abucket"},
        "growsWithTime": False,
        "freshness": "1m",
    }


def test_a_histogram_and_a_bound_are_enough() -> None:
    assert spec(prometheus=HISTOGRAM).manifest()["prometheus"] == HISTOGRAM


@pytest.mark.parametrize(
    "selector", ["a_total", "ns:a:total", '{__name__="a"}', 'a_total{x="}{",y!~"b|c"}', 'a_total {x="y"}', "a_total{}"]
)
def test_a_plain_selector_is_taken(selector: str) -> None:
    assert spec(prometheus=SOURCE | {"numerator": selector}).prometheus.numerator == selector


@pytest.mark.parametrize(
    "query",
    ["rate(a_total[5m])", "sum by (arm) (a)", "a_total[5m]", "a offset 5m", "a / b", "a @ 0", "1", "", "a{\n}", "-a"],
)
def test_what_is_computed_is_refused(query: str) -> None:
    with pytest.raises(ValidationError, match="must be a plain series selector"):
        spec(prometheus=SOURCE | {"numerator": query})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"prometheus": {"numerator": "a", "denominator": "a"}}, "always be 1", id="one series"),
        pytest.param({"prometheus": {}}, "either numerator and denominator, or", id="no series"),
        pytest.param({"prometheus": {"numerator": "a"}}, "either numerator and denominator, or", id="half a pair"),
        pytest.param({"prometheus": {"histogram": "a"}}, "either numerator and denominator, or", id="no bound"),
        pytest.param({"prometheus": SOURCE | HISTOGRAM}, "either numerator and denominator, or", id="both pairs"),
        pytest.param(
            {"prometheus": SOURCE | {"above": "1"}}, "either numerator and denominator, or", id="counters above a bound"
        ),
        pytest.param({"prometheus": HISTOGRAM | {"above": "0"}}, "must be above 0", id="all observations"),
        pytest.param({"prometheus": HISTOGRAM | {"above": "1s"}}, "a decimal in quotes", id="a bound with a unit"),
        pytest.param({"prometheus": HISTOGRAM | {"histogram": "{a='b'}"}}, "begins with a name", id="no name"),
        pytest.param({"type": "Mean", "prometheus": HISTOGRAM}, "gives a Count", id="the mean of a histogram"),
        pytest.param({"labels": {"arm": "x", "bucket": "x"}}, "must be two labels", id="one label"),
        pytest.param({"labels": {"arm": "abucket"}}, "must be two labels", id="one label by default"),
        pytest.param({"labels": {"arm": "my-arm"}}, "Prometheus label name", id="no label name"),
        pytest.param({"labels": {"arm": "__name__"}}, "Prometheus label name", id="a label of Prometheus'"),
        pytest.param({"type": "Histogram"}, "'Count' or 'Mean'", id="unknown type"),
        pytest.param({"direction": "Up"}, "'LowerIsBetter' or 'HigherIsBetter'", id="unknown direction"),
        pytest.param({"freshness": "0s"}, "above 0", id="no freshness"),
        pytest.param({"unit": "two words"}, "must be a word", id="unit of two words"),
        pytest.param({"description": "a\nb"}, "must be one line", id="two lines"),
        pytest.param({"mock": {"values": [{"arm": "a", "value": "1"}] * 2}}, "each arm once", id="an arm twice"),
        pytest.param({"query": "a"}, "Extra inputs", id="unknown field"),
    ],
)
def test_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        spec(**changes)
