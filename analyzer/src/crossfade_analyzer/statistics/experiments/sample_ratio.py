"""Fixed chi-square test of the split, method `srm.chi2`: for one planned look at independent units only. Looking
again and again needs `statistics.split`."""

from __future__ import annotations

from collections.abc import Sequence

from crossfade_analyzer.statistics.scientific import chi2_tail


def chi2_p(observed: Sequence[int], weights: Sequence[float]) -> float:
    """p-value of the observed units per arm under shares proportional to `weights`."""
    if len(observed) != len(weights) or len(observed) < 2 or min(weights) <= 0 or sum(observed) == 0:
        raise ValueError("needs a positive weight for each of at least two arms, and some units")
    scale = sum(observed) / sum(weights)
    statistic = sum(
        (seen - scale * weight) ** 2 / (scale * weight) for seen, weight in zip(observed, weights, strict=True)
    )
    return chi2_tail(statistic, len(observed) - 1)
