"""Following a group sequential experiment: observed information, re-solved bounds, repeated confidence intervals."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

from crossfade_analyzer.statistics.experiments.comparison import BucketSums, too_few_buckets
from crossfade_analyzer.statistics.experiments.group_sequential import bounds
from crossfade_analyzer.statistics.experiments.ratio import Ratio, bucket_df, ratio
from crossfade_analyzer.statistics.experiments.spending import Spending
from crossfade_analyzer.statistics.refusals import CannotJudge, Refusal
from crossfade_analyzer.statistics.scientific import normal_from_student

# The correlation of two looks' estimates may fall short of sqrt(I_s/I_t) by this much, beyond chance, before we warn.
_CANONICAL_SLACK = -0.05
_NOISE_ERRORS = 3.0


@dataclass(frozen=True, slots=True)
class Design:
    """Fixed at planning. `max_information` = 1/Var of the difference at the planned sample, from buckets, not users.
    `alpha` is one-sided; `grows_with_time`: the metric is a cumulative sum per user."""

    spending: Spending
    alpha: float
    max_information: float
    looks: int
    grows_with_time: bool = False

    def refuse(self) -> CannotJudge | None:
        """Cumulative sums per user have no growing information: looking at them repeatedly is wrong at any bound."""
        if not self.grows_with_time:
            return None
        return CannotJudge(
            Refusal.CUMULATIVE_METRIC,
            "A sum per user grows with time, so looks at it are not comparable and sequential bounds do not hold. "
            "Divide by user-days or requests instead, or use a fixed horizon.",
            "metric",
        )


@dataclass(frozen=True, slots=True)
class CorrelationGap:
    """corr(estimate_s, estimate_t) - sqrt(I_s/I_t), and how far chance alone may take it: three standard errors."""

    value: float
    noise: float

    @property
    def harmless(self) -> bool:
        """Increments are as independent as the bounds assume, as far as anybody can tell."""
        return self.value + self.noise >= _CANONICAL_SLACK


@dataclass(frozen=True, slots=True)
class Reading:
    """One look: treatment - control, its standard error from buckets, z on the normal scale, information fraction."""

    estimate: float
    se: float
    z: float
    fraction: float


@dataclass(frozen=True, slots=True)
class Monitored:
    """A look judged. `bound` None: not reachable yet. `interval`: repeated confidence interval, holds at all looks."""

    reading: Reading
    bound: float | None
    interval: tuple[float, float]
    crossed: bool


def read(design: Design, control: BucketSums, treatment: BucketSums) -> Reading | CannotJudge:
    """The cumulative sums at a look, as a reading; the bucket t statistic is mapped to z by Phi^-1(T_df)."""
    if (refusal := design.refuse()) is not None:
        return refusal
    if (few := too_few_buckets(control, treatment)) is not None:
        return few
    r0, r1 = ratio(control), ratio(treatment)
    if isinstance(r0, CannotJudge):
        return r0
    if isinstance(r1, CannotJudge):
        return r1
    variance = r0.variance + r1.variance
    if not variance > 0:
        return CannotJudge(Refusal.DEGENERATE, "Nothing varies between buckets, so there is no information yet.", "y")
    estimate = r1.value - r0.value
    z = normal_from_student(estimate / sqrt(variance), bucket_df(r0, r1))
    return Reading(estimate, sqrt(variance), z, 1 / variance / design.max_information)


def judge(
    design: Design, readings: Sequence[Reading], past_bounds: Sequence[float | None], *, ended: bool = False
) -> Monitored:
    """The last of `readings`. `past_bounds` are those used at the looks before and are kept; the present one is
    re-solved for the observed information. `ended` at the end date: all alpha that is left is spent (under-running)."""
    if len(past_bounds) != len(readings) - 1:
        raise ValueError("one past bound per earlier reading: bounds once used are never changed")
    fractions = [reading.fraction for reading in readings]
    times = [min(fraction, 1.0) for fraction in increasing(fractions)]
    times[-1] = 1.0 if ended else times[-1]
    now = bounds(design.spending, design.alpha, increasing(fractions), times)[-1]
    last = readings[-1]
    reach = inf if now is None else now * last.se
    return Monitored(last, now, (last.estimate - reach, last.estimate + reach), now is not None and last.z >= now)


@dataclass(frozen=True, slots=True)
class Judged:
    """What one look of one metric knew: spending time (0 to 1), 1/Var of the difference, and how much was counted: the
    harmonic size n0 n1 / (n0 + n1) of the denominators, in their unit."""

    time: float
    information: float
    size: float


def bound_now(spending: Spending, alpha: float, looks: Sequence[Judged]) -> float | None:
    """The bound at the last of `looks`; None when it is out of reach. Alpha is spent by time, all of it at 1."""
    return bounds(spending, alpha, grown(looks), increasing([look.time for look in looks]))[-1]


def grown(looks: Sequence[Judged]) -> list[float]:
    """Information as the bounds assume it, relative to the first look: at each look it grows by the fastest of three.

    These are time, 1/Var (right while rates stay), and size^2 Var, the variance of the sum (right when a rate jumps and
    1/Var falls). Faster growth is a lower assumed correlation of looks, and by Slepian's inequality (1962) bounds for
    lower correlations hold for higher ones: alpha is kept as long as one of the three is not too slow.
    """
    found = [1.0]
    for before, now in itertools.pairwise(looks):
        variance = (now.size / before.size) ** 2 * before.information / now.information
        fastest = max(now.time / before.time, now.information / before.information, variance, 1.0)
        found.append(found[-1] * fastest)
    return found


def increasing(fractions: Sequence[float]) -> list[float]:
    """Observed information may fall by chance; a fraction below an earlier one counts as that one."""
    seen: list[float] = []
    for fraction in fractions:
        seen.append(max([fraction, *seen[-1:]]))
    return seen


def correlation_gap(
    early: tuple[BucketSums, BucketSums], late: tuple[BucketSums, BucketSums]
) -> CorrelationGap | CannotJudge:
    """The gap from bucket influence functions u, v of (control, treatment) at an early and a late look.

    Zero when increments are independent: then v and u - v are uncorrelated, and the gap is the sum of v (u - v) over
    the square root of sum u^2 sum v^2, with the sum of (v (u - v))^2 as the variance of its numerator.
    """
    products, spread = [0.0, 0.0, 0.0], 0.0
    for first, second in zip(early, late, strict=True):
        a, b = _influence(first), _influence(second)
        if isinstance(a, CannotJudge):
            return a
        if isinstance(b, CannotJudge):
            return b
        products[0] += sum(u * v for u, v in zip(a, b, strict=True))
        products[1] += sum(u * u for u in a)
        products[2] += sum(v * v for v in b)
        spread += sum((v * (u - v)) ** 2 for u, v in zip(a, b, strict=True))
    cross, early_variance, late_variance = products
    if not early_variance > 0 or not late_variance > 0:
        return CannotJudge(Refusal.DEGENERATE, "Nothing varies between buckets at one of the looks.", "y")
    scale = sqrt(early_variance * late_variance)
    return CorrelationGap((cross - late_variance) / scale, _NOISE_ERRORS * sqrt(spread) / scale)


def _influence(arm: BucketSums) -> list[float] | CannotJudge:
    value = ratio(arm)
    if not isinstance(value, Ratio):
        return value
    total = sum(arm.x)
    return [(y - value.value * x) / total for x, y in zip(arm.x, arm.y, strict=True)]
