"""The default experiment: one analysis, at the end. Looking earlier shows "not yet", never a number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crossfade_analyzer.statistics.experiments import ratio
from crossfade_analyzer.statistics.experiments.comparison import BucketSums, Comparison, too_few_buckets
from crossfade_analyzer.statistics.refusals import CannotJudge, Refusal


@dataclass(frozen=True, slots=True)
class Result:
    """Absolute difference and, where control's value is stable, the relative one."""

    absolute: Comparison
    relative: Comparison | CannotJudge


def analyse(
    control: BucketSums, treatment: BucketSums, alpha: float, *, now: datetime, ends: datetime
) -> Result | CannotJudge:
    """The two-sided result at `alpha` once `now` has reached `ends`."""
    if now < ends:
        return CannotJudge(
            Refusal.NOT_YET,
            f"This experiment is analysed once, at {ends.isoformat()}. A look before its end would void its error "
            "level; choose a group sequential design to be allowed earlier looks.",
            "fixed horizon",
        )
    if (few := too_few_buckets(control, treatment)) is not None:
        return few
    absolute = ratio.difference(control, treatment, alpha)
    if isinstance(absolute, CannotJudge):
        return absolute
    return Result(absolute, ratio.relative(control, treatment, alpha))
