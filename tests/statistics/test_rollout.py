"""The fold over looks: what it finds, proves, refuses and remembers."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from crossfade_analyzer.statistics.rollout import (
    WARM_UP,
    CannotJudge,
    Counts,
    InvalidLook,
    Look,
    MetricPlan,
    MetricResult,
    Refusal,
    RolloutPlan,
    RolloutResult,
    SampleRatioResult,
    State,
    judge,
    refuse_changed,
)
from tests.statistics.worlds import BUCKETS, counts, even, looks

ERRORS = MetricPlan("error-rate", "count", "Guardrail", margin_absolute=Decimal("0.01"))
WATCHED = MetricPlan("error-rate", "count", "Deterioration")


def errors(result: RolloutResult, name: str = "error-rate") -> MetricResult:
    found = result.metrics[name]
    assert isinstance(found, MetricResult), found
    return found


def refusal(result: RolloutResult, name: str = "error-rate") -> CannotJudge:
    found = result.metrics[name]
    assert isinstance(found, CannotJudge), found
    return found


def test_a_doubled_error_rate_is_harmful_and_attributed() -> None:
    result = judge(RolloutPlan((WATCHED,)), looks(1, (0.01, 0.02)))
    assert result.harmful
    assert result.harmful_at is not None
    assert errors(result).harmful
    assert errors(result).harmful_at == result.harmful_at
    assert result.attribution is not None
    assert result.attribution.metric == "error-rate"
    interval = errors(result).leading.ratio_interval
    assert interval is not None
    assert interval.lower < 2.0 < interval.upper


def test_an_equal_candidate_is_proven_and_not_harmful() -> None:
    result = judge(RolloutPlan((ERRORS,)), looks(2, (0.01, 0.01)))
    assert not result.harmful
    assert result.proven
    assert result.proven_at == errors(result).proven_at
    assert result.guardrails == 1


def test_a_candidate_beyond_the_margin_is_not_proven() -> None:
    result = judge(RolloutPlan((ERRORS,)), looks(3, (0.01, 0.022)))
    assert result.harmful
    assert not result.proven


def test_harm_and_proof_once_found_stay_found() -> None:
    plan = RolloutPlan((ERRORS,))
    state = State(plan)
    short = (("0.25", 15),)
    for look in looks(4, (0.01, 0.03), ramp=short):
        state.update(look)
    first = state.harmful_at
    assert first is not None
    for look in looks(5, (0.02, 0.0), ramp=short):
        state.update(replace(look, index=look.index + 100, minutes_since_start=look.minutes_since_start + 100))
    assert state.harmful_at == first
    assert state.result().harmful


def test_no_proof_without_a_guardrail() -> None:
    result = judge(RolloutPlan((WATCHED,)), looks(6, (0.01, 0.01)))
    assert result.guardrails == 0
    assert not result.proven
    assert errors(result).proven is None


def test_a_relative_margin_is_proven_by_traffic() -> None:
    plan = RolloutPlan((replace(ERRORS, margin_absolute=None, margin_relative=Decimal("0.5")),))
    assert judge(plan, looks(7, (0.02, 0.02), requests=6000)).proven


def test_both_margins_must_be_proven() -> None:
    generous = RolloutPlan((replace(ERRORS, margin_absolute=Decimal("0.5")),))
    strict = RolloutPlan((replace(ERRORS, margin_absolute=Decimal("0.5"), margin_relative=Decimal("0.001")),))
    seen = list(looks(8, (0.01, 0.01)))
    assert judge(generous, seen).proven
    assert not judge(strict, seen).proven


def test_higher_is_better_mirrors_lower_is_better() -> None:
    clicks = MetricPlan("clicks", "count", "Guardrail", "HigherIsBetter", margin_relative=Decimal("0.2"))
    lost = judge(RolloutPlan((clicks,)), looks(9, (0.05, 0.03), key="clicks"))
    assert lost.harmful
    assert not lost.proven
    gained = judge(RolloutPlan((clicks,)), looks(10, (0.05, 0.07), key="clicks"))
    assert not gained.harmful
    assert gained.proven


def latency_look(look: Look, slower: tuple[int, int]) -> Look:
    """Every request of control slower than 50 ms with one chance in `slower[0]`, of the candidate in `slower[1]`."""
    seen = look.counts["error-rate"]
    arms = tuple(tuple(n // every for n in row) for row, every in zip(seen.n, slower, strict=True))
    return replace(look, counts={"l/50ms": Counts((arms[0], arms[1]), seen.n), "l/250ms": seen})


def test_every_latency_bound_must_be_proven_and_any_can_show_harm() -> None:
    latency = MetricPlan(
        "latency", "latency", "Guardrail", margin_relative=Decimal("0.5"), bounds=("l/50ms", "l/250ms")
    )
    plan = RolloutPlan((latency,))
    fine = judge(plan, [latency_look(look, (5, 5)) for look in looks(11, (0.02, 0.02), requests=6000)])
    assert fine.proven
    assert [part.key for part in errors(fine, "latency").parts] == ["l/50ms", "l/250ms"]
    worse = judge(plan, [latency_look(look, (5, 5)) for look in looks(12, (0.02, 0.06), requests=6000)])
    assert worse.harmful
    assert not worse.proven
    assert errors(worse, "latency").leading.key == "l/250ms"


def mean_looks(seed: int, means: tuple[int, int], length: int = 30) -> list[Look]:
    """Tokens per request in micro-units, exponential, on 40 buckets."""
    rng = random.Random(seed)
    made = []
    for i in range(length):
        n = [[rng.randint(20, 40) for _ in range(40)], [rng.randint(2, 6) for _ in range(40)]]
        x = [
            [sum(round(1e6 * rng.expovariate(1 / mean)) for _ in range(total)) for total in row]
            for row, mean in zip(n, means, strict=True)
        ]
        seen = Counts((tuple(x[0]), tuple(x[1])), (tuple(n[0]), tuple(n[1])))
        made.append(Look(i, 0, Decimal("0.1"), Decimal(i + 1), {"tokens": seen}))
    return made


def test_means_are_compared_in_whole_units() -> None:
    tokens = MetricPlan("tokens", "mean", "Guardrail", margin_absolute=Decimal(20), scale=1_000_000)
    fine = judge(RolloutPlan((tokens,)), mean_looks(13, (100, 100)))
    assert fine.proven
    assert not fine.harmful
    worse = judge(RolloutPlan((tokens,)), mean_looks(14, (100, 140)))
    assert worse.harmful
    assert not worse.proven
    difference = errors(worse, "tokens").leading.difference
    assert difference == pytest.approx(40, abs=6)


def test_a_relative_margin_on_a_mean() -> None:
    tokens = MetricPlan("tokens", "mean", "Guardrail", margin_relative=Decimal("0.2"), scale=1_000_000)
    assert judge(RolloutPlan((tokens,)), mean_looks(15, (100, 100))).proven
    assert not judge(RolloutPlan((tokens,)), mean_looks(16, (100, 130))).proven


def test_an_absolute_tolerance_must_be_exceeded_too() -> None:
    seen = list(looks(17, (0.01, 0.02)))
    tolerant = replace(WATCHED, tolerance_absolute=Decimal("0.05"))
    assert judge(RolloutPlan((WATCHED,)), seen).harmful
    assert not judge(RolloutPlan((tolerant,)), seen).harmful
    assert judge(RolloutPlan((replace(tolerant, tolerance_absolute=Decimal("0.002")),)), seen).harmful


def test_a_relative_tolerance_excuses_what_is_within_it() -> None:
    seen = list(looks(18, (0.02, 0.03), requests=6000))
    assert judge(RolloutPlan((WATCHED,)), seen).harmful
    assert not judge(RolloutPlan((replace(WATCHED, tolerance_relative=Decimal(1)),)), seen).harmful


def test_an_slo_is_judged_without_control() -> None:
    slo = MetricPlan("error-rate", "count", "Guardrail", slo=Decimal("0.05"))
    worse_than_control_but_fine = judge(RolloutPlan((slo,)), looks(19, (0.001, 0.02)))
    assert not worse_than_control_but_fine.harmful
    assert worse_than_control_but_fine.proven
    beyond = judge(RolloutPlan((slo,)), looks(20, (0.2, 0.09)))
    assert beyond.harmful
    assert not beyond.proven


def test_an_slo_on_a_share_of_successes() -> None:
    slo = MetricPlan("error-rate", "count", "Guardrail", "HigherIsBetter", slo=Decimal("0.9"))
    assert judge(RolloutPlan((slo,)), looks(21, (0.5, 0.8), requests=1000)).harmful
    assert judge(RolloutPlan((slo,)), looks(22, (0.5, 0.97), requests=1000)).proven


def test_several_metrics_share_the_guarantee() -> None:
    quiet = MetricPlan("quiet", "count", "Deterioration")
    seen = [
        replace(look, counts={**look.counts, "quiet": even((1, 1), (30, 30), BUCKETS)})
        for look in looks(23, (0.01, 0.02))
    ]
    alone = judge(RolloutPlan((WATCHED,)), seen)
    together = judge(RolloutPlan((WATCHED, quiet)), seen)
    assert together.harmful
    assert together.log_e < alone.log_e
    assert not errors(together, "quiet").harmful


def test_a_late_regression_is_attributed_to_a_late_start() -> None:
    early = list(looks(24, (0.01, 0.01), ramp=(("0.25", 100),)))
    late = [
        replace(look, index=look.index + 100, minutes_since_start=look.minutes_since_start + 100)
        for look in looks(25, (0.01, 0.025), ramp=(("0.25", 40),))
    ]
    result = judge(RolloutPlan((WATCHED,)), [*early, *late])
    assert result.harmful
    assert result.attribution is not None
    assert 80 <= result.attribution.start_look <= 125


def test_a_warm_up_tests_nothing_and_tells_how_the_slice_was() -> None:
    rng = random.Random(26)
    warm = [
        Look(i, WARM_UP, Decimal("0.05"), Decimal(0), {"error-rate": counts(rng, 0.05, (0.01, 0.03))})
        for i in range(40)
    ]
    state = State(RolloutPlan((WATCHED,)))
    for look in warm:
        state.update(look)
    assert state.log_e == 0
    assert refusal(state.result()).reason is Refusal.NO_DATA
    for look in looks(27, (0.01, 0.01)):
        state.update(replace(look, index=look.index + 40))
    result = errors(state.result())
    assert result.leading.warmup_ratio == pytest.approx(3, rel=0.3)
    assert not result.harmful


def test_a_warm_up_explains_a_slice_that_was_always_different() -> None:
    """Buckets of the slice hold users who always fail more: without the warm-up this looks like the version."""

    def seen(rng: random.Random) -> Counts:
        base = counts(rng, 0.25, (0.02, 0.02))
        extra = tuple(
            x + (binom if b < 16 else 0) for b, (x, binom) in enumerate(zip(base.x[1], [1] * BUCKETS, strict=True))
        )
        return Counts((base.x[0], tuple(min(x, n) for x, n in zip(extra, base.n[1], strict=True))), base.n)

    rng = random.Random(28)
    warm = [Look(i, WARM_UP, Decimal("0.25"), Decimal(0), {"error-rate": seen(rng)}) for i in range(60)]
    real = [Look(60 + i, 0, Decimal("0.25"), Decimal(i + 1), {"error-rate": seen(rng)}) for i in range(60)]
    plan = RolloutPlan((WATCHED,))
    assert judge(plan, real).harmful
    assert not judge(plan, [*warm, *real]).harmful


def test_a_warm_up_cannot_follow_the_first_step() -> None:
    state = State(RolloutPlan((WATCHED,)))
    first, *_ = looks(29, (0.01, 0.01))
    state.update(first)
    with pytest.raises(InvalidLook, match="belongs before"):
        state.update(Look(1, WARM_UP, Decimal("0.05"), Decimal(0), first.counts))


def test_half_the_nominal_share_is_a_shortfall() -> None:
    rng = random.Random(30)
    seen = [
        Look(i, 0, Decimal("0.25"), Decimal(i + 1), {"error-rate": counts(rng, 0.05, (0.01, 0.01))}) for i in range(10)
    ]
    split = judge(RolloutPlan((WATCHED,)), seen).sample_ratio
    assert isinstance(split, SampleRatioResult)
    assert split.alarm
    assert split.shortfall
    assert split.share_observed == pytest.approx(0.05, abs=0.02)


def test_a_right_split_raises_no_alarm() -> None:
    split = judge(RolloutPlan((WATCHED,)), looks(31, (0.01, 0.01))).sample_ratio
    assert isinstance(split, SampleRatioResult)
    assert not split.alarm
    assert not split.shortfall


def test_the_split_can_be_checked_on_counts_of_its_own() -> None:
    seen = [replace(look, counts={"requests": look.counts["error-rate"]}) for look in looks(32, (0.01, 0.01))]
    result = judge(RolloutPlan((WATCHED,), split_counts="requests"), seen)
    assert isinstance(result.sample_ratio, SampleRatioResult)
    assert refusal(result).reason is Refusal.NO_DATA


def test_no_looks_is_not_a_pass() -> None:
    result = judge(RolloutPlan((ERRORS,)), [])
    assert refusal(result).reason is Refusal.NO_DATA
    assert isinstance(result.sample_ratio, CannotJudge)
    assert not result.proven
    assert result.last_look is None


@pytest.mark.parametrize(("n", "missing"), [((10, 0), "the candidate"), ((0, 10), "control"), ((0, 0), "either arm")])
def test_an_arm_without_requests_is_named(n: tuple[int, int], missing: str) -> None:
    empty = Look(0, 0, Decimal("0.5"), Decimal(1), {"error-rate": even((0, 0), n)})
    found = refusal(judge(RolloutPlan((ERRORS,)), [empty]))
    assert found.reason is Refusal.NO_DATA
    assert missing in found.sentence


def test_too_few_buckets_are_refused() -> None:
    found = refusal(judge(RolloutPlan((ERRORS,)), looks(33, (0.01, 0.01), buckets=19)))
    assert found.reason is Refusal.TOO_FEW_BUCKETS
    assert "19 analysis buckets" in found.sentence


def test_a_changed_bucket_layout_ends_the_metric_but_keeps_its_evidence() -> None:
    state = State(RolloutPlan((ERRORS,)))
    for look in looks(34, (0.01, 0.03)):
        state.update(look)
    evidence = state.log_e
    state.update(Look(100, 3, Decimal("0.5"), Decimal(100), {"error-rate": even((0, 0), (10, 10), 50)}))
    result = state.result()
    assert refusal(result).reason is Refusal.BUCKETS_CHANGED
    assert result.log_e == evidence
    assert result.harmful
    assert not result.proven


def test_a_bound_that_disappears_ends_the_metric() -> None:
    latency = MetricPlan("latency", "latency", "Deterioration", bounds=("a", "b"))
    whole = even((1, 1), (10, 10))
    state = State(RolloutPlan((latency,)))
    state.update(Look(0, 0, Decimal("0.5"), Decimal(1), {"a": whole, "b": whole}))
    state.update(Look(1, 0, Decimal("0.5"), Decimal(2), {"a": whole}))
    found = refusal(state.result(), "latency")
    assert found.reason is Refusal.BOUNDS_MISSING
    assert "bound b was missing" in found.sentence


def test_a_look_without_the_metric_is_skipped() -> None:
    seen = list(looks(35, (0.01, 0.01)))
    state = State(RolloutPlan((ERRORS,)))
    for look in seen:
        state.update(look if look.index % 2 else replace(look, counts={}))
    result = errors(state.result())
    assert result.leading.n[0] == sum(sum(look.counts["error-rate"].n[0]) for look in seen if look.index % 2)


def test_more_events_than_requests_wait_for_the_next_look() -> None:
    early = even((0, 6), (10, 5))
    late = even((0, 0), (10, 5))
    state = State(RolloutPlan((WATCHED,)))
    state.update(Look(0, 0, Decimal("0.5"), Decimal(1), {"error-rate": early}))
    assert refusal(state.result()).reason is Refusal.NO_DATA
    state.update(Look(1, 0, Decimal("0.5"), Decimal(2), {"error-rate": late}))
    assert errors(state.result()).leading.x == (0, 120)
    assert errors(state.result()).leading.n == (400, 200)


def test_events_that_always_exceed_requests_are_refused() -> None:
    state = State(RolloutPlan((WATCHED,)))
    for i in range(12):
        state.update(Look(i, 0, Decimal("0.5"), Decimal(i + 1), {"error-rate": even((0, 6), (10, 5))}))
    assert refusal(state.result()).reason in (Refusal.EVENTS_EXCEED_REQUESTS, Refusal.NO_DATA)


def test_looks_come_in_order_and_once() -> None:
    state = State(RolloutPlan((WATCHED,)))
    first, second, *_ = looks(36, (0.01, 0.01))
    state.update(second)
    with pytest.raises(InvalidLook, match="does not come after"):
        state.update(first)
    with pytest.raises(InvalidLook, match="does not come after"):
        state.update(second)


def test_a_changed_plan_is_refused_by_its_digest() -> None:
    plan = RolloutPlan((ERRORS,))
    assert refuse_changed(plan, plan.digest()) is None
    changed = refuse_changed(replace(plan, alpha=Decimal("0.05")), plan.digest())
    assert changed is not None
    assert changed.reason is Refusal.PLAN_CHANGED


def test_a_refusal_is_neither_true_nor_false() -> None:
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(CannotJudge(Refusal.NO_DATA, "nothing"))


def test_memory_does_not_grow_with_looks() -> None:
    state = State(RolloutPlan((WATCHED,), horizon_minutes=Decimal(16)))
    small = even((1, 1), (20, 20))
    for i in range(100):
        state.update(Look(i, 0, Decimal("0.5"), Decimal(i + 1), {"error-rate": small}))
    starts = len(state._metrics[0]._parts[0].views[0].mixture.first_looks)
    assert starts == 17
