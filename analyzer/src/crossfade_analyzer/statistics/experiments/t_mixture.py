"""Anytime-valid t test of a regression coefficient, method `t_mixture`.

Source: Lindon, Ham, Tingley, Bojinov 2022 (2210.08589), in the parametrisation of avlm: g tunes when it is tightest.
"""

from __future__ import annotations

from math import exp, inf, log, log1p, sqrt


def log_e(t: float, df: float, g: float, n: float) -> float:
    """ln E of a t statistic with `df` degrees of freedom from `n` observations."""
    r = g / (g + n)
    return 0.5 * log(r) + 0.5 * (df + 1) * (log1p(t * t / df) - log1p(r * t * t / df))


def radius(g: float, n: float, coefficients: int, alpha: float) -> float:
    """The |t| at which E reaches 1/alpha; infinite while no t could."""
    df = n - coefficients
    if df <= 0:
        raise ValueError(f"{n} observations cannot support {coefficients} coefficients")
    r = g / (g + n)
    share = exp(log(r * alpha * alpha) / (df + 1))
    return sqrt(df * (1 - share) / (share - r)) if share > r else inf
