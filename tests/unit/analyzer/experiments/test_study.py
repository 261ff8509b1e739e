"""Designs that are refused, each with a sentence that says what to write, and error levels per test."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crossfade_analyzer.contract import ArmRole, Bound, Direction, ExperimentRole, Method, MetricKind, Mock, MockMetric
from crossfade_analyzer.experiments.study import problems, study_of, target_of
from crossfade_analyzer.statistics.refusals import InvalidPlan
from tests.fakes.experiments import CONTROL, ERRORS, LATENCY, PLAYS, TREATMENT, arm, design

ARMS = (CONTROL, TREATMENT)


def with_(metric: Any, **fields: Any) -> Any:
    return metric.model_copy(update=fields)


REFUSED: dict[str, tuple[dict[str, Any], tuple[Any, ...], str]] = {
    "no control": ({}, (TREATMENT, arm("b")), "one control arm, not 0"),
    "two controls": ({}, (CONTROL, arm("b", ArmRole.CONTROL)), "one control arm, not 2"),
    "one name twice": ({}, (CONTROL, with_(TREATMENT, name="control")), "the same name"),
    "one label twice": ({}, (CONTROL, with_(TREATMENT, label=CONTROL.label)), "the same label"),
    "one metric twice": ({"metrics": (ERRORS, ERRORS)}, ARMS, "named twice"),
    "nothing to show": ({"metrics": (LATENCY,)}, ARMS, "nothing could ever be shown"),
    "no mde": ({"metrics": (with_(PLAYS, mde=None),)}, ARMS, "needs an mde above 0"),
    "an mde of nothing": ({"metrics": (with_(PLAYS, mde=Bound(relative=Decimal(0))),)}, ARMS, "needs an mde above 0"),
    "no margin": ({"metrics": (with_(ERRORS, margin=None),)}, ARMS, "needs an margin above 0"),
    "a margin for a success": ({"metrics": (with_(PLAYS, margin=Bound(absolute=Decimal(1))),)}, ARMS, "leave it out"),
    "a margin of everything": (
        {"metrics": (with_(ERRORS, direction=Direction.HIGHER_IS_BETTER, margin=Bound(relative=Decimal(1))),)},
        ARMS,
        "accepts a loss of everything",
    ),
    "a growing sum under looks": (
        {"method": Method.GROUP_SEQUENTIAL, "metrics": (with_(PLAYS, grows_with_time=True),)},
        ARMS,
        "divide by user-days or requests",
    ),
    "a source of the router's": (
        {"metrics": (with_(ERRORS, source=PLAYS.source),)},
        ARMS,
        "counted by the router",
    ),
    "a mean without a source": ({"metrics": (with_(PLAYS, source=None),)}, ARMS, "needs a source"),
    "a latency without bounds": ({"metrics": (ERRORS, LATENCY), "latency_bounds": ()}, ARMS, "latencyBounds"),
    "too sure of harm": ({"alpha_minus": Decimal("0.2")}, ARMS, "uses up all that a power of 0.8 leaves"),
    "an alpha of a half": ({"alpha": Decimal("0.5")}, ARMS, "below 0.5"),
    "no time": ({"min_runtime_seconds": 7200.0}, ARMS, "longer than maxRuntime"),
    "an interval too long": ({"interval_seconds": 7200.0}, ARMS, "shorten the interval"),
    "too many windows": ({"max_runtime_seconds": 400_000.0}, ARMS, "use an interval of at least 80 s"),
}


@pytest.mark.parametrize(("fields", "arms", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_design_without_a_guarantee_is_refused(fields: dict[str, Any], arms: tuple[Any, ...], sentence: str) -> None:
    with pytest.raises(InvalidPlan, match=sentence):
        study_of(design(**fields), arms)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "needs one value for each arm"),
        ({"control": "0.1"}, "see treatment"),
        ({"control": "0.1", "treatment": "0.1", "third": "0.1"}, "see third"),
        ({"control": "0.1", "treatment": "1.5"}, "1.5 is no share"),
    ],
)
def test_a_mock_must_have_a_share_for_every_arm(values: dict[str, str], sentence: str) -> None:
    metrics = {"error-rate": MockMetric(values={name: Decimal(value) for name, value in values.items()})}
    made = Mock(requests_per_minute=Decimal(10), metrics=metrics)
    assert any(sentence in text for text in problems(design(mock=made), ARMS))


def test_a_parameter_belongs_to_its_spending_function() -> None:
    with pytest.raises(InvalidPlan, match="needs a parameter"):
        study_of(design(spending="Power"), ARMS)
    with pytest.raises(InvalidPlan, match="has no parameter"):
        study_of(design(spending_parameter=Decimal(2)), ARMS)


def test_levels_are_shared_by_treatments_and_metrics() -> None:
    metrics = (PLAYS, with_(PLAYS, name="other"), ERRORS, LATENCY)
    study = study_of(design(metrics=metrics), (CONTROL, TREATMENT, arm("second")))
    assert study.alpha(PLAYS) == 0.05 / 4
    assert study.alpha(ERRORS) == 0.05
    # 2 treatments x (4 metrics for harm + 2 success metrics that must last)
    assert study.alpha_harm == pytest.approx(0.01 / 12)
    assert study.beta == pytest.approx((0.2 - 0.01) / 2)


def test_shares_are_the_weights() -> None:
    study = study_of(design(), (arm("treatment", weight=1), arm("control", ArmRole.CONTROL, weight=3)))
    assert study.arms[0].name == "control"
    assert (study.share(0), study.nominal(1)) == (Decimal("0.75"), Decimal("0.25"))


def test_of_a_relative_and_an_absolute_bound_the_smaller_effect_counts() -> None:
    both = with_(PLAYS, mde=Bound(relative=Decimal("0.1"), absolute=Decimal("0.5")))
    assert target_of(both, 2.0) == pytest.approx(0.2)
    assert target_of(both, 20.0) == 0.5
    assert both.role is ExperimentRole.SUCCESS
    assert both.kind is MetricKind.MEAN
