"""A treatment against control as one linear contrast, with or without CUPED: superiority, harm and non-inferiority.

Values are ratios of bucket sums (20), variances from buckets, Welch-Satterthwaite on buckets; a relative margin m is
part of the contrast R1 - (1 -/+ m) R0, so that the uncertainty of m R0 counts too.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from crossfade_analyzer.statistics.experiments import cuped
from crossfade_analyzer.statistics.experiments.comparison import BucketSums, covariance, mean, welch_df
from crossfade_analyzer.statistics.experiments.ratio import STABLE_DENOMINATOR, ratio
from crossfade_analyzer.statistics.refusals import CannotJudge, Refusal
from crossfade_analyzer.statistics.scientific import normal_from_student

# With fewer events in an arm the spread between buckets says too little: the variance is then at least a Poisson one.
FEW_EVENTS = 20
_DIGITS = 6
_FARTHEST = 37.0  # the normal tail beyond it is below the smallest float


@dataclass(frozen=True, slots=True)
class ArmValue:
    """One arm: its value, the variance of that, and how many buckets it is from."""

    value: float
    variance: float
    buckets: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Control and treatment. `explained`: the share of the variance that a pre-period took away; None without one."""

    control: ArmValue
    treatment: ArmValue
    explained: float | None = None

    @property
    def difference(self) -> float:
        return self.treatment.value - self.control.value

    @property
    def variance(self) -> float:
        return self.treatment.variance + self.control.variance

    @property
    def information(self) -> float:
        """1/Var of the difference."""
        return 1 / self.variance

    @property
    def df(self) -> float:
        return _df(self.control, self.treatment, 1.0)

    @property
    def stable_denominator(self) -> bool:
        """Whether control's value is clear of zero, so that something relative to it means anything."""
        r0 = self.control
        return r0.value != 0 and abs(r0.value) >= STABLE_DENOMINATOR * sqrt(r0.variance)

    def z(self, sign: int = 1) -> float:
        """Of the difference, positive when `sign` times it is; rounded to 1e-6, the form that is compared."""
        return _z(sign * self.difference, self.variance, self.df)

    def z_within(self, sign: int, *, relative: float | None, absolute: float | None) -> float | CannotJudge:
        """Of "not worse than the margin": the smaller one when both a relative and an absolute margin are given."""
        found = []
        if absolute is not None:
            found.append(_z(sign * self.difference + absolute, self.variance, self.df))
        if relative is not None:
            if not self.stable_denominator:
                return CannotJudge(
                    Refusal.UNSTABLE_DENOMINATOR,
                    "Control's value is within four standard errors of zero, so a relative margin may be anything. "
                    "Give an absolute margin, or wait for more data.",
                    "margin",
                )
            scale = 1 - sign * relative * (1 if self.control.value > 0 else -1)
            variance = self.treatment.variance + scale * scale * self.control.variance
            shifted = self.treatment.value - scale * self.control.value
            found.append(_z(sign * shifted, variance, _df(self.control, self.treatment, scale)))
        if not found:
            raise ValueError("non-inferiority needs a margin")
        return min(found)

    def relative(self) -> tuple[float, float] | None:
        """(22): the difference relative to control's value and its standard error; None while that may be zero."""
        if not self.stable_denominator:
            return None
        r0, r1 = self.control, self.treatment
        variance = r1.variance / r0.value**2 + r0.variance * r1.value**2 / r0.value**4
        return self.difference / abs(r0.value), sqrt(variance)


def pair(control: BucketSums, treatment: BucketSums, *, events: bool = False) -> Pair | CannotJudge:
    """Both arms' ratios. `events`: y counts events, so that few or none of them are no certainty."""
    one, other = arm_value(control, events=events), arm_value(treatment, events=events)
    if isinstance(one, CannotJudge):
        return one
    if isinstance(other, CannotJudge):
        return other
    if one.variance + other.variance > 0:
        return Pair(one, other)
    return CannotJudge(Refusal.DEGENERATE, "Nothing varies between buckets, so there is no standard error.", "y")


def arm_value(sums: BucketSums, *, events: bool = False) -> ArmValue | CannotJudge:
    """One arm's ratio, with at least a Poisson variance while its events are few."""
    found = ratio(sums)
    if isinstance(found, CannotJudge):
        return found
    count, total = sum(sums.y), sum(sums.x)
    least = (count + 1) / (total * total) if events and count < FEW_EVENTS else 0.0
    return ArmValue(found.value, max(found.variance, least), found.buckets)


def adjusted_pair(control: cuped.Arm, treatment: cuped.Arm, *, events: bool = False) -> Pair | CannotJudge:
    """The same with each arm's pre-period taken out by one pooled theta, values still on the scale of the ratio."""
    plain = pair(control.post, treatment.post, events=events)
    if isinstance(plain, CannotJudge):
        return plain
    found = cuped.linearised(control, treatment, 0.05)
    if isinstance(found, CannotJudge):
        return found
    around_post = sum(control.post.y) / sum(control.post.x)
    around_pre = sum(control.pre.y) / sum(control.pre.x)
    rows = [(linear(arm.post, around_post), linear(arm.pre, around_pre)) for arm in (control, treatment)]
    centre = mean([value for _, pre in rows for value in pre])
    values = []
    for (post, pre), unadjusted in zip(rows, (plain.control, plain.treatment), strict=True):
        row = [y - found.theta * (x - centre) for y, x in zip(post, pre, strict=True)]
        values.append(ArmValue(around_post + mean(row), covariance(row, row) / len(row), unadjusted.buckets))
    if not values[0].variance + values[1].variance > 0:
        return plain
    explained = 1 - (values[0].variance + values[1].variance) / plain.variance
    if explained <= 0:
        return Pair(plain.control, plain.treatment, 0.0)
    return Pair(values[0], values[1], explained)


def linear(sums: BucketSums, around: float) -> list[float]:
    """Influence of each bucket on the ratio: (y_b - R x_b)/xbar."""
    xbar = mean(sums.x)
    return [(y - around * x) / xbar for x, y in zip(sums.x, sums.y, strict=True)]


def _df(control: ArmValue, treatment: ArmValue, scale: float) -> float:
    return welch_df(treatment.variance, treatment.buckets - 1, scale * scale * control.variance, control.buckets - 1)


def _z(estimate: float, variance: float, df: float) -> float:
    """On the normal scale; beyond what a float's tail can hold, the largest it can."""
    z = normal_from_student(estimate / sqrt(variance), df)
    return round(max(-_FARTHEST, min(_FARTHEST, z)), _DIGITS)
