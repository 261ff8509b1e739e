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

from crossfade_analyzer.statistics.arithmetic import ONE, ZERO, exactly, exp, ln, log_sum

COUNT_GRID = tuple(Decimal(theta) for theta in ("1.1", "1.25", "1.5", "2", "3", "6", "20"))
LATENCY_GRID = tuple(Decimal(theta) for theta in ("1.03", "1.06", "1.12", "1.25", "1.6", "2.5", "5"))
# True ratios worth proving at; divided by the margin they are the grid: {0.4, 0.55, 0.7, 0.8} at margin 1.25.
PROOF_RATIOS = tuple(Decimal(ratio) for ratio in ("0.5", "0.6875", "0.875", "1"))


Count = int | Decimal


@dataclass(frozen=True, slots=True)
class Grid:
    """Alternatives `theta` (ratios relative to `rho0`, each != 1), all above 1 or all below, uniformly weighted."""

    theta: tuple[Decimal, ...]
    rho0: Decimal
    log_theta: tuple[Decimal, ...]
    weights: tuple[Decimal, ...]

    @property
    def nothing(self) -> tuple[Decimal, ...]:
        """The sums (3) before any look."""
        return (ZERO,) * len(self.theta)


@exactly
def grid(theta: Sequence[Decimal], rho0: Decimal = ONE) -> Grid:
    if rho0 <= 0:
        raise ValueError(f"the null ratio must be positive, not {rho0}")
    if not theta or not (all(t > 1 for t in theta) or all(0 < t < 1 for t in theta)):
        raise ValueError(f"a grid lies on one side of 1, all above or all in (0, 1), not {list(map(str, theta))}")
    share = ONE / len(theta)
    return Grid(tuple(theta), rho0, tuple(ln(t) for t in theta), (share,) * len(theta))


@exactly
def increments(alternatives: Grid, x: tuple[Count, Count], n: tuple[int, int]) -> tuple[Decimal, ...] | None:
    """What one look adds to the sums (3); `x`, `n` are events and requests of (control, candidate).

    None when the look tells nothing: an arm without requests, or no event. With g = ln((rho0 n_T + n_C) /
    (theta rho0 n_T + n_C)), x_T ln(q/pi) + x_C ln((1-q)/(1-pi)) is x_T ln(theta) + (x_T + x_C) g.
    """
    events = x[0] + x[1]
    if not n[0] or not n[1] or not events:
        return None
    expected = alternatives.rho0 * n[1]
    null = expected + n[0]
    return tuple(
        x[1] * log_theta + events * ln(null / (theta * expected + n[0]))
        for theta, log_theta in zip(alternatives.theta, alternatives.log_theta, strict=True)
    )


@exactly
def add(sums: tuple[Decimal, ...], more: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    return tuple(old + new for old, new in zip(sums, more, strict=True))


@exactly
def shifted(alternatives: Grid, sums: tuple[Decimal, ...], shift: float) -> tuple[Decimal, ...]:
    """The sums (3) as if the score U = sum A - sum D were less by `shift`: they are linear in U with slope
    ln(theta)."""
    less = Decimal(shift)
    return tuple(ll - less * log_theta for ll, log_theta in zip(sums, alternatives.log_theta, strict=True))


@exactly
def log_e(alternatives: Grid, sums: tuple[Decimal, ...], phi: float) -> Decimal:
    """Formula (5), not quantised: the log of the mixture of exp(LL_j / phi)."""
    if not any(sums):
        return ZERO
    dispersion = Decimal(phi)
    return log_sum(alternatives.weights, [ll / dispersion for ll in sums])


@exactly
def log_e_one_sample(
    alternatives: Grid, x: int, n: int, rate: Decimal, phi: float
) -> tuple[Decimal, tuple[Decimal, ...]]:
    """Evidence that a rate is above `rate` without a control, method `evalue.grid_one_sample`: (ln E, sums LL_j).

    LL_j = x ln(theta_j) + (n - x) ln((1 - theta_j p0)/(1 - p0)); alternatives with theta_j p0 >= 1 are impossible and
    count as no evidence (E = 0 for their share of the mixture).
    """
    possible = [j for j, theta in enumerate(alternatives.theta) if theta * rate < 1]
    if not possible:
        raise ValueError(f"no alternative is possible for a rate of {rate}: choose a grid with theta * rate < 1")
    sums = tuple(
        x * alternatives.log_theta[j] + (n - x) * ln((1 - alternatives.theta[j] * rate) / (1 - rate)) for j in possible
    )
    dispersion = Decimal(phi)
    weights = [alternatives.weights[j] for j in possible]
    return log_sum(weights, [ll / dispersion for ll in sums]), sums


@exactly
def prevailing(alternatives: Grid, sums: tuple[Decimal, ...], phi: float) -> tuple[Decimal, Decimal]:
    """The alternative that explains the counts best and its share of the evidence in (0, 1]."""
    dispersion = Decimal(phi)
    best = max(range(len(sums)), key=lambda j: sums[j])
    whole = log_e(alternatives, sums, phi)
    return alternatives.theta[best], alternatives.weights[best] * exp(sums[best] / dispersion - whole)
