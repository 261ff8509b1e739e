"""The regression that the data so far would have shown: reported with every hold, so that "no evidence of harm" can
be told from "no evidence"."""

from __future__ import annotations

from math import sqrt

from crossfade_analyzer.statistics.elementary import log

_Z_80 = 0.841621
_LARGEST = 1000.0
# What the mixtures cost: a grid of seven ratios, and half the weight on the first start.
_MIXTURE = 14.0


def detectable_ratio(expected: float, control_events: int, phi: float, alpha: float) -> float | None:
    """The smallest ratio r > 1 that would be found by now with a probability of about 80 %; None when above 1000.

    `expected`: candidate events at control's rate. Normal approximation to the likelihood ratio at r, all looks taken
    as one stratum with N = r expected + control events of which q = r expected / N are the candidate's:
    N KL(q, pi)/phi - 0.84 ln(r) sqrt(N q (1 - q)/phi) >= ln(1/alpha) + ln 14.
    """
    if expected <= 0 or control_events <= 0:
        return None
    pi = expected / (expected + control_events)
    needed = log(_MIXTURE / alpha)

    def found(r: float) -> bool:
        total = r * expected + control_events
        q = r * expected / total
        divergence = q * log(q / pi) + (1 - q) * log((1 - q) / (1 - pi))
        noise = log(r) * sqrt(total * q * (1 - q) / phi)
        return total * divergence / phi - _Z_80 * noise >= needed

    if not found(_LARGEST):
        return None
    low, high = 1.0, _LARGEST
    while high / low > 1.0005:
        middle = sqrt(low * high)
        low, high = (low, middle) if found(middle) else (middle, high)
    return round(high, 3)
