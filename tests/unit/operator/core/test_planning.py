"""From spec to plan, and from a running candidate to the question about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from crossfade_analyzer.contract import Bound, CounterSource, Direction, HistogramSource, MetricKind, Plan, Role, Step
from crossfade_operator.api.metric import MetricSpec
from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelrollout_status import Exposure, Stage
from crossfade_operator.core.planning import MetricMissing, look_is_due, plan_for, request_for, source_of
from crossfade_operator.core.rollout.view import View
from tests.unit.operator.core.rollout import views
from tests.unit.operator.core.rollout.views import MINUTE, NOW, candidate, granted, routes, spec, view

ENDPOINT = ModelEndpointSpec.model_validate({"unit": {"header": "x-user"}})
PLAYS = MetricSpec.model_validate(
    {
        "type": "Mean",
        "direction": "HigherIsBetter",
        "prometheus": {"numerator": "plays_sum", "denominator": "plays_count"},
        "labels": {"arm": "variant", "bucket": "cell"},
        "freshness": "2m",
    }
)


def planned(own: dict[str, MetricSpec] | None = None, /, **analysis: Any) -> Plan:
    return plan_for("recs/ranker", ENDPOINT, spec(analysis=analysis), own or {})


def test_the_plan_holds_what_the_guarantee_rests_on() -> None:
    plan = planned(alpha="0.02", beta="0.1", interval="10s", warmup="1m")
    assert (plan.endpoint, plan.alpha, plan.beta) == ("recs/ranker", Decimal("0.02"), Decimal("0.1"))
    assert (plan.interval_seconds, plan.warmup_seconds) == (10, 60)
    assert plan.horizon_seconds == 600 + 1800 + 3600, "the sum of the holds"
    assert plan.latency_bounds[:3] == ("5ms", "10ms", "25ms")


def test_steps_without_a_hold_still_have_a_horizon() -> None:
    steps = [{"slice": "1%", "hold": "0s"}]
    assert plan_for("recs/ranker", ENDPOINT, spec(steps), {}).horizon_seconds == 1


def test_the_built_in_metrics_need_no_source() -> None:
    errors, latency = planned().metrics
    assert (errors.kind, errors.role, errors.source) == (MetricKind.ERROR_RATE, Role.GUARDRAIL, None)
    assert errors.margin == Bound(absolute=Decimal("0.01"))
    assert (latency.kind, latency.role, latency.margin) == (MetricKind.LATENCY, Role.DETERIORATION, None)


def test_a_metric_of_ones_own_brings_its_source_and_direction() -> None:
    use = {"metric": "plays", "role": "Guardrail", "margin": {"relative": "10%"}, "tolerance": {"absolute": "0.5"}}
    (one,) = planned({"plays": PLAYS}, metrics=[use]).metrics
    assert (one.kind, one.direction) == (MetricKind.MEAN, Direction.HIGHER_IS_BETTER)
    assert one.margin == Bound(relative=Decimal("0.1"))
    assert one.tolerance == Bound(absolute=Decimal("0.5"))
    assert isinstance(one.source, CounterSource)
    assert (one.source.numerator, one.source.denominator) == ("plays_sum", "plays_count")
    assert (one.source.arm_label, one.source.bucket_label, one.source.freshness_seconds) == ("variant", "cell", 120)


def test_a_histogram_is_read_above_its_bound() -> None:
    slow = MetricSpec.model_validate(
        {"type": "Count", "prometheus": {"histogram": "answer_seconds", "above": "0.25"}, "freshness": "2m"}
    )
    assert source_of(slow) == HistogramSource(histogram="answer_seconds", above=Decimal("0.25"), freshness_seconds=120)


def test_a_metric_that_does_not_exist_is_named() -> None:
    with pytest.raises(MetricMissing, match=r"there is no Metric 'plays'.*error-rate, latency"):
        planned(metrics=[{"metric": "plays", "role": "Deterioration"}])


def test_a_metric_cannot_take_the_place_of_a_built_in_one() -> None:
    errors, _ = planned({"error-rate": PLAYS}).metrics
    assert (errors.kind, errors.source, errors.direction) == (
        MetricKind.ERROR_RATE,
        None,
        Direction.LOWER_IS_BETTER,
    )


# Looks -------------------------------------------------------------------------------------------------------

PLAN = planned().model_dump(mode="json", by_alias=True)
LOOKING = candidate(plan=PLAN, next_look_at=NOW)


@pytest.mark.parametrize(
    ("found", "due"),
    [
        pytest.param(view(LOOKING), True, id="its time has come"),
        pytest.param(view(LOOKING, now=NOW - timedelta(microseconds=1)), False, id="its time has not come"),
        pytest.param(view(), False, id="there is no candidate"),
        pytest.param(view(candidate(plan=PLAN)), False, id="no look is planned"),
        pytest.param(view(candidate(next_look_at=NOW)), False, id="there is no plan"),
        pytest.param(view(candidate(plan=PLAN, next_look_at=NOW, since=None)), False, id="nobody is exposed yet"),
        pytest.param(
            view(candidate(plan=PLAN, next_look_at=NOW, step_started_at=None)), False, id="the step has not begun"
        ),
        pytest.param(
            view(candidate(Stage.WITHDRAWING, plan=PLAN, next_look_at=NOW)), False, id="the slice is taken back"
        ),
    ],
)
def test_a_look_is_due(found: View, due: bool) -> None:
    assert look_is_due(found) is due


def test_the_question_names_both_arms_and_the_step() -> None:
    request = request_for("subject", view(LOOKING), LOOKING)
    assert (request.subject, request.plan) == ("subject", Plan.model_validate(PLAN))
    assert (request.control.label, request.control.revisions) == ("stable", (views.STABLE,))
    assert (request.candidate.label, request.candidate.revisions) == ("candidate", (views.CANDIDATE,))
    assert (request.since, request.step.started_at) == (NOW - 11 * MINUTE, NOW - 11 * MINUTE)
    assert (request.step.index, request.step.share) == (0, Decimal("0.01"))


FORMER = Exposure(step=0, positions=10, started_at=NOW - 5 * MINUTE)
BETWEEN = candidate(
    Stage.SHIFTING, plan=PLAN, next_look_at=NOW, since=NOW - 8 * MINUTE, step=1, positions=100, former=FORMER
)


def test_while_a_step_shifts_the_question_is_about_the_one_before() -> None:
    found = view(BETWEEN)
    assert look_is_due(found)
    assert request_for("subject", found, BETWEEN).step == Step(
        index=0, started_at=NOW - 5 * MINUTE, share=Decimal("0.01"), shifting=True
    )


def test_the_share_is_that_of_users_who_are_compared() -> None:
    held_out = routes(LOOKING, holdout=granted(200, arm="holdout"))
    request = request_for("subject", view(LOOKING, routes=held_out), LOOKING)
    assert request.step.share == Decimal(10) / Decimal(800)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(view(candidate(Stage.SHIFTING, plan=PLAN)), id="no slice"),
        pytest.param(view(candidate()), id="no plan"),
        pytest.param(replace(view(LOOKING), status=views.status(LOOKING, stable_revision=None)), id="no stable"),
    ],
)
def test_what_cannot_be_asked_is_not_asked(found: View) -> None:
    assert found.status.candidate is not None
    with pytest.raises(ValueError, match="holds no slice yet"):
        request_for("subject", found, found.status.candidate)
