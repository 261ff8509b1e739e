"""Floats that stand in for decimals: the same bits as slower ways, and honest bounds on what they leave open."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal, localcontext
from functools import partial
from math import fsum, inf, isnan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade_analyzer.statistics import approximate, elementary, fixed_point, normal_mixture, score
from crossfade_analyzer.statistics.approximate import Approximate, Term, largest, log_sum, rounded, settled
from crossfade_analyzer.statistics.distributions import (
    fast_log_normal_cdf,
    fast_normal_score,
    log_normal_cdf,
    normal_score,
)
from crossfade_analyzer.statistics.look import WARM_UP, Look
from crossfade_analyzer.statistics.rollout import MetricPlan, RolloutPlan, State
from crossfade_analyzer.statistics.view import harm_tuning
from tests.statistics import plain
from tests.statistics.test_golden import GOLDEN, PLANS, trace
from tests.statistics.worlds import looks

MANY = settings(max_examples=300, deadline=None, derandomize=True)
finite = st.floats(-1e12, 1e12, allow_subnormal=False)


@MANY
@given(st.floats(-690, 690))
def test_exp_is_within_its_bound(x: float) -> None:
    with localcontext(prec=50):
        truth = Decimal(x).exp()
        assert abs(Decimal(elementary.exp(x)) - truth) <= truth * Decimal(2.0**-50)
    assert elementary.exps(np.array([x]))[0] == elementary.exp(x)


@MANY
@given(st.one_of(st.floats(1e-300, 1e300), st.floats(0.9, 1.1)))
def test_log_is_within_its_bound_near_one_too(x: float) -> None:
    with localcontext(prec=50):
        truth = Decimal(x).ln()
        assert abs(Decimal(elementary.log(x)) - truth) <= abs(truth) * Decimal(2.0**-50)


def test_exp_of_what_is_far_below_is_zero() -> None:
    assert elementary.exp(-1e9) == 0
    assert elementary.exps(np.array([-inf, -701.0, 0.0])).tolist() == [0, 0, 1]


@MANY
@given(st.integers(0, 2**32), st.integers(1, 300), st.floats(0, 40), st.booleans())
def test_sums_are_those_of_fsum(seed: int, length: int, spread: float, cancel: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((9, length)) * 10.0 ** rng.uniform(-spread, 3, (9, length))
    if cancel:
        rows = np.concatenate((rows, -rows * (rng.random(rows.shape) < 0.8)), axis=1)
    for some in (rows, rows[:1], np.zeros_like(rows)):
        assert elementary.sums(some).tolist() == [fsum(row) for row in some.tolist()]
    assert elementary.sums(rows.reshape(3, 3, -1)).tolist() == elementary.sums(rows).reshape(3, 3).tolist()


@MANY
@given(st.integers(1, 2**130), st.integers(1, 2**130))
def test_fixed_point_logarithms_are_within_one_unit(numerator: int, denominator: int) -> None:
    with localcontext(prec=80):
        truth = (Decimal(numerator) / denominator).ln() * 2**128
        assert abs(truth - fixed_point.log_ratio(numerator, denominator)) <= 1


def test_fixed_point_products_with_fractions_round_down() -> None:
    log = fixed_point.scaled_log(Decimal(2))
    assert fixed_point.times(3, log) == 3 * log
    assert fixed_point.times(0.75, log) == 3 * log // 4
    assert fixed_point.to_float(log) == pytest.approx(0.6931471805599453, abs=0)
    assert str(fixed_point.to_decimal(log)) == "0.6931471805599453094172321214581766"


@MANY
@given(st.floats(-60, 60), st.sampled_from([19, 36, 99, 199]))
def test_float_tails_are_far_within_the_bound_that_scores_use(t: float, df: int) -> None:
    exact, near = normal_score(Decimal(t), df), fast_normal_score(t, df)
    assert abs(float(exact) - near) <= 2.0**-41 * (1 + abs(t)) / 10 or (isnan(near) and abs(t) < 1e-150)
    cdf = log_normal_cdf(Decimal(t))
    assert abs(float(cdf) - fast_log_normal_cdf(t)) <= 2.0**-41 * (1 + abs(float(cdf))) / 10


@MANY
@given(st.floats(-80, 80), st.floats(1, 1e7), st.floats(1, 1e6), st.sampled_from([20, 37, 100]), st.booleans())
def test_the_evidence_of_a_score_is_within_its_bound(z: float, d: float, tuned: float, buckets: int, one: bool) -> None:
    seen, r = score.Score(z * 3.0, 9.0, d, buckets), normal_mixture.rho(Decimal(tuned), Decimal("0.01"), one_sided=one)
    exact, near = score.log_e(seen, r, one_sided=one), score.approximate_log_e(seen, r, one_sided=one)
    assert abs(float(exact) - near.value) <= max(near.error / 4, 1e-15)


@MANY
@given(st.lists(st.tuples(st.floats(0.01, 1), st.floats(-900, 900)), min_size=1, max_size=12))
def test_a_sum_of_logs_is_within_its_bound(terms: list[tuple[float, float]]) -> None:
    shares, logs = [weight for weight, _ in terms], [log for _, log in terms]
    near = log_sum(shares, [Approximate(log) for log in logs])
    (row,) = approximate.log_sums(np.array(shares), np.array([logs]), np.zeros((1, len(logs))))
    with localcontext(prec=50):
        exact = plain.weighted_log_sum((Decimal(w), Decimal(log)) for w, log in terms)
        for found in (near, row):
            assert abs(exact - Decimal(found.value)) <= Decimal(found.error)


def test_errors_of_terms_count_by_their_share() -> None:
    near = log_sum([0.5, 0.5], [Approximate(0.0, 1e-6), Approximate(-40.0, 1.0)])
    assert 1e-6 < near.error < 1e-5


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (1.2345678904, 1e-12, "1.234567890"),
        (-1.2345678904, 1e-12, "-1.234567890"),
        (1.2345678905, 1e-12, None),  # a tie within the error
        (1.2345678904, 2e-10, None),
        (1e-10, 1e-12, "0E-9"),
        (-1e-10, 1e-12, "-0E-9"),
        (1e-13, 1e-12, None),  # the sign of the zero is open
        (0.0, 0.0, None),
        (1e8, 1e-12, None),  # floats have no ninth digit there
        (float("nan"), 0.0, None),
        (inf, 0.0, None),
        (1.0, float("nan"), None),
    ],
)
def test_a_rounding_is_given_only_when_it_is_certain(value: float, error: float, expected: str | None) -> None:
    found = rounded(Approximate(value, error))
    assert (None if found is None else str(found)) == expected


def test_what_floats_leave_open_is_computed_exactly() -> None:
    exact = Decimal("0.12345678950000001")
    assert settled(Approximate(float(exact), 1e-15), lambda: exact) == Decimal("0.123456790")
    assert settled(Approximate(float(exact) - 1e-16, inf), lambda: exact) == Decimal("0.123456790")


def test_the_largest_of_near_equals_is_found_exactly() -> None:
    near = Approximate(1.0, 1e-9)
    terms = [Term(near, partial(Decimal, number)) for number in ("1.1", "1.3", "1.2", "1.3")]
    assert largest(terms) == 1
    assert largest([*terms, Term(Approximate(5.0), lambda: Decimal(5))]) == 4
    assert terms[0].times(Decimal("0.5")).exact() < Decimal("1.1")


@pytest.mark.parametrize("name", PLANS)
def test_without_floats_every_trace_is_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decimal path alone gives the committed digests."""
    asked: list[Approximate] = []
    monkeypatch.setattr(approximate, "rounded", lambda near: asked.append(near))
    assert trace(name) == GOLDEN[name]
    assert len(asked) >= 60


