"""Grid e-process for count metrics in two arms: formulas (1)-(5), method `evalue.grid_binomial`.

Evidence against "the ratio of rates is at most rho0" (grid above 1) or "at least rho0" (grid below 1), from event and
request totals per look. Source: conditional binomial likelihood ratios (Lindon & Malek 2022, 2011.03567), mixed over a
grid of ratios and tempered by phi. Exact and non-asymptotic for independent events (phi = 1); for phi > 1 a
quasi-likelihood, asymptotic in the number of buckets with events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import lcm

import numpy as np

from crossfade_analyzer.statistics import approximate, fixed_point
from crossfade_analyzer.statistics.approximate import ROUNDING, Approximate
from crossfade_analyzer.statistics.arithmetic import ONE, ZERO, exactly, log_sum

COUNT_GRID = tuple(Decimal(theta) for theta in ("1.1", "1.25", "1.5", "2", "3", "6", "20"))
LATENCY_GRID = tuple(Decimal(theta) for theta in ("1.03", "1.06", "1.12", "1.25", "1.6", "2.5", "5"))
# True ratios worth proving at; divided by the margin they are the grid: {0.4, 0.55, 0.7, 0.8} at margin 1.25.
PROOF_RATIOS = tuple(Decimal(ratio) for ratio in ("0.5", "0.6875", "0.875", "1"))


Sums = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Alternatives `theta` (ratios relative to `rho0`, each != 1), all above 1 or all below.

    `logs`: ln(theta) in fixed point. `ratios`: rho0, then each theta * rho0, as numerators over `denominator`.
    `shares`: the weights as floats.
    """

    theta: tuple[Decimal, ...]
    rho0: Decimal
    weights: tuple[Decimal, ...]
    shares: tuple[float, ...]
    logs: Sums
    ratios: tuple[int, ...]
    denominator: int

    @property
    def nothing(self) -> Sums:
        """The sums (3) before any look."""
        return (0,) * len(self.theta)


@exactly
def grid(theta: Sequence[Decimal], rho0: Decimal = ONE, weights: Sequence[Decimal] | None = None) -> Grid:
    """Alternatives with their weights, equal ones unless given."""
    if rho0 <= 0:
        raise ValueError(f"the null ratio must be positive, not {rho0}")
    if not theta or not (all(t > 1 for t in theta) or all(0 < t < 1 for t in theta)):
        raise ValueError(f"a grid lies on one side of 1, all above or all in (0, 1), not {list(map(str, theta))}")
    weights = [ONE / len(theta)] * len(theta) if weights is None else weights
    if len(weights) != len(theta) or min(weights) <= 0 or sum(weights) > 1 + Decimal("1e-15"):
        raise ValueError(f"needs a weight > 0 for each alternative, together at most 1, not {list(map(str, weights))}")
    null = Fraction(rho0)
    ratios = [null, *(Fraction(t) * null for t in theta)]
    denominator = lcm(*(ratio.denominator for ratio in ratios))
    return Grid(
        theta=tuple(theta),
        rho0=rho0,
        weights=tuple(weights),
        shares=tuple(float(weight) for weight in weights),
        logs=tuple(fixed_point.scaled_log(t) for t in theta),
        ratios=tuple(int(ratio * denominator) for ratio in ratios),
        denominator=denominator,
    )


def increments(alternatives: Grid, x: tuple[float, float], n: tuple[float, float]) -> Sums | None:
    """What one look adds to the sums (3), in fixed point; `x`, `n` are events and requests of (control, candidate).

    None when the look tells nothing: an arm without requests, or no event. With g = ln((rho0 n_T + n_C) /
    (theta rho0 n_T + n_C)), x_T ln(q/pi) + x_C ln((1-q)/(1-pi)) is x_T ln(theta) + (x_T + x_C) g.
    """
    if not n[0] or not n[1] or not (x[0] or x[1]):
        return None
    gains = _gains(alternatives.ratios, alternatives.denominator, int(n[0]), int(n[1]))
    return tuple(
        fixed_point.times(x[1], log + gain) + fixed_point.times(x[0], gain)
        for log, gain in zip(alternatives.logs, gains, strict=True)
    )


@lru_cache(maxsize=64)
def _gains(ratios: tuple[int, ...], denominator: int, control: int, candidate: int) -> Sums:
    """g of each alternative; the metrics and views of one look share it."""
    null, *others = (ratio * candidate + denominator * control for ratio in ratios)
    return tuple(fixed_point.log_ratio(null, other) for other in others)


def add(sums: Sums, more: Sums) -> Sums:
    return tuple(old + new for old, new in zip(sums, more, strict=True))


def since(sums: Sums, before: Sums) -> Sums:
    return tuple(now - then for now, then in zip(sums, before, strict=True))


@exactly
def log_e(alternatives: Grid | OneSample, sums: Sums, phi: float, shift: float = 0.0) -> Decimal:
    """Formula (5), not quantised: the log of the mixture of exp(LL_j / phi).

    `shift`: as if the score U = sum A - sum D were less by so much; the sums are linear in U with slope ln(theta).
    """
    if not any(sums):
        return ZERO
    dispersion, less = Decimal(phi), Decimal(shift)
    terms = zip(sums, alternatives.logs, strict=True)
    logs = [(fixed_point.to_decimal(ll) - less * fixed_point.to_decimal(log)) / dispersion for ll, log in terms]
    return log_sum(alternatives.weights, logs)


def approximate_log_es(
    alternatives: Grid | OneSample, starts: Sequence[Sums], phis: Sequence[float], shifts: Sequence[float] | None = None
) -> list[Approximate]:
    """`log_e` in floats, for the sums of several starts."""
    if not starts:
        return []
    phi = np.array(phis)[:, None]
    logs = np.array([[fixed_point.to_float(total) for total in sums] for sums in starts]) / phi
    errors = ROUNDING * np.abs(logs)
    if shifts is not None:
        less = np.array(shifts)[:, None] * np.array([fixed_point.to_float(log) for log in alternatives.logs]) / phi
        logs, errors = logs - less, errors + ROUNDING * np.abs(less)
    near = approximate.log_sums(np.array(alternatives.shares), logs, errors)
    return [found if any(sums) else Approximate(0.0) for found, sums in zip(near, starts, strict=True)]


@dataclass(frozen=True, slots=True)
class OneSample:
    """Alternatives to a rate without a control, method `evalue.grid_one_sample`.

    LL_j = x ln(theta_j) + (n - x) ln((1 - theta_j p0)/(1 - p0)); alternatives with theta_j p0 >= 1 are impossible and
    count as no evidence (E = 0 for their share of the mixture).
    """

    weights: tuple[Decimal, ...]
    shares: tuple[float, ...]
    logs: Sums
    misses: Sums

    def sums(self, x: int, n: int) -> Sums:
        return tuple(x * hit + (n - x) * miss for hit, miss in zip(self.logs, self.misses, strict=True))


@exactly
def one_sample(alternatives: Grid, rate: Decimal) -> OneSample:
    possible = [j for j, theta in enumerate(alternatives.theta) if theta * rate < 1]
    if not possible:
        raise ValueError(f"no alternative is possible for a rate of {rate}: choose a grid with theta * rate < 1")
    return OneSample(
        weights=tuple(alternatives.weights[j] for j in possible),
        shares=tuple(alternatives.shares[j] for j in possible),
        logs=tuple(alternatives.logs[j] for j in possible),
        misses=tuple(fixed_point.scaled_log((1 - alternatives.theta[j] * rate) / (1 - rate)) for j in possible),
    )
