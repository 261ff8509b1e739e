"""Normal and Student tails in decimal, for decisions that rest on a standardised score.

The normal tail is a series in the middle (Abramowitz & Stegun 26.2.11) and a continued fraction outside (26.2.14);
the Student tail is the regularised incomplete beta function I_x(nu/2, 1/2)/2 by its continued fraction (DLMF
8.17.22, Lentz's method), so that tails far below the smallest float stay exact. `normal_score` maps one to the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import lru_cache
from itertools import count

from crossfade_analyzer.statistics.arithmetic import CONTEXT, ONE, PI, ZERO

# Twelve guard digits: the series for the normal tail loses three where it hands over to the continued fraction.
_WIDE = Context(prec=46, rounding=ROUND_HALF_EVEN, Emin=-999999, Emax=999999)
_EPSILON = Decimal("1e-40")
_SERIES_BELOW = Decimal(3)
_HALF = Decimal("0.5")
_LOG_TWO = _WIDE.ln(Decimal(2))
_LOG_SQRT_TWO_PI = _WIDE.multiply(_HALF, _WIDE.ln(_WIDE.multiply(2, PI)))
_MAX_STEPS = 4000


def log_normal_tail(z: Decimal) -> Decimal:
    """ln(1 - Phi(z)) for any z."""
    with localcontext(_WIDE):
        return CONTEXT.plus(_log_normal_tail(z))


def log_normal_cdf(z: Decimal) -> Decimal:
    """ln Phi(z) for any z."""
    return log_normal_tail(z.copy_negate())


def log_student_tail(t: Decimal, df: int) -> Decimal:
    """ln P(T > t) for Student's T with `df` >= 1 degrees of freedom, any t."""
    with localcontext(_WIDE):
        return CONTEXT.plus(_log_student_tail(t, df))


def normal_score(t: Decimal, df: int) -> Decimal:
    """The z with 1 - Phi(z) = P(T_df > t): a bucket t statistic on the normal scale, |z| <= |t|."""
    if not t:
        return ZERO
    with localcontext(_WIDE):
        z = _solve_normal(_log_student_tail(t.copy_abs(), df), _wallace(t, df))
        return CONTEXT.plus(z).copy_sign(t)


def student_score(z: Decimal, df: int) -> Decimal:
    """The inverse of `normal_score`: the t with P(T_df > t) = 1 - Phi(z)."""
    if not z:
        return ZERO
    with localcontext(_WIDE):
        t = _solve_student(_log_normal_tail(z.copy_abs()), df, _inverse_wallace(z, df))
        return CONTEXT.plus(t).copy_sign(z)


def _wallace(t: Decimal, df: int) -> Decimal:
    """Wallace's normal approximation of |t| (1959): sqrt(df ln(1 + t^2/df)) (8 df + 1)/(8 df + 3)."""
    return (df * (1 + t * t / df).ln()).sqrt() * (8 * df + 1) / (8 * df + 3)


def _inverse_wallace(z: Decimal, df: int) -> Decimal:
    scaled = z * (8 * df + 3) / (8 * df + 1)
    return (df * ((scaled * scaled / df).exp() - 1)).sqrt()


def _solve_normal(log_tail: Decimal, start: Decimal) -> Decimal:
    """The z with ln(1 - Phi(z)) = `log_tail`: Newton's method, quadratic as the log tail is smooth and concave."""
    z = start
    for _ in range(50):
        here = _log_normal_tail(z)
        step = (here - log_tail) * (here - _log_density(z)).exp()
        z += step
        if abs(step) < Decimal("1e-22"):  # the next step would be below the 34 digits that are kept
            return z
    raise ArithmeticError(f"the normal score of log tail {log_tail} did not converge")


