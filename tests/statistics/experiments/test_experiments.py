"""Experiments: refusals, sequential rules, CUPED for ratios, stability, planning. Reference values are in the cases."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from math import inf, sqrt

import numpy as np
import pytest

from crossfade_analyzer.statistics.experiments import (
    always_valid,
    cuped,
    fixed_horizon,
    group_sequential,
    monitoring,
    multiplicity,
    planning,
    ratio,
    stability,
)
from crossfade_analyzer.statistics.experiments.comparison import BucketSums, Comparison, Moments
from crossfade_analyzer.statistics.experiments.corrections import corrections
from crossfade_analyzer.statistics.experiments.decision import Finding, rule2
from crossfade_analyzer.statistics.experiments.holdout import holdout
from crossfade_analyzer.statistics.experiments.spending import Spending
from crossfade_analyzer.statistics.refusals import CannotJudge, Refusal

OBF = Spending("lan_demets_obf")
ENDS = datetime(2026, 3, 1, tzinfo=UTC)


def sums(seed: int, effect: float = 0.0, buckets: int = 50, base: float = 10.0) -> BucketSums:
    rng = np.random.default_rng(seed)
    x = rng.integers(80, 120, buckets).astype(float)
    return BucketSums(tuple(x), tuple(x * (base + effect + rng.normal(0, 0.3, buckets))))


def refused(found: object) -> CannotJudge:
    assert isinstance(found, CannotJudge), found
    return found


def test_a_relative_lift_over_almost_nothing_is_refused() -> None:
    found = refused(ratio.relative(sums(1, base=0.05), sums(2, base=0.05), 0.05))
    assert found.reason is Refusal.UNSTABLE_DENOMINATOR
    assert "absolute difference" in found.sentence


def test_nothing_in_the_denominator_is_refused() -> None:
    empty = BucketSums((0.0,) * 30, (0.0,) * 30)
    assert refused(ratio.difference(empty, sums(1, buckets=30), 0.05)).reason is Refusal.NO_DATA


def test_no_variance_is_refused() -> None:
    constant = BucketSums((10.0,) * 30, (3.0,) * 30)
    assert refused(ratio.difference(constant, constant, 0.05)).reason is Refusal.DEGENERATE


def test_a_fixed_horizon_is_not_peeked_at() -> None:
    early = fixed_horizon.analyse(sums(1), sums(2), 0.05, now=ENDS - timedelta(hours=1), ends=ENDS)
    found = refused(early)
    assert found.reason is Refusal.NOT_YET
    assert ENDS.isoformat() in found.sentence
    final = fixed_horizon.analyse(sums(1), sums(2, 2.0), 0.05, now=ENDS, ends=ENDS)
    assert isinstance(final, fixed_horizon.Result)
    assert final.absolute.p < 1e-6
    assert isinstance(final.relative, Comparison)


def test_a_fixed_horizon_needs_twenty_buckets() -> None:
    found = fixed_horizon.analyse(sums(1, buckets=12), sums(2, buckets=12), 0.05, now=ENDS, ends=ENDS)
    assert refused(found).reason is Refusal.TOO_FEW_BUCKETS


def test_a_holdout_is_read_once_at_its_end() -> None:
    assert refused(holdout(sums(1), sums(2), 0.05, now=ENDS - timedelta(days=1), until=ENDS)).reason is Refusal.NOT_YET
    assert isinstance(holdout(sums(1), sums(2), 0.05, now=ENDS, until=ENDS), fixed_horizon.Result)


def reading(z: float, fraction: float) -> monitoring.Reading:
    return monitoring.Reading(z, 1.0, z, fraction)


DESIGN = monitoring.Design(OBF, 0.025, 100.0, 5)


def test_bounds_are_solved_for_the_information_observed() -> None:
    planned = group_sequential.bounds(OBF, 0.025, [0.2, 0.4])
    first = monitoring.judge(DESIGN, [reading(0.5, 0.2)], [])
    assert first.bound == planned[0]
    assert not first.crossed
    second = monitoring.judge(DESIGN, [reading(0.5, 0.2), reading(3.4, 0.4)], [first.bound])
    assert second.bound == planned[1]
    assert second.crossed
    assert second.bound is not None
    assert second.interval == (3.4 - second.bound, 3.4 + second.bound)


def test_at_the_end_date_all_alpha_that_is_left_is_spent() -> None:
    seen = [reading(1.0, 0.4), reading(1.9, 0.7)]
    going_on = monitoring.judge(DESIGN, seen, [3.36])
    ended = monitoring.judge(DESIGN, seen, [3.36], ended=True)
    assert going_on.bound is not None
    assert ended.bound is not None
    assert ended.bound < going_on.bound


def test_over_running_does_not_spend_more_than_alpha() -> None:
    z = group_sequential.bounds(OBF, 0.025, [0.5, 1.0, 1.3])
    assert z[2] == z[1]
    assert group_sequential.crossing_probability(z[:2], [0.5, 1.0]) == pytest.approx(0.025, abs=1e-6)


def test_over_running_before_the_end_date_is_no_contradiction() -> None:
    """More information than planned at the fourth look, then the end: nothing more to spend, the bound stays."""
    design = monitoring.Design(OBF, 0.025, 100.0, 5)
    readings = [monitoring.Reading(0.1, 0.1, 1.0, fraction) for fraction in (0.3, 0.6, 1.08, 1.2)]
    past = [monitoring.judge(design, readings[: k + 1], [None] * k).bound for k in range(3)]
    last = monitoring.judge(design, readings, past, ended=True)
    assert last.bound == past[-1]


def test_too_few_buckets_are_refused_in_sequence_too() -> None:
    few = sums(1, buckets=19)
    found = refused(monitoring.read(monitoring.Design(OBF, 0.025, 100.0, 5), few, few))
    assert found.reason is Refusal.TOO_FEW_BUCKETS
    assert "Widen the slice" in found.sentence


def test_tiny_increments_reuse_the_bound_before() -> None:
    z = group_sequential.bounds(OBF, 0.025, [0.5, 0.50005, 1.0])
    assert z[1] == z[0]


def test_information_that_falls_by_chance_counts_as_it_was() -> None:
    assert monitoring.increasing([0.2, 0.15, 0.4]) == [0.2, 0.2, 0.4]


def test_a_past_bound_is_needed_for_every_past_look() -> None:
    with pytest.raises(ValueError, match="never changed"):
        monitoring.judge(DESIGN, [reading(1, 0.2), reading(1, 0.4)], [])


TIMES = [0.2, 0.4, 0.6, 0.8, 1.0]


@pytest.mark.parametrize("spending", [OBF, Spending("lan_demets_pocock"), Spending("power", 2.0)])
@pytest.mark.parametrize(
    "information",
    [TIMES, [0.01, 0.05, 0.2, 0.5, 1.0], [0.7, 0.85, 0.92, 0.97, 1.0]],
    ids=["as the clock", "late", "saturating"],
)
def test_bounds_hold_for_a_metric_whose_information_grows_unlike_the_clock(
    spending: Spending, information: list[float]
) -> None:
    """The clock follows other metrics; harm in this one is still called with a probability of at most alpha."""
    looks = [monitoring.Judged(time, i, i) for time, i in zip(TIMES, information, strict=True)]
    z = [monitoring.bound_now(spending, 0.01, looks[: k + 1]) for k in range(5)]
    by_clock_alone = group_sequential.bounds(spending, 0.01, TIMES)
    assert group_sequential.crossing_probability(z, information) <= 0.01 + 1e-7
    if information[0] == 0.01:
        assert group_sequential.crossing_probability(by_clock_alone, information) > 0.0115


def test_a_rate_that_jumps_is_new_information_although_its_variance_grows() -> None:
    """Errors go up tenfold at the second look: 1/Var falls, but the sum is nearly all made of what came since."""
    quiet, loud = monitoring.Judged(0.5, 1000.0, 100.0), monitoring.Judged(1.0, 400.0, 200.0)
    first, second = monitoring.grown([quiet, loud])
    assert second / first == pytest.approx(2.0**2 * 1000 / 400)
    assert monitoring.grown([quiet, monitoring.Judged(1.0, 900.0, 110.0)]) == [1.0, 2.0]


def correlated_looks(rng: np.random.Generator, carried: float) -> monitoring.CorrelationGap:
    """Two looks of 100 buckets; `carried`: how much of a bucket's first half its second half takes back."""
    early, late = [], []
    for _ in range(2):
        x1, x2 = np.full(100, 100.0), np.full(100, 100.0)
        y1 = rng.normal(0, 30, 100)
        y2 = rng.normal(0, 30, 100) - carried * y1
        early.append(BucketSums(tuple(x1), tuple(1000 + y1)))
        late.append(BucketSums(tuple(x1 + x2), tuple(2000 + y1 + y2)))
    gap = monitoring.correlation_gap((early[0], early[1]), (late[0], late[1]))
    assert isinstance(gap, monitoring.CorrelationGap)
    return gap


