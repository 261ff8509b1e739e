"""What must not depend on names, order, units or how time is cut: property tests."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade_analyzer.statistics import counters, grid, score
from crossfade_analyzer.statistics.arithmetic import quantised
from crossfade_analyzer.statistics.bursts import BurstCap
from crossfade_analyzer.statistics.dispersion import dispersions
from crossfade_analyzer.statistics.experiments import ratio
from crossfade_analyzer.statistics.experiments.comparison import BucketSums, Comparison
from crossfade_analyzer.statistics.fixed_point import to_float
from crossfade_analyzer.statistics.harm import CountHarm
from crossfade_analyzer.statistics.look import Counts
from crossfade_analyzer.statistics.rollout import Look, MetricPlan, RolloutPlan, State, judge
from crossfade_analyzer.statistics.strata import Strata, as_counted, weighted

BUCKETS = 20
GRID = grid.grid(grid.COUNT_GRID)
BOUNDED = settings(max_examples=25, deadline=None, derandomize=True)
WATCHED = RolloutPlan((MetricPlan("errors", "count", "Deterioration"),))


@st.composite
def counted(draw: st.DrawFn) -> Counts:
    """Some events of some requests, in every bucket of both arms."""
    n = [draw(st.lists(st.integers(1, 60), min_size=BUCKETS, max_size=BUCKETS)) for _ in range(2)]
    x = [[draw(st.integers(0, min(total, 9))) for total in row] for row in n]
    return Counts((tuple(x[0]), tuple(x[1])), (tuple(n[0]), tuple(n[1])))


several = st.lists(counted(), min_size=1, max_size=4)


def process(looks: list[Counts]) -> CountHarm:
    made = CountHarm(GRID, BUCKETS)
    made.begin()
    for look in looks:
        made.add(as_counted(look))
    return made


def state(looks: list[Counts], plan: RolloutPlan = WATCHED) -> State:
    made = State(plan)
    for i, look in enumerate(looks):
        made.update(Look(i, 0, Decimal("0.5"), Decimal(i + 1), {"errors": look}))
    return made


def permuted(look: Counts, order: list[int]) -> Counts:
    (x0, x1), (n0, n1) = look.x, look.n

    def shuffled(row: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(row[i] for i in order)

    return Counts((shuffled(x0), shuffled(x1)), (shuffled(n0), shuffled(n1)))


@BOUNDED
@given(several, st.permutations(range(BUCKETS)))
def test_the_order_of_buckets_does_not_matter_to_the_bit(looks: list[Counts], order: list[int]) -> None:
    assert state([permuted(look, order) for look in looks]).log_e == state(looks).log_e


@BOUNDED
@given(several)
def test_swapping_arms_turns_a_difference_round(looks: list[Counts]) -> None:
    there, back = Strata(BUCKETS), Strata(BUCKETS)
    for look in looks:
        swapped = Counts((look.x[1], look.x[0]), (look.n[1], look.n[0]))
        for strata, seen in ((there, look), (back, swapped)):
            added = weighted(as_counted(seen), 1.0)
            assert added is not None
            strata.add(added)
    one, other = score.difference(there), score.difference(back)
    assert one.u == pytest.approx(-other.u, abs=1e-9)
    assert one.v == pytest.approx(other.v, rel=1e-9)
    assert dispersions(there)[0].both == pytest.approx(dispersions(back)[0].both, rel=1e-9)


@BOUNDED
@given(several)
def test_swapping_arms_and_the_side_of_the_grid_gives_the_same_sums(looks: list[Counts]) -> None:
    """theta against 1 in the candidate is 1/theta in control: evidence that one is worse is that the other is
    better."""
    below = grid.grid([1 / theta for theta in GRID.theta])
    for look in looks:
        x, n = look.totals_x(), look.totals_n()
        one, other = grid.increments(GRID, x, n), grid.increments(below, (x[1], x[0]), (n[1], n[0]))
        assert (one is None) == (other is None)
        for a, b in zip(one or (), other or (), strict=True):
            assert to_float(a) == pytest.approx(to_float(b), abs=1e-9)


@BOUNDED
@given(several)
def test_rejections_are_nested_in_alpha(looks: list[Counts]) -> None:
    def rejects(alpha: str) -> bool:
        return state(looks, RolloutPlan(WATCHED.metrics, alpha=Decimal(alpha))).harmful

    found = [rejects(alpha) for alpha in ("0.001", "0.01", "0.1", "0.4")]
    assert found == sorted(found)


@BOUNDED
@given(counted(), counted())
def test_a_look_cut_in_two_at_the_same_split_says_the_same(one: Counts, other: Counts) -> None:
    """When both parts have the same requests per arm, one look or two makes no difference to sums and dispersion."""
    same = (
        Counts(other.x, one.n)
        if all(x <= n for xs, ns in zip(other.x, one.n, strict=True) for x, n in zip(xs, ns, strict=True))
        else one
    )
    cut, merged = process([one, same]), process([one.plus(same)])
    assert float(cut.exact()[0]) == pytest.approx(float(merged.exact()[0]), abs=1e-9)
    assert cut.phi() == pytest.approx(merged.phi(), rel=1e-9)


@BOUNDED
@given(several)
def test_looks_without_the_candidate_add_nothing(looks: list[Counts]) -> None:
    nothing = (0,) * BUCKETS
    absent = Counts(((3,) * BUCKETS, nothing), ((50,) * BUCKETS, nothing))
    assert process([absent, *looks, absent]).exact() == process(looks).exact()


@BOUNDED
@given(several, st.integers(2, 1000))
def test_the_unit_of_a_mean_does_not_matter(looks: list[Counts], factor: int) -> None:
    def judged(scale: int) -> Decimal:
        plan = RolloutPlan((MetricPlan("errors", "mean", "Deterioration", scale=scale),))
        scaled = [
            Counts((tuple(v * scale for v in look.x[0]), tuple(v * scale for v in look.x[1])), look.n) for look in looks
        ]
        return state(scaled, plan).log_e

    assert float(judged(factor)) == pytest.approx(float(judged(1)), abs=1e-6)


@BOUNDED
@given(several, st.integers(0, BUCKETS - 1))
def test_a_failure_moved_to_the_candidate_never_speaks_for_it(looks: list[Counts], bucket: int) -> None:
    """At a fixed dispersion the sums of every alternative grow with each event that is the candidate's."""
    x, n = looks[0].totals_x(), looks[0].totals_n()
    if not x[0]:
        return
    before, after = grid.increments(GRID, x, n), grid.increments(GRID, (x[0] - 1, x[1] + 1), n)
    assert before is not None
    assert after is not None
    assert all(b > a for a, b in zip(before, after, strict=True))