def _solve_student(log_tail: Decimal, df: int, start: Decimal) -> Decimal:
    """The t with ln P(T_df > t) = `log_tail`: Newton's method in ln t, where heavy tails are straight lines."""
    half = Decimal(df + 1) / 2
    scale = _log_beta_half(df) + Decimal(df).ln() / 2
    t = start
    for _ in range(300):
        here = _log_student_tail(t, df)
        log_density = -half * (1 + t * t / df).ln() - scale
        step = (here - log_tail) * (here - log_density).exp() / t
        t *= max(min(step, Decimal(2)), Decimal(-2)).exp()
        if abs(step) < Decimal("1e-22"):
            return t
    raise ArithmeticError(f"the Student quantile of log tail {log_tail} did not converge")


def _log_density(z: Decimal) -> Decimal:
    return -_HALF * z * z - _LOG_SQRT_TWO_PI


def _log_normal_tail(z: Decimal) -> Decimal:
    if abs(z) <= _SERIES_BELOW:
        return (_HALF - _central(z)).ln()
    if z < 0:
        return (1 - _log_normal_tail(-z).exp()).ln()
    return _log_density(z) - _continued(z, ((Decimal(k), z) for k in count(1))).ln()


def _central(z: Decimal) -> Decimal:
    """Phi(z) - 1/2 = density(z) (z + z^3/3 + z^5/15 + ...): every term has the sign of z."""
    square = z * z
    term = series = z
    for k in count(1):
        term *= square / (2 * k + 1)
        series += term
        if abs(term) <= _EPSILON * abs(series):
            break
    return _log_density(z).exp() * series


def _log_student_tail(t: Decimal, df: int) -> Decimal:
    if df < 1:
        raise ValueError(f"Student's distribution needs at least 1 degree of freedom, not {df}")
    if t < 0:
        return (1 - _log_student_tail(-t, df).exp()).ln()
    if t == 0:
        return -_LOG_TWO
    a, b = Decimal(df) / 2, _HALF
    x, y = df / (df + t * t), t * t / (df + t * t)
    log_front = a * x.ln() + b * y.ln() - _log_beta_half(df)
    if x * (a + b + 2) < a + 1:
        return log_front - (a * _continued(ONE, _beta_terms(a, b, x))).ln() - _LOG_TWO
    complement = log_front.exp() / (b * _continued(ONE, _beta_terms(b, a, y)))
    return ((1 - complement) / 2).ln()


@lru_cache(maxsize=64)
def _log_beta_half(df: int) -> Decimal:
    """ln B(df/2, 1/2), from B(1/2, 1/2) = pi and B(1, 1/2) = 2 by B(a + 1, b) = B(a, b) a/(a + b)."""
    with localcontext(_WIDE):
        value = PI if df % 2 else Decimal(2)
        for twice_a in range(2 - df % 2, df, 2):
            value = value * twice_a / (twice_a + 1)
        return value.ln()


def _beta_terms(a: Decimal, b: Decimal, x: Decimal) -> Iterable[tuple[Decimal, Decimal]]:
    """The partial numerators of DLMF 8.17.22 over denominators of 1, for x < (a + 1)/(a + b + 2)."""
    for m in count(0):
        twice = a + 2 * m
        yield -(a + m) * (a + b + m) * x / (twice * (twice + 1)), ONE
        yield (m + 1) * (b - m - 1) * x / ((twice + 1) * (twice + 2)), ONE


def _continued(leading: Decimal, terms: Iterable[tuple[Decimal, Decimal]]) -> Decimal:
    """leading + a1/(b1 + a2/(b2 + ...)) for `terms` (a_k, b_k), by Lentz's method, to 40 digits."""
    value = c = leading
    d = ZERO
    for step, (a, b) in enumerate(terms):
        d = 1 / (b + a * d)
        c = b + a / c
        value *= c * d
        if abs(c * d - 1) < _EPSILON:
            return value
        if step > _MAX_STEPS:
            break
    raise ArithmeticError(f"a continued fraction from {leading} did not converge in {_MAX_STEPS} steps")