def test_independent_increments_have_a_correlation_gap_that_chance_explains() -> None:
    rng = np.random.default_rng(3)
    gaps = [correlated_looks(rng, carried=0.0) for _ in range(300)]
    assert abs(np.mean([gap.value for gap in gaps])) < 0.01
    # `noise` is three standard errors: the spread of the gaps themselves says whether it is.
    assert np.mean([gap.noise for gap in gaps]) == pytest.approx(3 * np.std([gap.value for gap in gaps]), rel=0.15)
    assert all(gap.harmless for gap in gaps)


def test_looks_that_take_back_what_came_before_have_a_gap_beyond_chance() -> None:
    rng = np.random.default_rng(5)
    missed = [gap for gap in (correlated_looks(rng, carried=1.0) for _ in range(100)) if gap.harmless]
    assert len(missed) <= 5


@pytest.mark.parametrize(
    ("spending", "looks"), [(OBF, 5), (Spending("lan_demets_pocock"), 4), (Spending("power", 2.0), 6)]
)
def test_group_sequential_designs_keep_alpha_under_looking(spending: Spending, looks: int) -> None:
    """20,000 Brownian paths: the share that ever crosses is within three standard errors of alpha."""
    fractions = [(k + 1) / looks for k in range(looks)]
    z = group_sequential.bounds(spending, 0.025, fractions)
    rng = np.random.default_rng(4)
    steps = rng.normal(0, np.sqrt(1 / looks), (20_000, looks)).cumsum(axis=1) / np.sqrt(fractions)
    bounds = np.array([inf if bound is None else bound for bound in z])
    crossed = (steps >= bounds).any(axis=1).mean()
    assert abs(crossed - 0.025) < 3 * sqrt(0.025 * 0.975 / 20_000)


