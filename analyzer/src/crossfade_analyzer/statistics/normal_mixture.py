"""Normal-mixture e-processes and bounds: formula (14), methods `normal_mixture.log_e`, `.bound`, `.rho`.

Source: Howard, Ramdas, McAuliffe, Sekhon 2021 (1810.08240), in the parametrisation of their library confseq: a score
`s` with intrinsic variance `v`, tuned to be tightest near `v_opt` at level `alpha_opt`. With s = Z sqrt(v) this is the
mixture that mSPRT, GAVI and asymptotic confidence sequences share.
"""

from __future__ import annotations

from decimal import Decimal

from crossfade_analyzer.statistics.arithmetic import CONTEXT, exactly, ln
from crossfade_analyzer.statistics.distributions import log_normal_cdf

_TWO = Decimal(2)


@exactly
def rho(v_opt: Decimal, alpha_opt: Decimal, *, one_sided: bool) -> Decimal:
    """r = v_opt / (2 ln(1/a) + ln(1 + 2 ln(1/a))), with a = 2 alpha_opt one-sided, alpha_opt two-sided."""
    a = _TWO * alpha_opt if one_sided else alpha_opt
    if v_opt <= 0 or not 0 < a < 1:
        raise ValueError(
            f"needs v_opt > 0 and a level in (0, {'0.5' if one_sided else '1'}), not v_opt={v_opt}, alpha={alpha_opt}"
        )
    nats = -_TWO * ln(a)
    return v_opt / (nats + ln(1 + nats))


@exactly
def log_e(z: Decimal, information: Decimal, r: Decimal, *, one_sided: bool) -> Decimal:
    """ln E of a standardised score `z` at `information` D > 0: (14); positive z is evidence, two-sided either sign."""
    share = information / (information + r)
    spread = ln(r / (information + r)) / 2 + z * z * share / 2
    if not one_sided:
        return spread
    return spread + ln(_TWO) + log_normal_cdf(z * share.sqrt(CONTEXT))


@exactly
def log_e_of_score(s: Decimal, v: Decimal, r: Decimal, *, one_sided: bool) -> Decimal:
    """The same from the score itself, ln E(s, v), as confseq writes it."""
    return log_e(s / v.sqrt(), v, r, one_sided=one_sided)


@exactly
def bound(v: Decimal, alpha: Decimal, r: Decimal, *, one_sided: bool) -> Decimal:
    """The smallest score s with E(s, v) >= 1/alpha, in the units of s; one-sided by bisection to 25 digits."""
    two_sided = ((v + r) * (ln((v + r) / r) - _TWO * ln(alpha))).sqrt()
    if not one_sided:
        return two_sided
    target = -ln(alpha)
    low, high = Decimal(0), two_sided
    while log_e_of_score(high, v, r, one_sided=True) < target:
        low, high = high, high * 2
    while high - low > Decimal("1e-25") * high:
        middle = (low + high) / 2
        enough = log_e_of_score(middle, v, r, one_sided=True) >= target
        low, high = (low, middle) if enough else (middle, high)
    return high


@exactly
def standard_bound(information: Decimal, alpha: Decimal, r: Decimal) -> Decimal:
    """The |Z| at which the two-sided process reaches 1/alpha: the half width of a confidence sequence in units of
    the standard error."""
    return bound(information, alpha, r, one_sided=False) / information.sqrt()
