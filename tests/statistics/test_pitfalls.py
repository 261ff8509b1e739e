"""One test for every pitfall of the specification: each fails when the pitfall is stepped into."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

import crossfade_analyzer.statistics as package
from crossfade_analyzer.statistics import counters, grid, histogram, normal_mixture, score, starts
from crossfade_analyzer.statistics.dispersion import dispersions
from crossfade_analyzer.statistics.experiments import always_valid, corrections, group_sequential
from crossfade_analyzer.statistics.experiments.comparison import BucketSums
from crossfade_analyzer.statistics.experiments.monitoring import Design, read
from crossfade_analyzer.statistics.experiments.spending import Spending
from crossfade_analyzer.statistics.harm import CountHarm
from crossfade_analyzer.statistics.look import Counts, Look
from crossfade_analyzer.statistics.plan import MetricPlan, RolloutPlan, refuse_changed
from crossfade_analyzer.statistics.refusals import CannotJudge, InvalidPlan, Refusal
from crossfade_analyzer.statistics.rollout import MetricResult, judge
from crossfade_analyzer.statistics.strata import A, C, Strata, as_counted, values, weighted
from tests.statistics.worlds import BUCKETS, counts, even, looks

GRID = grid.grid(grid.COUNT_GRID)
WATCHED = RolloutPlan((MetricPlan("error-rate", "count", "Deterioration"),))


def test_1_a_new_series_counts_from_its_first_sample() -> None:
    assert counters.delta([None, 7, 15]) == 15  # increase() reads 11 of these (prometheus#3886)
    assert counters.delta([7, 15]) == 8


def test_2_a_ramp_over_a_drifting_baseline_is_no_regression() -> None:
    """1 % candidate on a day with 1 % errors, 50 % on a day with 2 %: pooled, the candidate looks 48 % worse."""
    quiet = even((99, 1), (9900, 100))
    busy = even((100, 100), (5000, 5000))
    pooled = quiet.plus(busy)
    x, n = pooled.totals_x(), pooled.totals_n()
    assert (x[1] / n[1]) / (x[0] / n[0]) == pytest.approx(1.48, abs=0.01)
    seen = [
        Look(i, i // 20, Decimal("0.01") if i < 20 else Decimal("0.5"), Decimal(i + 1), {"error-rate": c})
        for i, c in enumerate([quiet] * 20 + [busy] * 20)
    ]
    result = judge(WATCHED, seen)
    found = result.metrics["error-rate"]
    assert isinstance(found, MetricResult)
    assert found.leading.ratio == pytest.approx(1.0, abs=1e-9)
    assert not result.harmful
    as_one = grid.increments(GRID, x, n)
    assert as_one is not None
    assert max(as_one) > 0  # pooled, the counts speak for harm
    assert result.log_e < 0


def test_3_evidence_is_not_started_afresh_by_a_step() -> None:
    """Weights of all starts together never exceed one, however many steps there are, so restarts cannot add up
    alpha."""
    assert sum(starts.weight(i) for i in range(2000)) < 1
    steady = list(looks(1, (0.01, 0.014), ramp=(("0.25", 15), ("0.3", 15))))
    whole = judge(WATCHED, steady).log_e
    assert whole > judge(WATCHED, steady[15:]).log_e
    calm = {"error-rate": even((1, 1), (100, 100), BUCKETS)}
    before = judge(WATCHED, steady[:15]).log_e
    after = judge(WATCHED, [*steady[:15], Look(15, 1, Decimal("0.5"), Decimal(16), calm)]).log_e
    assert after > before / 2 > 0  # a step that begins calmly takes little of what the steps before it showed


def test_4a_a_retry_storm_does_not_explain_itself() -> None:
    """One user is most of the candidate's requests and errors: an ordinary residual of that bucket is nearly zero."""
    n = ((60,) * BUCKETS, (10,) + (1,) * (BUCKETS - 1))
    storm = Counts(((1,) * BUCKETS, (9,) + (0,) * (BUCKETS - 1)), n)
    strata = Strata(BUCKETS)
    added = weighted(as_counted(storm), 1.0)
    assert added is not None
    strata.add(added)
    events, exposure, *_ = strata.over_buckets[0]
    ordinary = strata.sums[0, A, 0] - strata.sums[0, C, 0] * events / exposure
    assert strata.residuals.candidate[0, 0] > 1.2 * ordinary
    assert dispersions(strata)[0].phi > 5


