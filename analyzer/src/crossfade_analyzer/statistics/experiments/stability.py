"""Does the effect last? Second-half minus first-half effect, paired over buckets; section 6.9, method `stability`."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from crossfade_analyzer.statistics.experiments.comparison import (
    BucketSums,
    Comparison,
    covariance,
    mean,
    one_sided,
    two_sided,
)
from crossfade_analyzer.statistics.experiments.ratio import ratio
from crossfade_analyzer.statistics.refusals import CannotJudge


@dataclass(frozen=True, slots=True)
class Halves:
    """One arm's bucket sums of the first and the second half, in the same buckets."""

    first: BucketSums
    second: BucketSums


@dataclass(frozen=True, slots=True)
class Stability:
    """`change`: late minus early effect. `late`: the late effect alone, tested for inferiority; `blocks` a ship."""

    change: Comparison
    late: Comparison
    blocks: bool


def stability(
    control: Halves, treatment: Halves, alpha: float, *, lower_is_better: bool = False
) -> Stability | CannotJudge:
    """Reported with every experiment; only a late half that is significantly worse by itself blocks (level `alpha`).

    Per arm the change of its ratio is paired over buckets (a bucket holds the same users in both halves): influence
    values (y - R x)/sum x, second minus first, with df = B - 1 summed over arms.
    """
    changes, variances, dfs = [], [], []
    late_values, late_variances = [], []
    for arm in (control, treatment):
        first, second = ratio(arm.first), ratio(arm.second)
        if isinstance(first, CannotJudge):
            return first
        if isinstance(second, CannotJudge):
            return second
        paired = [
            b - a for a, b in zip(_influence(arm.first, first.value), _influence(arm.second, second.value), strict=True)
        ]
        changes.append(second.value - first.value)
        variances.append(covariance(paired, paired) / len(paired))
        dfs.append(len(paired) - 1)
        late_values.append(second.value)
        late_variances.append(second.variance)
    df = float(sum(dfs))
    change = two_sided(changes[1] - changes[0], sqrt(sum(variances)), df, alpha)
    late = one_sided(late_values[1] - late_values[0], sqrt(sum(late_variances)), df, alpha, larger=lower_is_better)
    return Stability(change, late, late.p < alpha)


def _influence(sums: BucketSums, value: float) -> list[float]:
    xbar = mean(sums.x)
    return [(y - value * x) / xbar for x, y in zip(sums.x, sums.y, strict=True)]
