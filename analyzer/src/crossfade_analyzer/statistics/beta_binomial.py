"""Beta-binomial mixture for bounded observations, method `beta_binomial.log_e`, and the confidence sequence of a
proportion from it, method `binomial_cs`. Source: Howard et al. 2021, section 3 and proposition 7, parametrised as
confseq. For independent observations; display of single arms."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, isfinite, log

from crossfade_analyzer.statistics.scientific import beta_cdf, hypergeometric, log_beta, root


def log_e(
    s: float, v: float, v_opt: float, g: float, h: float, alpha_opt: float = 0.05, *, one_sided: bool = True
) -> float:
    """ln of the mixture supermartingale at score `s`, intrinsic variance `v`, for observations in [-g, h] with mean 0;
    tightest near `v_opt` at level `alpha_opt`."""
    if min(v, v_opt, g, h) <= 0 or not 0 < alpha_opt < (0.5 if one_sided else 1.0):
        raise ValueError("v, v_opt, g and h must be positive, alpha_opt in (0, 1), one-sided in (0, 0.5)")
    nats = -2.0 * log(2 * alpha_opt if one_sided else alpha_opt)
    r = max(v_opt / (nats + log(1 + nats)) - g * h, 1e-3 * g * h)
    width = g + h
    upper = h / width if one_sided else 1.0
    mixed = _log_beta((r + v - g * s) / (g * width), (r + v + h * s) / (h * width), upper)
    start = _log_beta(r / (g * width), r / (h * width), upper)
    drift = v / (g * h) * log(width) - (v + h * s) / (h * width) * log(g) - (v - g * s) / (g * width) * log(h)
    return drift + mixed - start


def confidence_sequence(
    successes: int, trials: int, alpha: float, t_opt: float, alpha_opt: float = 0.05
) -> tuple[float, float]:
    """Always-valid interval for a proportion after `successes` of `trials`, tightest near `t_opt` trials."""
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"needs 0 <= successes <= trials and a trial, not {successes} of {trials}")

    def excess(p: float) -> float:
        v = p * (1 - p)
        value = log_e(successes - p * trials, v * trials, v * t_opt, p, 1 - p, alpha_opt, one_sided=False)
        return value + log(alpha)

    inner = min(max(successes / trials, 1e-9), 1 - 1e-9)
    return _end(excess, 1e-12, inner, 0.0), _end(excess, 1 - 1e-12, inner, 1.0)


def _end(excess: Callable[[float], float], outer: float, inner: float, beyond: float) -> float:
    """Where the evidence reaches 1/alpha between `inner` and `outer`; `beyond` when it never does, as for none or one
    of all."""
    if excess(outer) < 0:
        return beyond
    return root(excess, min(inner, outer), max(inner, outer), 1e-12)


def _log_beta(a: float, b: float, x: float) -> float:
    """ln of the incomplete beta function B_x(a, b), not regularised."""
    whole = log_beta(a, b)
    if x >= 1:
        return whole
    share = beta_cdf(a, b, x)
    if share > 0:
        return whole + log(share)
    # Below the smallest float: the leading factor times Gauss's series 2F1(a + b, 1; a + 1; x).
    series = hypergeometric(a + b, 1.0, a + 1.0, x)
    value = a * log(x) + b * log(1 - x) - log(a) + log(series)
    return value if isfinite(value) else log(exp(-700))
