"""Asymptotic confidence sequences: methods `asymp_cs.halfwidth`, `asymp_cs.relative_ci`, `asymp_cs.absolute_ci`.

Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas 2024 (2103.06476), in GrowthBook's parametrisation. `n` is a sample
size or, in information units, any measure of information; `n_star` the one at which the sequence is tightest (planned).
"""

from __future__ import annotations

from math import exp, inf, log, sqrt

from crossfade_analyzer.statistics.experiments.comparison import Comparison, Moments, pooled_se
from crossfade_analyzer.statistics.experiments.ratio import STABLE_DENOMINATOR
from crossfade_analyzer.statistics.refusals import CannotJudge, Refusal


def tuning(alpha: float, n_star: float) -> float:
    """rho with rho^2 = (2 ln(1/alpha) + ln(1 + 2 ln(1/alpha)))/n*."""
    if n_star <= 0 or not 0 < alpha < 1:
        raise ValueError("needs a planned n > 0 and alpha in (0, 1)")
    nats = -2 * log(alpha)
    return sqrt((nats + log(1 + nats)) / n_star)


def halfwidth(se: float, n: float, n_star: float, alpha: float) -> float:
    """Two-sided half width, in units of `se`."""
    m = n * tuning(alpha, n_star) ** 2
    return se * sqrt(2 * (m + 1) / m * log(sqrt(m + 1) / alpha))


def halfwidth_one_sided(se: float, n: float, n_star: float, alpha: float) -> float:
    """One-sided: the log becomes ln(1 + sqrt(n rho^2 + 1)/(2 alpha)) with rho at 2 alpha."""
    m = n * tuning(2 * alpha, n_star) ** 2
    return se * sqrt(2 * (m + 1) / m * log(1 + sqrt(m + 1) / (2 * alpha)))


def p_value(z: float, n: float, n_star: float, alpha: float) -> float:
    """Always-valid two-sided p of a standardised difference: min(1, 1/E)."""
    m = n * tuning(alpha, n_star) ** 2
    return min(1.0, sqrt(m + 1) * exp(-z * z * m / (2 * (m + 1))))


def sequence(estimate: float, se: float, n: float, n_star: float, alpha: float) -> Comparison:
    """Estimate with the interval that holds at all looks."""
    if not se > 0 or not n > 0:
        raise ValueError("needs a positive standard error and sample")
    half = halfwidth(se, n, n_star, alpha)
    p = p_value(estimate / se, n, n_star, alpha)
    return Comparison(estimate, se, inf, (estimate - half, estimate + half), p)


def absolute(control: Moments, treatment: Moments, n_star: float, alpha: float) -> Comparison:
    """Difference of means at all looks, treatment - control; n is both arms together."""
    se = pooled_se(treatment.variance_of_mean, control.variance_of_mean)
    return sequence(treatment.mean - control.mean, se, control.n + treatment.n, n_star, alpha)


def relative(control: Moments, treatment: Moments, n_star: float, alpha: float) -> Comparison | CannotJudge:
    """Relative difference by the delta method (22), refused as `ratio.relative` refuses."""
    if control.mean == 0 or abs(control.mean) < STABLE_DENOMINATOR * sqrt(control.variance_of_mean):
        return CannotJudge(
            Refusal.UNSTABLE_DENOMINATOR,
            "Control's mean is within four standard errors of zero: read the absolute difference.",
            "mean",
        )
    m0, m1 = control.mean, treatment.mean
    variance = treatment.variance_of_mean / m0**2 + control.variance_of_mean * m1**2 / m0**4
    return sequence((m1 - m0) / abs(m0), sqrt(variance), control.n + treatment.n, n_star, alpha)
