"""The shape of a two-arm comparison, and the sums it is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

from crossfade_analyzer.statistics.plan import MIN_BUCKETS
from crossfade_analyzer.statistics.refusals import CannotJudge, Refusal
from crossfade_analyzer.statistics.scientific import student_quantile, student_tail


@dataclass(frozen=True, slots=True)
class Moments:
    """One arm's independent observations: how many, their sum and their sum of squares."""

    n: int
    sum: float
    sum_squares: float

    def __post_init__(self) -> None:
        if self.n < 2:
            raise ValueError(f"a variance needs at least 2 observations, not {self.n}")

    @classmethod
    def of_proportion(cls, n: int, successes: int) -> Moments:
        """0/1 values with the variance p (1 - p) that libraries use for proportions (not n/(n - 1) times it)."""
        if not 0 <= successes <= n:
            raise ValueError(f"successes are from 0 to all {n} observations, not {successes}")
        rate = successes / n if n else 0.0
        return cls(n, successes, successes * rate + (n - 1) * rate * (1 - rate))

    @property
    def mean(self) -> float:
        return self.sum / self.n

    @property
    def variance(self) -> float:
        """Sample variance, n - 1."""
        return max(self.sum_squares - self.sum * self.sum / self.n, 0.0) / (self.n - 1)

    @property
    def variance_of_mean(self) -> float:
        return self.variance / self.n


@dataclass(frozen=True, slots=True)
class BucketSums:
    """One arm's sums per analysis bucket: `y` of the metric, `x` of what it is divided by (users, user-days,
    requests)."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y) or len(self.x) < 2:
            raise ValueError(f"needs x and y for the same two or more buckets, not {len(self.x)} and {len(self.y)}")

    @property
    def buckets(self) -> int:
        return len(self.x)


def too_few_buckets(control: BucketSums, treatment: BucketSums) -> CannotJudge | None:
    """A refusal when an arm has fewer buckets than a variance can be estimated from."""
    fewest = min(control.buckets, treatment.buckets)
    if fewest >= MIN_BUCKETS:
        return None
    return CannotJudge(
        Refusal.TOO_FEW_BUCKETS,
        f"Only {fewest} analysis buckets in an arm; variance needs at least {MIN_BUCKETS}. Widen the slice.",
        "buckets",
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Treatment against control: estimate, standard error, degrees of freedom (inf: normal), interval and p-value.

    `estimate` and `ci` are in units of the metric, or relative to control's value where a function says so. One-sided
    comparisons have an infinite end. `p` is against `null`.
    """

    estimate: float
    se: float
    df: float
    ci: tuple[float, float]
    p: float
    null: float = 0.0

    @property
    def t(self) -> float:
        return (self.estimate - self.null) / self.se


def two_sided(estimate: float, se: float, df: float, alpha: float, null: float = 0.0) -> Comparison:
    """A comparison with the interval estimate +/- t_{1 - alpha/2} se."""
    _check(se, alpha)
    half = student_quantile(1 - alpha / 2, df) * se
    p = 2 * student_tail(abs(estimate - null) / se, df)
    return Comparison(estimate, se, df, (estimate - half, estimate + half), p, null)


def one_sided(estimate: float, se: float, df: float, alpha: float, *, larger: bool, null: float = 0.0) -> Comparison:
    """A test that the truth is above `null` (`larger`) or below it, with the matching one-sided interval."""
    _check(se, alpha)
    reach = student_quantile(1 - alpha, df) * se
    z = (estimate - null) / se
    if larger:
        return Comparison(estimate, se, df, (estimate - reach, inf), student_tail(z, df), null)
    return Comparison(estimate, se, df, (-inf, estimate + reach), student_tail(-z, df), null)


def welch_df(v1: float, df1: float, v0: float, df0: float) -> float:
    """Welch-Satterthwaite degrees of freedom of a difference of estimates with variances v1, v0."""
    return (v1 + v0) ** 2 / (v1 * v1 / df1 + v0 * v0 / df0)


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def covariance(one: Sequence[float], other: Sequence[float]) -> float:
    """Sample covariance, n - 1."""
    m1, m2 = mean(one), mean(other)
    return sum((a - m1) * (b - m2) for a, b in zip(one, other, strict=True)) / (len(one) - 1)


def pooled_se(v1: float, v0: float) -> float:
    return sqrt(v1 + v0)


def _check(se: float, alpha: float) -> None:
    if not se > 0:
        raise ValueError("nothing varies: without a standard error there is neither an interval nor a test")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is in (0, 1), not {alpha}")