@BOUNDED
@given(counted())
def test_capping_is_blind_to_the_arm(look: Counts) -> None:
    swapped = Counts((look.x[1], look.x[0]), look.n)
    one, other = BurstCap().apply(as_counted(look)), BurstCap().apply(as_counted(swapped))
    assert (one.x[0] == other.x[1]).all()
    assert (one.x[1] == other.x[0]).all()
    total = [a + b for a, b in zip(*look.x, strict=True)]
    kept = [a + b for a, b in zip(*one.x, strict=True)]
    assert all(k <= t + 1e-9 for k, t in zip(kept, total, strict=True))


@BOUNDED
@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.sets(st.integers(1, 19)))
def test_resets_lose_nothing_after_them(increments: list[int], resets: set[int]) -> None:
    """A counter that restarts at zero between scrapes still counts every increment seen after the restart."""
    value, samples, expected = 100, [100], 0
    for i, step in enumerate(increments):
        value = step if i in resets else value + step
        expected += step if value >= samples[-1] and i not in resets else 0
        if i in resets:
            expected += step if step < samples[-1] else step - samples[-1]
        samples.append(value)
    assert counters.delta(samples) == expected


@BOUNDED
@given(several)
def test_a_fold_is_the_same_however_it_is_resumed(looks: list[Counts]) -> None:
    whole = [Look(i, 0, Decimal("0.5"), Decimal(i + 1), {"errors": look}) for i, look in enumerate(looks)]
    assert judge(WATCHED, whole).log_e == state(looks).log_e
    assert quantised(state(looks).log_e) == state(looks).log_e


@BOUNDED
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=20, max_size=30), st.floats(0.01, 100))
def test_a_relative_lift_does_not_depend_on_the_unit(cells: list[tuple[int, int]], factor: float) -> None:
    x, y = tuple(float(a) for a, _ in cells), tuple(float(b) + 1 for _, b in cells)
    plain = ratio.relative(BucketSums(x, y), BucketSums(y, x), 0.05)
    scaled = ratio.relative(
        BucketSums(x, tuple(v * factor for v in y)), BucketSums(y, tuple(v * factor for v in x)), 0.05
    )
    assert type(plain) is type(scaled)
    if isinstance(plain, Comparison) and isinstance(scaled, Comparison):
        assert scaled.estimate == pytest.approx(plain.estimate, rel=1e-6, abs=1e-9)
        assert scaled.p == pytest.approx(plain.p, rel=1e-5, abs=1e-9)
