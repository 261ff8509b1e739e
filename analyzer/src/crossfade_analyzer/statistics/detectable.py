"""The regression that the data so far would have shown: reported with every hold, so that "no evidence of harm" can
be told from "no evidence"."""

from __future__ import annotations

from decimal import Decimal

from crossfade_analyzer.statistics.arithmetic import exactly, ln

_Z_80 = Decimal("0.841621")
_LARGEST = Decimal(1000)
# What the mixtures cost: a grid of seven ratios, and half the weight on the first start.
_MIXTURE = Decimal(14)


@exactly
def detectable_ratio(expected: float, control_events: int, phi: float, alpha: Decimal) -> float | None:
    """The smallest ratio r > 1 that would be found by now with a probability of about 80 %; None when above 1000.

    `expected`: candidate events at control's rate. Normal approximation to the likelihood ratio at r, all looks taken
    as one stratum with N = r expected + control events of which q = r expected / N are the candidate's:
    N KL(q, pi)/phi - 0.84 ln(r) sqrt(N q (1 - q)/phi) >= ln(1/alpha) + ln 14.
    """
    if expected <= 0 or control_events <= 0:
        return None
    share, events, dispersion = Decimal(expected), Decimal(control_events), Decimal(phi)
    needed = ln(_MIXTURE) - ln(alpha)

    def found(r: Decimal) -> bool:
        total = r * share + events
        q = r * share / total
        pi = share / (share + events)
        divergence = q * ln(q / pi) + (1 - q) * ln((1 - q) / (1 - pi))
        noise = ln(r) * (total * q * (1 - q) / dispersion).sqrt()
        return total * divergence / dispersion - _Z_80 * noise >= needed

    if not found(_LARGEST):
        return None
    low, high = Decimal(1), _LARGEST
    while high / low > Decimal("1.0005"):
        middle = (low * high).sqrt()
        low, high = (low, middle) if found(middle) else (middle, high)
    return float(round(high, 3))
