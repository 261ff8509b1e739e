"""Welch's t test of two means from sums, method `welch`. For independent observations (one per user)."""

from __future__ import annotations

from crossfade_analyzer.statistics.experiments.comparison import Comparison, Moments, pooled_se, two_sided, welch_df


def welch(control: Moments, treatment: Moments, alpha: float) -> Comparison:
    """Difference of means, treatment - control, in units of the metric (Welch 1947)."""
    v1, v0 = treatment.variance_of_mean, control.variance_of_mean
    df = welch_df(v1, treatment.n - 1, v0, control.n - 1)
    return two_sided(treatment.mean - control.mean, pooled_se(v1, v0), df, alpha)
