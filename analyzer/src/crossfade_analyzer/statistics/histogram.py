"""Quantiles of classic histograms as Prometheus interpolates them, method `histogram.quantile`. For display only: an
interpolation step is not a regression; decisions use counts beyond a bound."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from crossfade_analyzer.statistics.refusals import CannotJudge, Refusal


def quantile(le: Sequence[float], cumulative: Sequence[float], q: float) -> float | CannotJudge:
    """The `q` quantile (0 to 1) of counts `cumulative[i]` at most `le[i]`, in units of `le`; the last bound is +inf.

    Linear within a bucket, from 0 in the first when its bound is positive; the highest finite bound when the
    quantile lies beyond it.
    """
    if not 0 <= q <= 1:
        raise ValueError(f"a quantile is in [0, 1], not {q}")
    if len(le) != len(cumulative) or len(le) < 2 or le[-1] != inf or list(le) != sorted(set(le)):
        raise ValueError("bounds must increase strictly and end with +inf, one count each")
    if list(cumulative) != sorted(cumulative) or cumulative[0] < 0:
        raise ValueError("cumulative counts must not decrease")
    if not cumulative[-1]:
        return CannotJudge(Refusal.NO_DATA, "The histogram is empty: there is no quantile to show.", "quantile")
    rank = q * cumulative[-1]
    index = next(i for i, count in enumerate(cumulative) if count >= rank)
    if index == len(le) - 1:
        return le[-2]
    if index == 0 and le[0] <= 0:
        return le[0]
    start = le[index - 1] if index else 0.0
    before = cumulative[index - 1] if index else 0.0
    inside = cumulative[index] - before
    return start + (le[index] - start) * ((rank - before) / inside if inside else 0.0)
