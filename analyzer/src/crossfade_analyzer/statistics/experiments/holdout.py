"""What a quarter of launches did together: users held out of all of them against the rest, once; section 6.9."""

from __future__ import annotations

from datetime import datetime

from crossfade_analyzer.statistics.experiments.comparison import BucketSums
from crossfade_analyzer.statistics.experiments.fixed_horizon import Result, analyse
from crossfade_analyzer.statistics.refusals import CannotJudge


def holdout(
    held_out: BucketSums, rest: BucketSums, alpha: float, *, now: datetime, until: datetime
) -> Result | CannotJudge:
    """Rest minus held-out at the end of the holdout, with x = user-days; "not yet" before."""
    return analyse(held_out, rest, alpha, now=now, ends=until)
