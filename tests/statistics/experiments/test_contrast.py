"""One contrast for superiority, harm and non-inferiority; and how often equal arms are called different."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from crossfade_analyzer.statistics.experiments import cuped, ratio
from crossfade_analyzer.statistics.experiments.comparison import BucketSums, Comparison
from crossfade_analyzer.statistics.experiments.contrast import Pair, adjusted_pair, arm_value, pair
from crossfade_analyzer.statistics.experiments.self_test import rejections
from crossfade_analyzer.statistics.refusals import CannotJudge, Refusal
from crossfade_analyzer.statistics.scientific import normal_from_student, normal_quantile


def sums(rng: np.random.Generator, effect: float = 0.0, buckets: int = 100, base: float = 10.0) -> BucketSums:
    x = rng.integers(80, 120, buckets).astype(float)
    return BucketSums(tuple(x), tuple(x * (base + effect + rng.normal(0, 0.5, buckets))))


def of(found: Pair | CannotJudge) -> Pair:
    assert isinstance(found, Pair), found
    return found


def test_it_is_the_delta_method_of_the_ratio() -> None:
    rng = np.random.default_rng(1)
    control, treatment = sums(rng), sums(rng, 0.2)
    found = of(pair(control, treatment))
    expected = ratio.difference(control, treatment, 0.05)
    assert isinstance(expected, Comparison)
    assert found.difference == pytest.approx(expected.estimate)
    assert sqrt(found.variance) == pytest.approx(expected.se)
    assert found.z() == pytest.approx(normal_from_student(expected.t, expected.df), abs=1e-6)
    assert found.z(-1) == -found.z()
    relative = ratio.relative(control, treatment, 0.05)
    assert isinstance(relative, Comparison)
    assert found.relative() == pytest.approx((relative.estimate, relative.se))


def test_a_margin_shifts_the_null_and_the_smaller_of_two_counts() -> None:
    found = of(pair(sums(np.random.default_rng(2)), sums(np.random.default_rng(3))))
    absolute = found.z_within(1, relative=None, absolute=0.5)
    relative = found.z_within(1, relative=0.01, absolute=None)
    shifted = normal_from_student((found.difference + 0.5) / sqrt(found.variance), found.df)
    assert absolute == pytest.approx(shifted, abs=1e-6)
    assert isinstance(relative, float)
    assert isinstance(absolute, float)
    assert found.z_within(1, relative=0.01, absolute=0.5) == min(relative, absolute)
    with pytest.raises(ValueError, match="needs a margin"):
        found.z_within(1, relative=None, absolute=None)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_relative_margin_keeps_its_level_where_it_is_just_missed(sign: int) -> None:
    """2,000 experiments at the edge of a margin of 20 %: called non-inferior in no more than alpha of them."""
    rng = np.random.default_rng(4)
    limit, runs, margin = normal_quantile(0.95), 2000, 0.2
    called = 0
    for _ in range(runs):
        x = rng.integers(80, 120, (2, 50)).astype(float)
        y = x * (10 + np.array([[0.0], [-sign * margin * 10]]) + rng.normal(0, 3, (2, 50)))
        arms = [BucketSums(tuple(x[i]), tuple(y[i])) for i in (0, 1)]
        z = of(pair(arms[0], arms[1])).z_within(sign, relative=margin, absolute=None)
        called += isinstance(z, float) and z >= limit
    assert called / runs <= 0.05 + 3 * sqrt(0.05 * 0.95 / runs)
    assert called / runs >= 0.05 - 3 * sqrt(0.05 * 0.95 / runs)


def test_a_relative_margin_of_almost_nothing_is_refused() -> None:
    rng = np.random.default_rng(5)
    found = of(pair(sums(rng, base=0.05), sums(rng, base=0.05))).z_within(1, relative=0.1, absolute=None)
    assert isinstance(found, CannotJudge)
    assert found.reason is Refusal.UNSTABLE_DENOMINATOR


def test_no_event_at_all_is_no_certainty() -> None:
    empty = BucketSums((100.0,) * 30, (0.0,) * 30)
    refused = pair(empty, empty)
    assert isinstance(refused, CannotJudge)
    assert refused.reason is Refusal.DEGENERATE
    found = of(pair(empty, empty, events=True))
    assert found.control.variance == pytest.approx(1 / 3000**2)
    few = arm_value(BucketSums((100.0,) * 30, (1.0,) + (0.0,) * 29), events=True)
    assert not isinstance(few, CannotJudge)
    assert few.variance >= 2 / 3000**2


def test_a_score_beyond_every_float_is_still_a_number() -> None:
    rng = np.random.default_rng(6)
    constant = BucketSums((100.0,) * 300, tuple(1000.0 + rng.normal(0, 1e-9, 300)))
    far = BucketSums((100.0,) * 300, tuple(2000.0 + rng.normal(0, 1e-9, 300)))
    assert of(pair(constant, far)).z() == 37.0


def test_a_pre_period_of_the_arms_own_users_keeps_the_value_and_takes_variance_away() -> None:
    rng = np.random.default_rng(7)
    arms = []
    for effect in (0.0, 0.3):
        level = rng.normal(10, 2, 100)
        x = rng.integers(80, 120, (2, 100)).astype(float)
        post, pre = level + effect + rng.normal(0, 0.3, 100), level + rng.normal(0, 0.3, 100)
        arms.append(cuped.Arm(BucketSums(tuple(x[0]), tuple(x[0] * post)), BucketSums(tuple(x[1]), tuple(x[1] * pre))))
    plain = of(pair(arms[0].post, arms[1].post))
    found = of(adjusted_pair(arms[0], arms[1]))
    expected = cuped.linearised(arms[0], arms[1], 0.05)
    assert isinstance(expected, cuped.Adjusted)
    assert found.difference == pytest.approx(expected.comparison.estimate)
    assert found.variance == pytest.approx(expected.comparison.se**2)
    assert found.explained == pytest.approx(1 - found.variance / plain.variance)
    assert found.explained > 0.8
    assert found.control.value == pytest.approx(plain.control.value, abs=3 * sqrt(plain.variance))


def test_what_explains_nothing_changes_nothing() -> None:
    rng = np.random.default_rng(8)
    arms = [cuped.Arm(sums(rng), BucketSums((1.0,) * 100, (2.0,) * 100)) for _ in (0, 1)]
    found = of(adjusted_pair(arms[0], arms[1]))
    assert (found.explained, found.difference) == (0.0, of(pair(arms[0].post, arms[1].post)).difference)


def test_equal_arms_are_called_different_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(9)
    found = rejections(sums(rng), sums(rng), 0.05, "seed", 4000)
    assert found.rejected / found.tests == pytest.approx(0.05, abs=0.012)
    assert found == rejections(*(sums(r) for r in [np.random.default_rng(9)] for _ in (0, 1)), 0.05, "seed", 4000)


def test_a_real_difference_does_not_pass_for_a_high_false_positive_rate() -> None:
    rng = np.random.default_rng(10)
    found = rejections(sums(rng), sums(rng, 5.0), 0.05, "seed", 2000)
    assert found.rejected / found.tests < 0.08


def test_sums_that_vary_in_nothing_reject_nothing() -> None:
    same = BucketSums((10.0,) * 50, (3.0,) * 50)
    assert rejections(same, same, 0.05, "seed", 100).rejected == 0
