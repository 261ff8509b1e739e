"""The few functions of scipy that reports, designs and displays use, with types. Never in a decision path: their last
digits differ between machines."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from numpy.typing import NDArray
from scipy import optimize, special, stats  # type: ignore[import-untyped]

Vector = NDArray[Any]


def normal_quantile(p: float) -> float:
    return float(special.ndtri(p))


def normal_tail(z: float) -> float:
    """1 - Phi(z)."""
    return float(special.ndtr(-z))


def normal_cdf_of(z: Vector) -> Vector:
    """Phi, element by element."""
    values: Vector = special.ndtr(z)
    return values


def student_quantile(p: float, df: float) -> float:
    """Normal for df = inf."""
    return normal_quantile(p) if df == inf else float(special.stdtrit(df, p))


def student_tail(t: float, df: float) -> float:
    """P(T > t); normal for df = inf."""
    return normal_tail(t) if df == inf else float(special.stdtr(df, -t))


def normal_from_student(t: float, df: float) -> float:
    """Phi^-1(T_df(t)), through the tail that is small."""
    tail = student_tail(abs(t), df)
    z = float(stats.norm.isf(tail))
    return z if t > 0 else -z


def chi2_tail(x: float, df: int) -> float:
    return float(special.chdtrc(df, x))


def zeta(s: float) -> float:
    """Riemann's zeta function, s > 1."""
    return float(special.zeta(s))


def log_beta(a: float, b: float) -> float:
    return float(special.betaln(a, b))


def beta_cdf(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function."""
    return float(special.betainc(a, b, x))


def hypergeometric(a: float, b: float, c: float, x: float) -> float:
    """Gauss's 2F1."""
    return float(special.hyp2f1(a, b, c, x))


def root(function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-10) -> float:
    """Where `function` changes sign in [low, high] (Brent); ValueError when it does not."""
    return float(optimize.brentq(function, low, high, xtol=tolerance))


def minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """The least value of a unimodal `function` on [low, high] (Brent)."""
    found = optimize.minimize_scalar(function, bounds=(low, high), method="bounded", options={"xatol": 1e-10})
    return float(found.fun)
