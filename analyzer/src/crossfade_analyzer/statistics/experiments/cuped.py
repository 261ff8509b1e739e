"""CUPED variance reduction with one pooled theta, methods `cuped` and `cuped.linearised`.

Source: Deng, Xu, Kohavi, Walker 2013. The covariate is from before the start; never from within the experiment.
"""

from __future__ import annotations

from dataclasses import dataclass

from crossfade_analyzer.statistics.experiments.comparison import (
    BucketSums,
    Comparison,
    covariance,
    mean,
    pooled_se,
    two_sided,
    welch_df,
)
from crossfade_analyzer.statistics.refusals import CannotJudge, Refusal


@dataclass(frozen=True, slots=True)
class PairedMoments:
    """One arm's sums of `post` (during) and `pre` (before) values of the same n units, with sums of squares and
    products."""

    n: int
    post_sum: float
    post_sum_squares: float
    pre_sum: float
    pre_sum_squares: float
    post_pre_sum_of_products: float

    def __post_init__(self) -> None:
        if self.n < 2:
            raise ValueError(f"a variance needs at least 2 units, not {self.n}")

    def joined(self, other: PairedMoments) -> PairedMoments:
        """Both arms as one sample."""
        return PairedMoments(
            self.n + other.n,
            self.post_sum + other.post_sum,
            self.post_sum_squares + other.post_sum_squares,
            self.pre_sum + other.pre_sum,
            self.pre_sum_squares + other.pre_sum_squares,
            self.post_pre_sum_of_products + other.post_pre_sum_of_products,
        )

    @property
    def covariance(self) -> float:
        return (self.post_pre_sum_of_products - self.post_sum * self.pre_sum / self.n) / (self.n - 1)

    @property
    def post_variance(self) -> float:
        return (self.post_sum_squares - self.post_sum**2 / self.n) / (self.n - 1)

    @property
    def pre_variance(self) -> float:
        return (self.pre_sum_squares - self.pre_sum**2 / self.n) / (self.n - 1)


@dataclass(frozen=True, slots=True)
class Adjusted:
    """The comparison of adjusted values and the coefficient used; `theta` 0 when the covariate does not vary."""

    theta: float
    comparison: Comparison


def adjusted(control: PairedMoments, treatment: PairedMoments, alpha: float) -> Adjusted:
    """Difference of means of post - theta pre, treatment - control; theta = cov(post, pre)/var(pre) over the units of
    both arms taken as one sample."""
    both = treatment.joined(control)
    theta = both.covariance / both.pre_variance if both.pre_variance > 0 else 0.0
    (m1, v1), (m0, v0) = (_moments(arm, theta) for arm in (treatment, control))
    df = welch_df(v1, treatment.n - 1, v0, control.n - 1)
    return Adjusted(theta, two_sided(m1 - m0, pooled_se(v1, v0), df, alpha))


def _moments(arm: PairedMoments, theta: float) -> tuple[float, float]:
    """Mean and variance of the mean of post - theta pre."""
    centre = (arm.post_sum - theta * arm.pre_sum) / arm.n
    spread = arm.post_variance - 2 * theta * arm.covariance + theta * theta * arm.pre_variance
    return centre, spread / arm.n


@dataclass(frozen=True, slots=True)
class Arm:
    """Bucket sums of one arm during the experiment and before it, in the same buckets."""

    post: BucketSums
    pre: BucketSums


def linearised(control: Arm, treatment: Arm, alpha: float) -> Adjusted | CannotJudge:
    """CUPED for a ratio of bucket sums: both periods are linearised around control's ratio of that period,
    l_b = (y_b - R0 x_b)/xbar_arm + R0, then adjusted per bucket. The estimate is a difference of ratios.

    Dividing by each arm's own mean of x (the spec's xbar0 when arms are equally large) keeps the estimate right when
    arms have different sizes.
    """
    if sum(control.post.x) == 0 or sum(control.pre.x) == 0 or sum(treatment.post.x) == 0 or sum(treatment.pre.x) == 0:
        return CannotJudge(
            Refusal.NO_DATA,
            "An arm has no users before or after the start, so there is nothing to adjust with. Use a pre-period in "
            "which the same buckets had traffic, or report without CUPED.",
            "pre",
        )
    r_post = sum(control.post.y) / sum(control.post.x)
    r_pre = sum(control.pre.y) / sum(control.pre.x)
    pairs = [PairedValues(_linear(arm.post, r_post), _linear(arm.pre, r_pre)).moments() for arm in (control, treatment)]
    return adjusted(pairs[0], pairs[1], alpha)


@dataclass(frozen=True, slots=True)
class PairedValues:
    """Values per bucket during and before."""

    post: list[float]
    pre: list[float]

    def moments(self) -> PairedMoments:
        return PairedMoments(
            n=len(self.post),
            post_sum=sum(self.post),
            post_sum_squares=sum(v * v for v in self.post),
            pre_sum=sum(self.pre),
            pre_sum_squares=sum(v * v for v in self.pre),
            post_pre_sum_of_products=sum(a * b for a, b in zip(self.post, self.pre, strict=True)),
        )

    def correlation(self) -> float:
        """How much CUPED can help: the variance falls by 1 - r^2."""
        spread = covariance(self.post, self.post) * covariance(self.pre, self.pre)
        return covariance(self.post, self.pre) / spread**0.5 if spread > 0 else 0.0


def _linear(sums: BucketSums, around: float) -> list[float]:
    xbar = mean(sums.x)
    return [(y - around * x) / xbar for x, y in zip(sums.x, sums.y, strict=True)]