def test_the_inflated_sample_has_the_planned_power() -> None:
    fractions = [0.2, 0.4, 0.6, 0.8, 1.0]
    factor = group_sequential.inflation(OBF, 0.025, 0.2, fractions)
    drift = sqrt(factor) * planning.z_sum(0.025, 0.2)
    z = group_sequential.bounds(OBF, 0.025, fractions)
    rng = np.random.default_rng(5)
    paths = (rng.normal(drift / 5, sqrt(0.2), (20_000, 5)).cumsum(axis=1)) / np.sqrt(fractions)
    power = (paths >= np.array(z, dtype=float)).any(axis=1).mean()
    assert abs(power - 0.8) < 3 * sqrt(0.16 / 20_000)


def test_a_confidence_sequence_covers_at_all_looks() -> None:
    rng = np.random.default_rng(6)
    runs, n = 400, np.arange(50, 2001, 50)
    missed = 0
    for _ in range(runs):
        means = rng.normal(0, 1, 2000).cumsum()[n - 1] / n
        missed += any(
            abs(m) > always_valid.halfwidth(1 / sqrt(k), float(k), 1000.0, 0.05) for m, k in zip(means, n, strict=True)
        )
    assert missed / runs <= 0.05 + 2 * sqrt(0.05 * 0.95 / runs)


