"""Log evidence in floats, with a bound on how far it may be off: most verdicts need no more.

Evidence is reported rounded to 1e-9. Where a float and its bound leave no doubt about that rounding, it is the rounding
of the exact value; otherwise the caller computes it in decimal. So the result is the same to the bit, only sooner (a
floating-point filter, Shewchuk 1997; Ziv 1991 for elementary functions).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import inf

from crossfade_analyzer.statistics.arithmetic import CONTEXT, quantised
from crossfade_analyzer.statistics.elementary import Reals, exp, exps, log

# Relative error of one operation, several times over: of + - * / it is 2**-53, of `exp` and `log` below 2**-50.
ROUNDING = 2.0**-49
_PER_UNIT = 1e9
_LARGEST = 2.0**52


@dataclass(frozen=True, slots=True)
class Approximate:
    """A real number within `error` of `value`."""

    value: float
    error: float = 0.0


@dataclass(frozen=True, slots=True)
class Term:
    """A number known nearly, and exactly when asked."""

    near: Approximate
    exact: Callable[[], Decimal]

    def times(self, weight: Decimal) -> Term:
        """The log of `weight` times what this is the log of."""
        log_ = log(float(weight))
        value = self.near.value + log_
        error = self.near.error + ROUNDING * (abs(value) + abs(log_))
        return Term(Approximate(value, error), lambda: CONTEXT.add(self.exact(), CONTEXT.ln(weight)))


def largest(terms: Sequence[Term]) -> int:
    """The index of the largest, the first of equals."""
    best = max(range(len(terms)), key=lambda i: terms[i].near.value)
    least = terms[best].near.value - terms[best].near.error
    rivals = [i for i, term in enumerate(terms) if term.near.value + term.near.error >= least]
    if len(rivals) == 1:
        return best
    exact = [terms[i].exact() for i in rivals]
    return rivals[exact.index(max(exact))]


def of(number: Decimal) -> Approximate:
    value = float(number)
    return Approximate(value, ROUNDING * abs(value))


def log_sum(weights: Sequence[float], logs: Sequence[Approximate]) -> Approximate:
    """ln sum_i weights[i] * exp(logs[i]) for positive weights. Each error counts by its term's share of the sum."""
    top = max(log.value for log in logs)
    if not abs(top) < inf:
        return Approximate(0.0, inf)
    total = doubt = 0.0
    for weight, item in zip(weights, logs, strict=True):
        below = item.value - top
        term = weight * exp(below)
        total += term
        doubt += term * (item.error - ROUNDING * below)
    return _sum(top, total, doubt, len(logs))


def log_sums(weights: Reals, logs: Reals, errors: Reals) -> list[Approximate]:
    """`log_sum` for every row of `logs`, given with their errors; shape (rows, terms)."""
    top = logs.max(axis=1)
    below = logs - top[:, None]
    terms = weights * exps(below)
    doubts = terms * (errors - ROUNDING * below)
    rows = zip(top.tolist(), terms.sum(axis=1).tolist(), doubts.sum(axis=1).tolist(), strict=True)
    return [_sum(*row, logs.shape[1]) if abs(row[0]) < inf else Approximate(0.0, inf) for row in rows]


def _sum(top: float, total: float, doubt: float, terms: int) -> Approximate:
    value = top + log(total)
    # Twice the first-order bound covers errors of the terms up to 1/2.
    return Approximate(value, 2.0 * doubt / total + ROUNDING * (2.0 + abs(value) + terms))


def settled(near: Approximate, exact: Callable[[], Decimal]) -> Decimal:
    """The exact value rounded to 1e-9, which is only computed when `near` leaves the rounding open."""
    sure = rounded(near)
    return sure if sure is not None else quantised(exact())


def rounded(number: Approximate) -> Decimal | None:
    """`number` rounded half-even to 1e-9, or None when its error leaves that (or the sign of a zero) open."""
    scaled = number.value * _PER_UNIT
    error = number.error * _PER_UNIT + abs(scaled) * ROUNDING
    if not abs(scaled) < _LARGEST or not error < 0.25:
        return None
    nearest = round(scaled)
    if 0.5 - abs(scaled - nearest) <= error or (nearest == 0 and abs(scaled) <= error):
        return None
    return Decimal(nearest).scaleb(-9) if nearest or scaled > 0 else Decimal("-0E-9")
