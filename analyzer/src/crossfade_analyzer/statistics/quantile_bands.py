"""Always-valid bands for quantiles and distribution functions: methods `quantile_cs.double_stitching`,
`dkw.lil_bound`, `dkw.closed_form`. Source: Howard & Ramdas 2022 (1906.09712), theorem 3 and corollary 2. Display
only, with t = n/phi."""

from __future__ import annotations

from math import exp, inf, log, sqrt

from crossfade_analyzer.statistics.scientific import minimum, root
from crossfade_analyzer.statistics.scientific import zeta as riemann_zeta


def double_stitching(
    p: float, t: float, alpha: float, t_opt: float, *, delta: float = 0.5, s: float = 1.4, eta: float = 2.0
) -> float:
    """How many observations beyond t p the empirical count may lie, for quantile `p` after `t` observations, at all
    times at once with error `alpha` (one side); in observations. Begins at `t_opt`."""
    if not 0 < p < 1 or not 0 < alpha < 1 or t <= 0 or t_opt <= 0:
        raise ValueError("p and alpha must be in (0, 1), t and t_opt positive")
    late = max(t, t_opt)
    logit = log(p / (1 - p))
    raised = 1 / (1 + exp(-(logit + 2 * delta * sqrt(t_opt * eta / late))))
    r = p if p >= 0.5 else min(0.5, raised)
    variance = r * (1 - r)
    j = sqrt(late / t_opt) * abs(logit) / (2 * delta) + 1
    zeta = riemann_zeta(s)
    ell = s * log(log(eta * late / t_opt)) + s * log(j) + log(2 * zeta * (2 * zeta + 1) / (alpha * log(eta) ** s))
    skew = (1 - 2 * p) / 3 * (sqrt(eta) + 1) / 2 * ell
    spread = (eta**0.25 + eta**-0.25) ** 2 / 2 * variance * late * ell
    return delta * sqrt(eta * late * variance / t_opt) + sqrt(spread + skew * skew) + skew


def lil_bound(t: float, alpha: float, t_min: float, a: float = 0.85) -> float:
    """Half width of a uniform band for a distribution function from time `t_min` on: A sqrt((lnln + C)/t), with the
    smallest C whose error is `alpha` for some eta in (1, 2 A^2). Infinite before `t_min`."""
    if t < t_min:
        return inf
    constant = root(lambda c: _log_error(c, a) - log(alpha), 4.0, 60.0)
    return a * sqrt((log(1 + log(t / t_min)) + constant) / t)


def _log_error(c: float, a: float) -> float:
    """ln min over eta of 4 e^{-g2 C} (1 + 1/((g2 - 1) ln eta)), g2 = (2/eta) (A - sqrt(2 (eta - 1)/C))^2."""

    def at(eta: float) -> float:
        root = a - sqrt(2 * (eta - 1) / c)
        g2 = 2 / eta * root * root
        if root <= 0 or g2 <= 1:
            return 10.0
        return log(4) - g2 * c + log(1 + 1 / ((g2 - 1) * log(eta)))

    step = (2 * a * a - 1) / 400
    best = min((1 + step * i for i in range(1, 400)), key=at)
    return minimum(at, best - step + 1e-9, best + step)


def closed_form(n: float, alpha: float) -> float:
    """0.85 sqrt((lnln(e n) + 0.8 ln(1612/alpha))/n): the band for all n >= 1, corollary 2."""
    if n < 1 or not 0 < alpha < 1:
        raise ValueError("needs n >= 1 and alpha in (0, 1)")
    return 0.85 * sqrt((log(log(n) + 1) + 0.8 * log(1612 / alpha)) / n)