def both_ways(plan: RolloutPlan, made: list[Look], **options: Any) -> tuple[list[Decimal], list[Decimal]]:
    """The evidence after every tested look, by the engine and in plain Python."""
    state, found, starts = State(plan), [], set()
    for look in made:
        before = len(state._metrics[0]._starts)
        state.update(look)
        if look.step != WARM_UP:
            found.append(state.log_e)
        if len(state._metrics[0]._starts) > before:
            starts.add(look.index)
    assert len(starts) > 3
    return found, list(plain.trace(made, "error-rate", starts, **options))


@pytest.mark.parametrize("warmed", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_the_engine_agrees_with_plain_python_to_the_bit(seed: int, warmed: bool) -> None:
    """Counts with bursts, a tolerance, a ramp, with and without a warm-up."""
    rng = random.Random(seed)
    buckets, tolerance = rng.choice([20, 33, 100]), rng.choice(["0", "0.1", "0.05"])
    rates = (rng.choice([0.003, 0.02, 0.3]), rng.choice([0.003, 0.03, 0.3]))
    made = list(looks(seed, rates, ramp=(("0.05", 12), ("0.3", 15), ("0.5", 8)), requests=2000, buckets=buckets))
    if warmed:
        made = [replace(look, step=WARM_UP) if look.step == 0 else look for look in made]
    metric = MetricPlan("error-rate", "count", "Deterioration", tolerance_relative=Decimal(tolerance))
    found, expected = both_ways(RolloutPlan((metric,), horizon_minutes=Decimal(40)), made, tolerance=tolerance)
    assert found == expected


@pytest.mark.parametrize("seed", range(3))
def test_means_agree_with_plain_python_to_the_bit(seed: int) -> None:
    made = list(looks(seed, (0.02, 0.03), ramp=(("0.05", 8), ("0.3", 8), ("0.5", 8)), requests=1000, buckets=25))
    plan = RolloutPlan((MetricPlan("error-rate", "mean", "Deterioration"),), horizon_minutes=Decimal(40))
    found, expected = both_ways(plan, made, mean_r=harm_tuning(plan))
    assert found == expected
