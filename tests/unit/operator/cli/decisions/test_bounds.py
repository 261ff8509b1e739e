from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crossfade_operator.cli.decisions.bounds import allowed_of, effect_of
from crossfade_operator.cli.decisions.view import Decision, decision_of

Record = Callable[[str], dict[str, Any]]


def _with(obj: dict[str, Any], **changes: Any) -> Decision:
    obj["spec"]["results"][0] |= changes
    return decision_of(obj)


def test_a_rollouts_ratio_and_an_experiments_difference_become_the_same_effect(record: Record) -> None:
    rollout, experiment = decision_of(record("rolled-back")), decision_of(record("shipped"))
    assert effect_of(rollout, rollout.results[0], None).estimate == pytest.approx(1.12)
    assert effect_of(experiment, experiment.results[0], None).estimate == pytest.approx(0.0179)


def test_harm_is_read_from_the_bad_end_whichever_way_is_good(record: Record) -> None:
    decision = decision_of(record("shipped"))
    plays, errors, _ = decision.results
    more_is_better = effect_of(decision, plays, "HigherIsBetter")
    assert (more_is_better.most_harm, more_is_better.least_harm) == (-0.0061, -0.0301)
    less_is_better = effect_of(decision, errors, None)
    assert (less_is_better.most_harm, less_is_better.least_harm) == (0.022, -0.084)


def test_the_routers_own_metrics_are_better_lower_whatever_a_namesake_says(record: Record) -> None:
    decision = decision_of(record("shipped"))
    assert effect_of(decision, decision.results[1], "HigherIsBetter").sign == -1


@pytest.mark.parametrize(
    ("verdict", "estimate", "sign"),
    [("Superior", "0.02", 1), ("Superior", "-0.02", -1), ("Inferior", "0.02", -1), ("Inconclusive", "0.02", 0)],
)
def test_a_direction_that_nobody_knows_is_read_off_a_clear_verdict(
    record: Record, verdict: str, estimate: str, sign: int
) -> None:
    decision = _with(record("shipped"), verdict=verdict, estimate=estimate)
    effect = effect_of(decision, decision.results[0], None)
    assert effect.sign == sign
    assert (effect.most_harm is None) == (sign == 0)


def test_an_open_end_is_no_bound(record: Record) -> None:
    decision = _with(record("shipped"), lower=None)
    effect = effect_of(decision, decision.results[0], "HigherIsBetter")
    assert effect.most_harm is None
    assert effect.least_harm == -0.0301


@pytest.mark.parametrize(
    ("margin", "control", "allowed"),
    [
        pytest.param("2% relative", "0.01", 0.02, id="relative"),
        pytest.param("2%", None, 0.02, id="without-a-word-it-is-relative"),
        pytest.param("0.5% absolute", "0.01", 0.5, id="absolute-in-percent"),
        pytest.param("0.05 absolute", "-2", 0.025, id="absolute-in-a-unit"),
        pytest.param("0.5% absolute", None, None, id="absolute-of-an-unknown-value"),
        pytest.param("0.5% absolute", "0", None, id="absolute-of-nothing"),
        pytest.param("a lot", "1", None, id="unreadable"),
        pytest.param(None, "1", None, id="none"),
    ],
)
def test_margins_become_effects(record: Record, margin: str | None, control: str | None, allowed: float | None) -> None:
    decision = _with(record("shipped"), margin=margin, control=control)
    assert allowed_of(decision.results[0]) == (None if allowed is None else pytest.approx(allowed))