def test_always_valid_interval_and_p_agree() -> None:
    z_at_bound = always_valid.halfwidth(1.0, 800.0, 1000.0, 0.05)
    assert always_valid.p_value(z_at_bound, 800.0, 1000.0, 0.05) == pytest.approx(0.05)
    zero = Moments(10, 0.0, 10.0)
    assert refused(always_valid.relative(zero, zero, 100, 0.05)).reason is Refusal.UNSTABLE_DENOMINATOR


def pre_and_post(seed: int, effect: float, size: float) -> cuped.Arm:
    """Buckets whose users differ for good; `size` scales how many there are."""
    rng = np.random.default_rng(seed)
    level = rng.normal(10, 2, 60)
    x0, x1 = size * rng.integers(80, 120, 60), size * rng.integers(80, 120, 60)
    before, during = level + rng.normal(0, 0.3, 60), level + effect + rng.normal(0, 0.3, 60)
    return cuped.Arm(
        BucketSums(tuple(x1.astype(float)), tuple(x1 * during)), BucketSums(tuple(x0.astype(float)), tuple(x0 * before))
    )


def test_linearised_cuped_removes_what_was_there_before() -> None:
    control, treatment = pre_and_post(7, 0.0, 1.0), pre_and_post(8, 0.5, 3.0)
    plain = ratio.difference(control.post, treatment.post, 0.05)
    adjusted = cuped.linearised(control, treatment, 0.05)
    assert isinstance(plain, Comparison)
    assert isinstance(adjusted, cuped.Adjusted)
    assert adjusted.comparison.se < 0.4 * plain.se
    assert adjusted.comparison.estimate == pytest.approx(0.5, abs=3 * adjusted.comparison.se)


def test_cuped_without_a_pre_period_is_refused() -> None:
    arm = pre_and_post(9, 0.0, 1.0)
    nothing = cuped.Arm(arm.post, BucketSums((0.0,) * 60, (0.0,) * 60))
    assert refused(cuped.linearised(nothing, arm, 0.05)).reason is Refusal.NO_DATA


def test_an_effect_that_turns_into_harm_blocks() -> None:
    control = stability.Halves(sums(10), sums(11))
    fading = stability.stability(control, stability.Halves(sums(12, 1.0), sums(13, -1.0)), 0.01)
    lasting = stability.stability(control, stability.Halves(sums(14, 1.0), sums(15, 1.0)), 0.01)
    assert isinstance(fading, stability.Stability)
    assert isinstance(lasting, stability.Stability)
    assert fading.blocks
    assert fading.change.p < 1e-6
    assert not lasting.blocks
    assert lasting.change.p > 0.01


def test_pure_guardrail_experiments_ship_without_success() -> None:
    assert rule2([], [True], any_deterioration=False, any_quality_rejected=False).reason is Finding.SHIP
    levels = corrections(0, 2, 0, 1, 0.05, 0.01, 0.2)
    assert levels.alpha_success is None
    assert levels.beta_metric_rule1 == 0.1


def test_quality_is_reported_before_everything_else() -> None:
    found = rule2([False], [False], any_deterioration=True, any_quality_rejected=True)
    assert found.reason is Finding.QUALITY


def test_duration_is_whole_weeks_at_the_endpoints_own_traffic() -> None:
    found = planning.duration(1_000_000, inflation=1.05, correlation=0.5, units_per_minute=100, slice_share=0.2)
    assert found.total == pytest.approx(787_500)
    assert found.weeks == 4
    assert found.minutes == 4 * 7 * 24 * 60
    with pytest.raises(ValueError, match="too few"):
        planning.duration(1000, units_per_minute=1, slice_share=0.5, buckets=10)


def test_adjusted_p_values_keep_their_order() -> None:
    rng = random.Random(16)
    p = [rng.random() ** 3 for _ in range(30)]
    order = sorted(range(30), key=lambda i: p[i])
    for method in (multiplicity.bonferroni, multiplicity.holm, multiplicity.benjamini_hochberg):
        adjusted = method(p)
        assert [adjusted[i] for i in order] == sorted(adjusted)
        assert all(a >= raw for a, raw in zip(adjusted, p, strict=True))
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        multiplicity.holm([1.5])
