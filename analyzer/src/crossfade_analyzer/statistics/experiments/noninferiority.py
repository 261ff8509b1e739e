"""Non-inferiority against a margin relative to control's value, method `noninferiority.relative_margin`.

Source: the shifted null of spotify-confidence: the margin is taken as a known multiple of control's observed mean.
"""

from __future__ import annotations

from math import inf
from typing import Literal, get_args

from crossfade_analyzer.statistics.experiments.comparison import Comparison, Moments, one_sided, pooled_se

Preferred = Literal["increase", "decrease"]


def relative_margin(control: Moments, treatment: Moments, nim: float, preferred: Preferred, alpha: float) -> Comparison:
    """One-sided test that treatment is not worse than control by `nim` of control's mean or more (0.02 = 2 %).

    `preferred` increase: H0 difference <= -nim mean0, decrease: H0 difference >= nim mean0. Small p: non-inferior.
    """
    if preferred not in get_args(Preferred):
        raise ValueError(f"the preferred direction is {' or '.join(get_args(Preferred))}, not {preferred!r}")
    if nim <= 0:
        raise ValueError(f"a non-inferiority margin is positive, not {nim}")
    if control.mean == 0:
        raise ValueError("a margin relative to control's mean of 0 is none: use an absolute one")
    larger = preferred == "increase"
    null = (-nim if larger else nim) * abs(control.mean)
    se = pooled_se(treatment.variance_of_mean, control.variance_of_mean)
    return one_sided(treatment.mean - control.mean, se, inf, alpha, larger=larger, null=null)
