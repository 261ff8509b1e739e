"""Normal and Student tails and the map between them, in any precision: `Decimal` for verdicts, `float` to have them
soon (`approximate`).

The normal tail is a series in the middle (Abramowitz & Stegun 26.2.11) and a continued fraction outside (26.2.14);
the Student tail is the regularised incomplete beta function I_x(nu/2, 1/2)/2 by its continued fraction (DLMF
8.17.22, Lentz's method), so that tails far below the smallest float stay exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Generic, TypeVar

Real = TypeVar("Real", Decimal, float)

_SERIES_BELOW = 3
_MAX_STEPS = 4000


@dataclass(frozen=True, slots=True)
class Tails(Generic[Real]):
    """The functions in one precision. `epsilon` ends series and fractions, relatively; a step of Newton's method below
    `close` is the last, as the next would be below the digits that are kept. `log_beta_half(df)` is ln B(df/2, 1/2).
    """

    number: Callable[[int], Real]
    exp: Callable[[Real], Real]
    ln: Callable[[Real], Real]
    sqrt: Callable[[Real], Real]
    log_beta_half: Callable[[int], Real]
    log_two: Real
    log_sqrt_two_pi: Real
    epsilon: Real
    close: Real

    def log_normal(self, z: Real) -> Real:
        """ln(1 - Phi(z))."""
        if abs(z) <= _SERIES_BELOW:
            return self.ln(1 / self.number(2) - self._central(z))
        if z < 0:
            return self.ln(1 - self.exp(self.log_normal(-z)))
        terms = ((self.number(k), z) for k in count(1))
        return self._log_density(z) - self.ln(self._continued(z, terms))

    def log_student(self, t: Real, df: int) -> Real:
        """ln P(T > t) for `df` degrees of freedom."""
        if df < 1:
            raise ValueError(f"Student's distribution needs at least 1 degree of freedom, not {df}")
        if t < 0:
            return self.ln(1 - self.exp(self.log_student(-t, df)))
        if t == 0:
            return -self.log_two
        a, b = self.number(df) / 2, 1 / self.number(2)
        x, y = df / (df + t * t), t * t / (df + t * t)
        log_front = a * self.ln(x) + b * self.ln(y) - self.log_beta_half(df)
        if x * (a + b + 2) < a + 1:
            return log_front - self.ln(a * self._continued(self.number(1), _beta_terms(a, b, x))) - self.log_two
        complement = self.exp(log_front) / (b * self._continued(self.number(1), _beta_terms(b, a, y)))
        return self.ln((1 - complement) / 2)

    def normal_from_student(self, t: Real, df: int, start: Real | None = None) -> Real:
        """The z with 1 - Phi(z) = P(T_df > t) for t > 0: Newton's method, quadratic as the log tail is smooth and
        concave. It starts from Wallace's approximation (1959): sqrt(df ln(1 + t^2/df)) (8 df + 1)/(8 df + 3)."""
        z = start if start is not None else self.sqrt(df * self.ln(1 + t * t / df)) * (8 * df + 1) / (8 * df + 3)
        log_tail = self.log_student(t, df)
        for _ in range(50):
            here = self.log_normal(z)
            step = (here - log_tail) * self.exp(here - self._log_density(z))
            z += step
            if abs(step) < self.close:
                return z
        raise ArithmeticError(f"the normal score of log tail {log_tail} did not converge")

    def student_from_normal(self, z: Real, df: int, start: Real | None = None) -> Real:
        """The t with P(T_df > t) = 1 - Phi(z) for z > 0: Newton's method in ln t, where heavy tails are straight
        lines."""
        half = self.number(df + 1) / 2
        scale = self.log_beta_half(df) + self.ln(self.number(df)) / 2
        t = start if start is not None else self._inverse_wallace(z, df)
        log_tail = self.log_normal(z)
        for _ in range(300):
            here = self.log_student(t, df)
            log_density = -half * self.ln(1 + t * t / df) - scale
            step = (here - log_tail) * self.exp(here - log_density) / t
            t *= self.exp(max(min(step, self.number(2)), self.number(-2)))
            if abs(step) < self.close:
                return t
        raise ArithmeticError(f"the Student quantile of log tail {log_tail} did not converge")

    def _inverse_wallace(self, z: Real, df: int) -> Real:
        scaled = z * (8 * df + 3) / (8 * df + 1)
        return self.sqrt(df * (self.exp(scaled * scaled / df) - 1))

    def _log_density(self, z: Real) -> Real:
        return -z * z / 2 - self.log_sqrt_two_pi

    def _central(self, z: Real) -> Real:
        """Phi(z) - 1/2 = density(z) (z + z^3/3 + z^5/15 + ...): every term has the sign of z."""
        square = z * z
        term = series = z
        for k in count(1):
            term *= square / (2 * k + 1)
            series += term
            if abs(term) <= self.epsilon * abs(series):
                break
        return self.exp(self._log_density(z)) * series

    def _continued(self, leading: Real, terms: Iterable[tuple[Real, Real]]) -> Real:
        """leading + a1/(b1 + a2/(b2 + ...)) for `terms` (a_k, b_k), by Lentz's method."""
        value = c = leading
        d = self.number(0)
        for step, (a, b) in enumerate(terms):
            d = 1 / (b + a * d)
            c = b + a / c
            value *= c * d
            if abs(c * d - 1) < self.epsilon:
                return value
            if step > _MAX_STEPS:
                break
        raise ArithmeticError(f"a continued fraction from {leading} did not converge in {_MAX_STEPS} steps")


def _beta_terms(a: Real, b: Real, x: Real) -> Iterable[tuple[Real, Real]]:
    """The partial numerators of DLMF 8.17.22 over denominators of 1, for x < (a + 1)/(a + b + 2)."""
    one = x / x
    for m in count(0):
        twice = a + 2 * m
        yield -(a + m) * (a + b + m) * x / (twice * (twice + 1)), one
        yield (m + 1) * (b - m - 1) * x / ((twice + 1) * (twice + 2)), one
