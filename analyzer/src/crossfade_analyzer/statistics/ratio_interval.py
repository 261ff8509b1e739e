"""Confidence sequence for a ratio of rates: formula (15), method `report.ratio_cs`. Reported, not decided upon."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

from crossfade_analyzer.statistics.elementary import exp, log, sums
from crossfade_analyzer.statistics.strata import Strata

# The information (1/variance of ln R) that resolves a ratio of 1.25; fixed, so tuning never looks at the data.
INFORMATION_FOR_A_QUARTER = 157.6


@dataclass(frozen=True, slots=True)
class RatioInterval:
    """Ratio candidate/control with a band that holds at all looks simultaneously; `se_log` is of ln(ratio)."""

    ratio: float
    se_log: float
    lower: float
    upper: float


def ratio_interval(
    strata: Strata, alpha: float, information: float = INFORMATION_FOR_A_QUARTER
) -> RatioInterval | None:
    """Formula (15) from strata of null ratio 1; None while an arm has no events or nothing varies."""
    a, _, d, _ = strata.over_buckets[0].tolist()
    if not a > 0 or not d > 0:
        return None
    shrink = (strata.buckets - 1) / strata.buckets
    apart = strata.residuals.candidate[0] / a - strata.residuals.control[0] / d
    squares = float(sums(apart * apart))
    if not squares > 0:
        return None
    se = sqrt(shrink * squares)
    seen = 1.0 / (se * se)
    nats = -2.0 * log(alpha)
    rho = information / (nats + log(1.0 + nats))
    width = se * sqrt((seen + rho) / seen * (log((seen + rho) / rho) + nats))
    centre = log(a / d)
    upper = exp(centre + width) if centre + width < 700 else inf
    return RatioInterval(a / d, se, exp(centre - width), upper)
