"""Correctly rounded arithmetic for decisions: the same bits on every machine.

Python floats are used with `+ - * / sqrt` and `math.fsum` only, which IEEE 754 defines to the last bit. `ln` and
`exp` are not among those (numpy and the C library differ between processors), so they are taken in `decimal`, which
rounds them correctly everywhere. Log evidence is compared after rounding to `QUANTUM`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import ParamSpec, TypeVar

CONTEXT = Context(prec=34, rounding=ROUND_HALF_EVEN, Emin=-999999, Emax=999999)
QUANTUM = Decimal("1e-9")
ZERO = Decimal(0)
ONE = Decimal(1)
PI = Decimal("3.141592653589793238462643383279502884197169399375105820974944592")

# A term below exp(-60) of the largest cannot move the ninth digit of a sum of fewer than 10**16 terms.
_NEGLIGIBLE = Decimal(-60)


Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def exactly(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run `function` under `CONTEXT`, whatever decimal context the caller's thread has: its operators round to 34
    digits, half to even."""

    @functools.wraps(function)
    def under_context(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with localcontext(CONTEXT):
            return function(*args, **kwargs)

    return under_context


def exact(number: float | int | str | Decimal) -> Decimal:
    """The decimal that `number` was written as: 1.1 becomes 1.1, not its nearest binary fraction.

    For parameters that people write (grids, margins, alpha); sums computed in floats are converted with `Decimal()`.
    """
    return number if isinstance(number, Decimal) else Decimal(str(number))


def ln(number: Decimal | int) -> Decimal:
    """Natural logarithm, 34 digits, correctly rounded."""
    return CONTEXT.ln(Decimal(number))


def exp(number: Decimal) -> Decimal:
    """Exponential, 34 digits, correctly rounded."""
    return CONTEXT.exp(number)


def log_sum(weights: Sequence[Decimal], logs: Sequence[Decimal]) -> Decimal:
    """ln sum_i weights[i] * exp(logs[i]), in the order given; at least one weight must be positive."""
    top = max(log for weight, log in zip(weights, logs, strict=True) if weight > 0)
    total = ZERO
    for weight, log in zip(weights, logs, strict=True):
        below = CONTEXT.subtract(log, top)
        if below > _NEGLIGIBLE:
            total = CONTEXT.fma(weight, exp(below), total)
    return CONTEXT.add(top, ln(total))


def quantised(log_value: Decimal) -> Decimal:
    """`log_value` rounded half-even to 1e-9: the form in which evidence is stored and compared."""
    return log_value.quantize(QUANTUM, rounding=ROUND_HALF_EVEN, context=CONTEXT)


def threshold(error: Decimal) -> Decimal:
    """The log evidence that rejects at error probability `error`: ln(1/error), quantised like the evidence."""
    return quantised(CONTEXT.minus(ln(error)))
