"""Logarithms of ratios of integers as integers: multiples of 2**-128, exactly added, scaled and subtracted.

Sums of log likelihood ratios over looks are kept in this form. Integer sums have no rounding and no order, so that
"since this start" is the sum of all looks less what it was at the start, whatever came between.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache

from crossfade_analyzer.statistics.arithmetic import CONTEXT

BITS = 128
_GUARD = 24
_WORK = BITS + _GUARD
_ONE = 1 << _WORK
_TERMS = 10  # |z| <= 2**-8, so the first one left out is below 2**-160
_ODD = tuple(_ONE // (2 * k + 1) for k in range(_TERMS, -1, -1))
_WIDE = Context(prec=80, rounding=ROUND_HALF_EVEN)
_UNIT = 2.0**-BITS
_SCALE = Decimal(1 << BITS)


def log_ratio(numerator: int, denominator: int) -> int:
    """ln(numerator/denominator) of positive integers, rounded down; at most one unit of 2**-128 off."""
    exponent = numerator.bit_length() - denominator.bit_length()
    shift = _WORK - exponent
    y = (numerator << shift) // denominator if shift >= 0 else numerator // (denominator << -shift)
    cell = y >> (_WORK - 7)  # y lies in (1/2, 2)
    centre = (2 * cell + 1) << (_WORK - 8)
    z = ((y - centre) << _WORK) // (y + centre)
    square = (z * z) >> _WORK
    series = 0
    for coefficient in _ODD:
        series = ((series * square) >> _WORK) + coefficient
    return (_log_of_centre(cell) + ((z * series) >> (_WORK - 1)) + exponent * _log_of_two()) >> _GUARD


def scaled_log(number: Decimal) -> int:
    """ln(number), rounded to a multiple of 2**-128."""
    return _scaled(number) >> _GUARD


def times(count: int | float, log: int) -> int:
    """count * log, rounded down; `count` may be fractional."""
    if isinstance(count, int):
        return count * log
    numerator, denominator = count.as_integer_ratio()
    return numerator * log // denominator


def to_float(log: int) -> float:
    """The nearest float."""
    return float(log) * _UNIT


def to_decimal(log: int) -> Decimal:
    """`log` rounded to 34 digits."""
    return CONTEXT.divide(Decimal(log), _SCALE)


@lru_cache(maxsize=256)
def _log_of_centre(cell: int) -> int:
    return _scaled(Decimal(2 * cell + 1) / 256)


@lru_cache(maxsize=1)
def _log_of_two() -> int:
    return _scaled(Decimal(2))


def _scaled(number: Decimal) -> int:
    return int(_WIDE.to_integral_value(_WIDE.multiply(_WIDE.ln(number), _ONE)))
