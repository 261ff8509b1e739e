"""Whole experiments on made-up traffic: the same code path as real ones, to every kind of end."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crossfade_analyzer.contract import (
    CheckName,
    ExperimentReason,
    ExperimentRole,
    ExperimentState,
    ExperimentType,
    Method,
    MetricVerdict,
    Outcome,
    Recommendation,
)
from tests.fakes.experiments import CONTROL, ERRORS, PLAYS, SUBJECT, TREATMENT, arm, excluded, mock
from tests.scenario.analyzer.experiments.conftest import MINUTE, Asked, Dry

QUALITY = ERRORS.model_copy(update={"role": ExperimentRole.QUALITY, "margin": None})
BOTH = {"metrics": (PLAYS, ERRORS)}
METHODS = list(Method)


@pytest.mark.parametrize("method", METHODS)
def test_a_better_treatment_is_shipped(dry: Dry, method: Method) -> None:
    dry.designed(**BOTH, method=method, mock=mock(plays=(2.0, 2.2)))
    seen = dry.go(15)
    assert (seen.recommendation, seen.treatment, seen.reason) == (
        Recommendation.SHIP,
        "treatment",
        ExperimentReason.SHIP_RULE_MET,
    )
    assert [m.verdict for m in seen.metrics] == [MetricVerdict.SUPERIOR, MetricVerdict.NON_INFERIOR]
    plays = seen.metrics[0]
    assert plays.absolute is not None
    assert plays.absolute.lower is not None
    assert plays.absolute.lower > 0
    assert plays.relative is not None
    assert plays.relative.value == pytest.approx(0.1, abs=0.05)
    assert plays.revision == "plays@1"


@pytest.mark.parametrize("method", METHODS)
def test_a_worse_treatment_is_aborted(dry: Dry, method: Method) -> None:
    dry.designed(**BOTH, method=method, mock=mock(plays=(2.0, 1.7)))
    seen = dry.go(15)
    assert (seen.state, seen.recommendation) == (ExperimentState.JUDGED, Recommendation.ABORT)
    assert (seen.reason, seen.outcome) == (ExperimentReason.DETERIORATION, Outcome.REGRESSION_FOUND)


@pytest.mark.parametrize("method", [Method.FIXED_HORIZON, Method.GROUP_SEQUENTIAL])
def test_no_difference_with_the_planned_information_is_a_neutral_result(dry: Dry, method: Method) -> None:
    dry.designed(**BOTH, method=method)
    seen = dry.go(15)
    assert (seen.final, seen.recommendation, seen.reason) == (True, Recommendation.ABORT, ExperimentReason.NO_SUCCESS)
    assert (seen.outcome, seen.progress) == (Outcome.POWERED_NEUTRAL, 1.0)


def test_better_and_outside_a_margin_is_for_people(dry: Dry) -> None:
    dry.designed(**BOTH, mock=mock(plays=(2.0, 2.2), errors=(0.01, 0.032)))
    seen = dry.go(15)
    assert seen.recommendation is Recommendation.DISCUSS
    assert seen.reason is ExperimentReason.SUCCESS_AND_DETERIORATION
    assert "error-rate" in seen.message
    assert "plays" in seen.message


def test_what_is_not_powered_yet_is_extended_and_at_the_longest_run_time_discussed(dry: Dry) -> None:
    dry.designed(**BOTH, mock=mock(requests_per_minute=Decimal(300), spread="5"), max_runtime_seconds=1200.0)
    extended = dry.go(15)
    assert (extended.state, extended.recommendation) == (ExperimentState.COLLECTING, Recommendation.EXTEND)
    assert 0 < extended.progress < 1
    over = dry.go(10)
    assert (over.final, over.recommendation, over.reason) == (
        True,
        Recommendation.DISCUSS,
        ExperimentReason.UNDERPOWERED,
    )
    assert over.outcome is Outcome.NOT_READY


def test_stopped_early_it_is_to_be_run_again_for_longer(dry: Dry) -> None:
    dry.designed(**BOTH, mock=mock(requests_per_minute=Decimal(300), spread="5"))
    dry.go(5)
    seen = dry.ask(stopped_ms=dry.prometheus.now_ms)
    assert (seen.final, seen.recommendation, seen.reason) == (
        True,
        Recommendation.EXTEND,
        ExperimentReason.UNDERPOWERED,
    )


def test_of_several_treatments_the_one_that_meets_the_rule_is_shipped(dry: Dry) -> None:
    made = mock(plays=(2.0, 1.7, 2.2), errors=(0.01, 0.01, 0.01))
    dry.designed(**BOTH, mock=made)
    seen = dry.go(15, arms=(TREATMENT, arm("second"), CONTROL))
    assert (seen.recommendation, seen.treatment) == (Recommendation.SHIP, "second")
    verdicts = {(m.treatment, m.metric): m.verdict for m in seen.metrics}
    assert verdicts["treatment", "plays"] is MetricVerdict.INFERIOR
    assert verdicts["second", "plays"] is MetricVerdict.SUPERIOR


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("errors", [(0.01, 0.02), (0.02, 0.01)], ids=["more", "fewer"])
def test_a_quality_metric_that_differs_either_way_forbids_any_result(
    dry: Dry, method: Method, errors: tuple[float, float]
) -> None:
    dry.designed(metrics=(PLAYS, QUALITY), method=method, mock=mock(plays=(2.0, 2.2), errors=errors))
    seen = dry.go(65)
    assert (seen.final, seen.reason, seen.outcome) == (True, ExperimentReason.CHECK_FAILED, Outcome.INVALID)
    assert "error-rate: treatment differs from control" in seen.message
    assert seen.metrics[1].verdict is MetricVerdict.DIFFERENT
    assert [check.passed for check in seen.checks if check.name is CheckName.QUALITY] == [False]


def test_a_quality_metric_that_is_the_same_changes_nothing(dry: Dry) -> None:
    dry.designed(metrics=(PLAYS, QUALITY), mock=mock(plays=(2.0, 2.2)))
    seen = dry.go(15)
    assert seen.recommendation is Recommendation.SHIP
    assert seen.metrics[1].verdict is MetricVerdict.INCONCLUSIVE
    assert [check.passed for check in seen.checks if check.name is CheckName.QUALITY] == [True]


def test_an_incident_that_is_excluded_for_all_arms_is_left_out_and_told(dry: Dry) -> None:
    dry.designed(**BOTH, mock=mock(plays=(2.0, 2.2)))
    exclusions = (excluded(dry.since + 2 * MINUTE + 1, dry.since + 4 * MINUTE),)
    seen = dry.go(15, exclusions=exclusions)
    look = dry.looks()[-1]
    assert seen.without_exclusions is not None
    assert seen.without_exclusions.recommendation is seen.recommendation is Recommendation.SHIP
    assert look.everything is not None
    included, everything = look.included[0].control[1], look.everything[0].control[1]
    left_out = sum(sum(w.requests[0]) for w in dry.windows()[2:4])
    assert everything - included == left_out > 0


def test_a_labelled_pre_period_makes_the_result_surer(dry: Dry, tmp_path_factory: pytest.TempPathFactory) -> None:
    fields = {**BOTH, "mock": mock(plays=(2.0, 2.05), spread="0.8")}
    other = Asked(tmp_path_factory.mktemp("other"))
    other.fields["design"] = dry.designed(**fields)
    dry.designed(**fields, pre_period_seconds=3600.0)
    with_it = dry.go(15)
    while not (without := other.ask()).final:
        other.prometheus.now_ms += MINUTE
    one, plain = with_it.metrics[0], without.metrics[0]
    assert one.cuped_r2 is not None
    assert one.cuped_r2 > 0.2
    assert plain.cuped_r2 is None
    assert [c.passed for c in with_it.checks if c.name is CheckName.PRE_EXPOSURE_BIAS] == [True, True]
    other.store.close()


def test_equal_arms_of_an_aa_experiment_say_how_good_the_analysis_is(dry: Dry) -> None:
    dry.designed(**BOTH, type=ExperimentType.AA)
    seen = dry.go(15)
    assert (seen.final, seen.reason) == (True, ExperimentReason.AS_EXPECTED)
    assert seen.recommendation is Recommendation.CONTINUE
    assert seen.self_test is not None
    assert seen.self_test.false_positive_rate == pytest.approx(0.05, abs=0.03)
    assert seen.self_test.split_error < 0.02
    names = {c.name: c.passed for c in seen.checks}
    assert names[CheckName.FALSE_POSITIVE_RATE]
    assert names[CheckName.SPLIT_ACCURACY]


def test_an_aa_experiment_whose_arms_differ_suspends_results(dry: Dry) -> None:
    dry.designed(**BOTH, type=ExperimentType.AA, mock=mock(plays=(2.0, 2.2)))
    seen = dry.go(15)
    assert (seen.recommendation, seen.outcome) == (Recommendation.DISCUSS, Outcome.INVALID)
    assert "plays" in seen.message


def test_a_dry_run_is_the_same_whoever_asks_and_however_often(
    dry: Dry, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Asked(tmp_path_factory.mktemp("other"))
    other.fields["design"] = dry.designed(**BOTH)
    dry.go(15)
    other.prometheus.now_ms += 15 * MINUTE
    other.ask()
    digests = [[entry.digest for entry in asked.store.chain(SUBJECT)] for asked in (dry, other)]
    assert digests[0] == digests[1]
    other.store.close()
