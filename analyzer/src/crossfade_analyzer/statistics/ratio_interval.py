"""Confidence sequence for a ratio of rates: formula (15), method `report.ratio_cs`. Reported, not decided upon."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import fsum, sqrt

from crossfade_analyzer.statistics.arithmetic import exactly, exp, ln
from crossfade_analyzer.statistics.strata import Strata

# The information (1/variance of ln R) that resolves a ratio of 1.25; fixed, so tuning never looks at the data.
INFORMATION_FOR_A_QUARTER = Decimal("157.6")


@dataclass(frozen=True, slots=True)
class RatioInterval:
    """Ratio candidate/control with a band that holds at all looks simultaneously; `se_log` is of ln(ratio)."""

    ratio: float
    se_log: float
    lower: float
    upper: float


@exactly
def ratio_interval(
    strata: Strata, alpha: Decimal, information: Decimal = INFORMATION_FOR_A_QUARTER
) -> RatioInterval | None:
    """Formula (15) from strata of null ratio 1; None while an arm has no events or nothing varies."""
    a, d = fsum(strata.a), fsum(strata.d)
    if not a > 0 or not d > 0:
        return None
    shrink = (strata.buckets - 1) / strata.buckets
    pairs = zip(strata.candidate_residuals(), strata.control_residuals(), strict=True)
    squares = fsum([(t / a - c / d) * (t / a - c / d) for t, c in pairs])
    if not squares > 0:
        return None
    se = sqrt(shrink * squares)
    seen = 1 / (Decimal(se) * Decimal(se))
    nats = -2 * ln(alpha)
    rho = information / (nats + ln(1 + nats))
    width = Decimal(se) * ((seen + rho) / seen * (ln((seen + rho) / rho) + nats)).sqrt()
    centre = ln(Decimal(a / d))
    return RatioInterval(a / d, se, float(exp(centre - width)), float(exp(centre + width)))
