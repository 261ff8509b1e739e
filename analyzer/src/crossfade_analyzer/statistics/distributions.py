"""Normal and Student tails for decisions that rest on a standardised score: `tails` in decimal, 34 digits, and in
floats for `approximate`. `normal_score` maps a bucket t statistic to the normal scale."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import lru_cache
from math import nan, sqrt

from crossfade_analyzer.statistics import elementary
from crossfade_analyzer.statistics.arithmetic import CONTEXT, PI, ZERO
from crossfade_analyzer.statistics.tails import Tails

# Twelve guard digits: the series for the normal tail loses three where it hands over to the continued fraction.
_WIDE = Context(prec=46, rounding=ROUND_HALF_EVEN, Emin=-999999, Emax=999999)


@lru_cache(maxsize=64)
def _log_beta_half(df: int) -> Decimal:
    """ln B(df/2, 1/2), from B(1/2, 1/2) = pi and B(1, 1/2) = 2 by B(a + 1, b) = B(a, b) a/(a + b)."""
    with localcontext(_WIDE):
        value = PI if df % 2 else Decimal(2)
        for twice_a in range(2 - df % 2, df, 2):
            value = value * twice_a / (twice_a + 1)
        return value.ln()


_EXACT: Tails[Decimal] = Tails(
    number=Decimal,
    exp=_WIDE.exp,
    ln=_WIDE.ln,
    sqrt=_WIDE.sqrt,
    log_beta_half=_log_beta_half,
    log_two=_WIDE.ln(Decimal(2)),
    log_sqrt_two_pi=_WIDE.divide(_WIDE.ln(_WIDE.multiply(2, PI)), 2),
    epsilon=Decimal("1e-40"),
    close=Decimal("1e-22"),
)
_FAST: Tails[float] = Tails(
    number=float,
    exp=elementary.exp,
    ln=elementary.log,
    sqrt=sqrt,
    log_beta_half=lru_cache(maxsize=64)(lambda df: float(_log_beta_half(df))),
    log_two=float(_EXACT.log_two),
    log_sqrt_two_pi=float(_EXACT.log_sqrt_two_pi),
    epsilon=2.0**-53,
    close=1e-9,
)
# Floats are not asked beyond: squares and exponentials stay far from their limits.
_FAR = 1e6


def log_normal_tail(z: Decimal) -> Decimal:
    """ln(1 - Phi(z)) for any z."""
    with localcontext(_WIDE):
        return CONTEXT.plus(_EXACT.log_normal(z))


def log_normal_cdf(z: Decimal) -> Decimal:
    """ln Phi(z) for any z."""
    return log_normal_tail(z.copy_negate())


def log_student_tail(t: Decimal, df: int) -> Decimal:
    """ln P(T > t) for Student's T with `df` >= 1 degrees of freedom, any t."""
    with localcontext(_WIDE):
        return CONTEXT.plus(_EXACT.log_student(t, df))


def normal_score(t: Decimal, df: int) -> Decimal:
    """The z with 1 - Phi(z) = P(T_df > t): a bucket t statistic on the normal scale, |z| <= |t|."""
    if not t:
        return ZERO
    near = fast_normal_score(float(t.copy_abs()), df)
    with localcontext(_WIDE):
        start = Decimal(near) if near > 0 else None
        return CONTEXT.plus(_EXACT.normal_from_student(t.copy_abs(), df, start)).copy_sign(t)


def student_score(z: float, df: int) -> float:
    """The inverse of `normal_score`, for display: the t with P(T_df > t) = 1 - Phi(z), to 12 digits."""
    if not z:
        return 0.0
    try:
        t = _FAST.student_from_normal(abs(z), df)
    except ArithmeticError:
        with localcontext(_WIDE):
            t = float(_EXACT.student_from_normal(Decimal(abs(z)), df))
    return t if z > 0 else -t


def fast_log_normal_cdf(z: float) -> float:
    """`log_normal_cdf` in floats; nan where they do not do."""
    return _FAST.log_normal(-z) if abs(z) < _FAR else nan


def fast_normal_score(t: float, df: int) -> float:
    """`normal_score` in floats; nan where they do not do."""
    if not t:
        return 0.0
    if not abs(t) < _FAR:
        return nan
    try:
        z = _FAST.normal_from_student(abs(t), df)
    except ArithmeticError:
        return nan
    return z if t > 0 else -z
