"""The evidence of harm of counts and means once more, in plain Python: lists, `fsum` and 34-digit decimals, one process
per start, everything computed anew at every look. Slow; the engine must agree with it to the last bit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from math import ceil, fsum, sqrt

from crossfade_analyzer.statistics import normal_mixture
from crossfade_analyzer.statistics.distributions import normal_score
from crossfade_analyzer.statistics.look import WARM_UP, Look, PerArm

DIGITS = Context(prec=34, rounding=ROUND_HALF_EVEN, Emin=-999999, Emax=999999)
PI = Decimal("3.141592653589793238462643383279502884197169399375105820974944592")
THETA = [Decimal(theta) for theta in ("1.1", "1.25", "1.5", "2", "3", "6", "20")]
Rows = tuple[list[float], list[float]]


def weighted_log_sum(pairs: Iterable[tuple[Decimal, Decimal]]) -> Decimal:
    pairs = list(pairs)
    top = max(log for _, log in pairs)
    return top + sum((weight * (log - top).exp() for weight, log in pairs), Decimal(0)).ln()


def left_out(events: list[float], exposure: list[float]) -> list[float]:
    y, x = fsum(events), fsum(exposure)
    return [e - n * (y - e) / (x - n) if x - n > 0 else e for e, n in zip(events, exposure, strict=True)]


@dataclass
class Sums:
    """What one start has seen."""

    buckets: int
    rho0: Decimal
    rows: list[list[float]] = field(default_factory=list)
    variance: list[float] = field(default_factory=lambda: [0.0] * 4)
    logs: list[Decimal] = field(default_factory=lambda: [Decimal(0)] * len(THETA))

    def add(self, x: Rows, n: Rows) -> None:
        n_c, n_t, x_c, x_t = fsum(n[0]), fsum(n[1]), fsum(x[0]), fsum(x[1])
        if not n_c or not n_t:
            return
        rho0 = float(self.rho0)
        pi, rest = rho0 * n_t / (rho0 * n_t + n_c), n_c / (rho0 * n_t + n_c)
        added = [[rest * v for v in x[1]], [rest * v for v in n[1]], [pi * v for v in x[0]], [pi * v for v in n[0]]]
        self.rows = self.rows or [[0.0] * self.buckets for _ in range(4)]
        self.rows = [[a + b for a, b in zip(*pair, strict=True)] for pair in zip(self.rows, added, strict=True)]
        new = (rest * rest * x_t, pi * pi * x_c, x_c + x_t, n_c + n_t)
        self.variance = [a + b for a, b in zip(self.variance, new, strict=True)]
        for j, theta in enumerate(THETA):
            base = self.rho0 * Decimal(n_t)
            gain = ((base + Decimal(n_c)) / (theta * base + Decimal(n_c))).ln()
            self.logs[j] += Decimal(x_t) * theta.ln() + (Decimal(x_t) + Decimal(x_c)) * gain

    @property
    def control(self) -> list[float]:
        return left_out(self.rows[2], self.rows[3])

    @property
    def difference(self) -> list[float]:
        return [t - c for t, c in zip(left_out(*self.rows[:2]), self.control, strict=True)]

    def phi(self, difference: list[float], control: list[float], more: float = 1.0) -> float:
        shrink = (self.buckets - 1) / self.buckets
        nominal = self.variance[0] + self.variance[1]
        own = shrink * fsum(c * c for c in control) / self.variance[1] if self.variance[1] else 0.0
        both = (shrink if more == 1.0 else more) * fsum(d * d for d in difference)
        return max(both / nominal if nominal else 0.0, own, 1.0 - self.variance[2] / self.variance[3])

    def log_e(self, before: Sums | None) -> Decimal:
        if not self.rows or not any(self.logs):
            return Decimal(0)
        shift, phi = 0.0, self.phi(self.difference, self.control)
        if before is not None and any(before.difference):
            shift, residuals = explained(self.difference, before)
            buckets = self.buckets
            more = (buckets - 1) / buckets * (buckets - 1) / (buckets - 2)
            phi = self.phi(residuals, unexplained(self.control, before.control), more)
        logs = [(ll - Decimal(shift) * t.ln()) / Decimal(phi) for ll, t in zip(self.logs, THETA, strict=True)]
        return weighted_log_sum((Decimal(1) / len(THETA), log) for log in logs)

    def mean_log_e(self, r: Decimal) -> Decimal:
        if not self.rows or sum(1 for row in (self.rows[1], self.rows[3]) for v in row if v) < 40:
            return Decimal(0)
        residuals = self.difference
        v = (self.buckets - 1) / self.buckets * fsum(e * e for e in residuals)
        u, d = fsum([*self.rows[0], *[-value for value in self.rows[2]]]), fsum(self.rows[1])
        if not v > 0:
            return Decimal(0)
        return normal_mixture.log_e(normal_score(Decimal(u / sqrt(v)), self.buckets - 1), Decimal(d), r, one_sided=True)


def unexplained(now: list[float], before: list[float]) -> list[float]:
    products, squares = [a * b for a, b in zip(now, before, strict=True)], [b * b for b in before]
    product, square = fsum(products), fsum(squares)
    return [
        a - max((product - ab) / (square - bb), 0.0) * b if square - bb > 0 else a
        for a, b, ab, bb in zip(now, before, products, squares, strict=True)
    ]


def explained(now: list[float], before: Sums) -> tuple[float, list[float]]:
    past = before.difference
    u = fsum([*before.rows[0], *[-v for v in before.rows[2]]])
    theta = max(fsum(a * b for a, b in zip(now, past, strict=True)) / fsum(b * b for b in past), 0.0)
    return theta * u, unexplained(now, past)


class Cap:
    def __init__(self) -> None:
        self.events = self.requests = 0

    def apply(self, x: Rows, n: Rows) -> Rows:
        total = int(sum(n[0]) + sum(n[1]))
        self.events, self.requests = self.events + int(sum(x[0]) + sum(x[1])), self.requests + total
        mean = self.events / self.requests * total / len(x[0]) if self.requests else 0.0
        cap = ceil(mean + sqrt(mean))
        factors = [cap / (c + t) if c + t > cap else 1.0 for c, t in zip(*x, strict=True)]
        scaled = [[value * factor for value, factor in zip(row, factors, strict=True)] for row in x]
        return scaled[0], scaled[1]


def weights(starts: int) -> list[Decimal]:
    known = [Decimal("0.5") if i == 0 else 3 / (PI * PI * i * i) for i in range(starts)]
    return [*known, 1 - sum(known, Decimal(0))]


def reals(rows: PerArm) -> Rows:
    return list(map(float, rows[0])), list(map(float, rows[1]))


def trace(
    looks: Iterable[Look], key: str, starts: set[int], *, tolerance: str = "0", mean_r: Decimal | None = None
) -> Iterator[Decimal]:
    """ln E of harm after every look, quantised: a count metric, or a mean with tuning `mean_r`."""
    with localcontext(DIGITS):
        rho0 = 1 + Decimal(tolerance)
        cap = Cap()
        raw: list[Sums] = []
        capped: list[Sums] = []
        before: list[Sums | None] = [None, None]
        for look in looks:
            x, n = reals(look.counts[key].x), reals(look.counts[key].n)
            scaled = cap.apply(x, n)
            buckets = len(x[0])
            if look.step == WARM_UP:
                for i, values in enumerate((scaled, x)):
                    warmed = before[i] or Sums(buckets, rho0)
                    warmed.add(values, n)
                    before[i] = warmed
                continue
            if look.index in starts:
                raw.append(Sums(buckets, rho0))
                capped.append(Sums(buckets, rho0))
            for sums in raw:
                sums.add(x, n)
            for sums in capped:
                sums.add(scaled, n)
            if mean_r is not None:
                logs = [*(sums.mean_log_e(mean_r) for sums in raw), Decimal(0)]
                found = weighted_log_sum(zip(weights(len(raw)), logs, strict=True))
            else:
                every = [*(sums.log_e(before[0]) for sums in capped), Decimal(0)]
                first = [raw[0].log_e(before[1]), Decimal(0)]
                found = weighted_log_sum(
                    [
                        (Decimal("0.8"), weighted_log_sum(zip(weights(len(capped)), every, strict=True))),
                        (Decimal("0.2"), weighted_log_sum(zip(weights(1), first, strict=True))),
                    ]
                )
            yield found.quantize(Decimal("1e-9"))