def test_4b_the_candidates_own_dispersion_counts() -> None:
    calm, stormy = (1,) * BUCKETS, (20,) + (0,) * (BUCKETS - 1)
    seen = Counts((calm, stormy), ((100,) * BUCKETS, (30,) * BUCKETS))
    process = CountHarm(GRID, BUCKETS)
    process.begin()
    process.add(as_counted(seen))
    found = dispersions(process.strata)[0]
    assert found.both > 5 * max(found.control, 1.0)
    assert found.phi == found.both


def test_4c_rates_in_residuals_are_cumulative() -> None:
    """A user who fails persistently, a little in every look, is dispersion only over all looks together."""
    rng = random.Random(4)
    strata = Strata(BUCKETS)
    single = []
    for _ in range(50):
        seen = counts(rng, 0.25, (0.02, 0.02), requests=BUCKETS * 20)
        x1 = (min(seen.x[1][0] + 1, seen.n[1][0]), *seen.x[1][1:])
        added = weighted(values((seen.x[0], x1), seen.n), 1.0)
        assert added is not None
        strata.add(added)
        alone = Strata(BUCKETS)
        alone.add(added)
        single.append(dispersions(alone)[0].both)
    assert dispersions(strata)[0].both > 1.8 * sum(single) / len(single)


def test_5_fewer_than_twenty_buckets_are_refused() -> None:
    found = judge(WATCHED, looks(5, (0.01, 0.01), buckets=10)).metrics["error-rate"]
    assert isinstance(found, CannotJudge)
    assert found.reason is Refusal.TOO_FEW_BUCKETS


def test_6_cumulative_sums_per_user_are_refused_by_sequential_designs() -> None:
    sums = BucketSums((10.0,) * 20, tuple(float(i) for i in range(20)))
    design = Design(Spending("lan_demets_obf"), 0.025, 100.0, 5, grows_with_time=True)
    found = read(design, sums, sums)
    assert isinstance(found, CannotJudge)
    assert found.reason is Refusal.CUMULATIVE_METRIC
    assert "user-days" in found.sentence


@pytest.mark.parametrize(
    "changed",
    [
        {"alpha": Decimal("0.02")},
        {"beta": Decimal("0.1")},
        {"planned_requests": 9000},
        {"min_events": 5},
        {"horizon_minutes": Decimal(480)},
        {"metrics": (replace(WATCHED.metrics[0], tolerance_relative=Decimal("0.1")),)},
        {"metrics": (replace(WATCHED.metrics[0], kind="latency", bounds=("slower-than-100ms",)),)},
        {"metrics": (replace(WATCHED.metrics[0], role="Guardrail", margin_relative=Decimal("0.25")),)},
    ],
    ids=lambda changed: ",".join(changed),
)
def test_7_a_plan_changed_after_the_data_is_refused(changed: dict[str, Any]) -> None:
    refusal = refuse_changed(replace(WATCHED, **changed), WATCHED.digest())
    assert refusal is not None
    assert refusal.reason is Refusal.PLAN_CHANGED


def test_7_a_guardrail_without_a_margin_is_no_plan() -> None:
    with pytest.raises(InvalidPlan, match="needs a margin"):
        MetricPlan("error-rate", "count", "Guardrail")


def test_8_a_bad_node_is_not_called_fine() -> None:
    """Statistics cannot tell a bad node from a bad version; what they must not do is call it fine."""
    assert judge(WATCHED, looks(8, (0.01, 0.5))).harmful


def test_9_dropping_a_look_drops_it_from_both_arms() -> None:
    """Counts hold both arms: there is no way to leave out one arm's cold start."""
    with pytest.raises(ValueError, match="two arms"):
        Counts(((1,) * 20,), ((1,) * 20,))  # type: ignore[arg-type]


def test_10_no_data_never_passes() -> None:
    plan = RolloutPlan((MetricPlan("error-rate", "count", "Guardrail", margin_absolute=Decimal("0.01")),))
    empty = [Look(i, 0, Decimal("0.5"), Decimal(i + 1), {"error-rate": even((0, 0), (0, 0))}) for i in range(30)]
    result = judge(plan, empty)
    assert isinstance(result.metrics["error-rate"], CannotJudge)
    assert not result.proven
    assert isinstance(histogram.quantile([1.0, float("inf")], [0, 0], 0.5), CannotJudge)


def test_10b_no_event_in_little_traffic_proves_nothing() -> None:
    plan = RolloutPlan((MetricPlan("error-rate", "count", "Guardrail", margin_absolute=Decimal("0.01")),))
    clean = [Look(i, 0, Decimal("0.5"), Decimal(i + 1), {"error-rate": even((0, 0), (5, 5))}) for i in range(20)]
    assert not judge(plan, clean[:19]).proven  # the margin predicts 19 events: fewer than `min_events`
    found = judge(plan, clean).metrics["error-rate"]
    assert isinstance(found, MetricResult)
    assert found.log_e_proof is not None
    assert 3 < found.log_e_proof < 6  # some 20 events are missing; without a variance it would be any number


def test_11_a_broken_split_raises_an_alarm_before_results_are_read() -> None:
    seen = [
        Look(i, 0, Decimal("0.5"), Decimal(i + 1), {"error-rate": counts(random.Random(i), 0.4, (0.01, 0.01))})
        for i in range(30)
    ]
    split = judge(WATCHED, seen).sample_ratio
    assert not isinstance(split, CannotJudge)
    assert split.alarm


def test_12_guardrails_share_beta_not_alpha() -> None:
    one, ten = (corrections.corrections(1, g, 0, 1, 0.05, 0.01, 0.2) for g in (1, 10))
    assert one.alpha_guardrail == ten.alpha_guardrail == 0.05
    assert ten.beta_metric_rule2 < one.beta_metric_rule2
    assert 1 - 11 * ten.beta_metric_rule2 - 0.01 == pytest.approx(0.8)


# What the C library or numpy may compute differently from one processor to another, or sum in an order of its choice.
# `elementary` and `approximate` sum arrays only where the order cannot matter: exact parts, and within an error bound.
# A sum of whole numbers is exact, and says so by its dtype.
FORBIDDEN = re.compile(
    r"scipy|scientific|\bnp\.(exp|log|sqrt|power|sum|dot|matmul|einsum|mean|var|cov|prod|cumsum|linalg|vectorize)"
    r"|math\.(exp|log|pow|erf|gamma)|from math import[^\n]*\b(exp|log|pow|erfc?|l?gamma)\b"
    r"|\.(mean|var|std|dot)\(| @ "
)
INEXACT_SUM = re.compile(r"\.sum\((?![^()]*dtype=np\.int64)")
DECISIVE = (
    "approximate arithmetic averaging bursts counters decider dispersion distributions elementary fixed_point gamma "
    "grid harm look metric normal_mixture part plan proof rollout score split starts strata tails view warmup"
)


@pytest.mark.parametrize("name", DECISIVE.split())
def test_13_the_decision_path_uses_nothing_that_differs_between_machines(name: str) -> None:
    text = (Path(str(package.__file__)).parent / f"{name}.py").read_text()
    assert FORBIDDEN.findall(text) == []
    assert name in ("approximate", "elementary") or not INEXACT_SUM.search(text)


def test_13_every_module_that_the_engine_loads_is_looked_at() -> None:
    code = "import sys, crossfade_analyzer.statistics.rollout; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    prefix = "crossfade_analyzer.statistics."
    mine = {name.removeprefix(prefix) for name in loaded if name.startswith(prefix)}
    shown_only = {"detectable", "ratio_interval", "refusals", "report", "result"}
    assert mine - shown_only <= set(DECISIVE.split())
    assert "scipy" not in loaded


def test_14_one_sided_levels_are_doubled_where_the_sources_double_them() -> None:
    one, two = (normal_mixture.rho(Decimal(100), Decimal("0.05"), one_sided=side) for side in (True, False))
    assert one == normal_mixture.rho(Decimal(100), Decimal("0.1"), one_sided=False)
    assert one > two
    plain = always_valid.halfwidth_one_sided(1.0, 1000.0, 1000.0, 0.05)
    assert plain < always_valid.halfwidth(1.0, 1000.0, 1000.0, 0.05)


def test_15_an_unreachable_bound_is_none() -> None:
    z = group_sequential.bounds(Spending("lan_demets_obf"), 0.005, [0.05, 0.5, 1.0])
    assert z[0] is None
    assert z[1] is not None


def test_a_score_without_variance_is_no_evidence() -> None:
    assert score.log_e(score.Score(5.0, 0.0, 100.0, 40), Decimal(10)) == 0
    assert score.Score(5.0, 0.0, 100.0, 40).z == float("inf")
    assert sqrt(4) == score.Score(4.0, 4.0, 1.0, 40).z
