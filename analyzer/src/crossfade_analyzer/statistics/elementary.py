"""exp, ln and sums from the operations that IEEE 754 defines to the last bit: the same bits on every machine, at the
speed of floats.

The C library's and numpy's exp and log, and any sum whose order is a library's choice, differ between processors. None
of those is used here. `exp` and `log` are within 2**-50 of the truth, relatively (`log` near 1 too); `sums` rounds
once, like `math.fsum`.
"""

from __future__ import annotations

from math import factorial, frexp, fsum, ldexp
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Real = TypeVar("Real", float, Reals)

_LOG2_E = 1.4426950408889634
# ln 2 in two parts: the first has 33 bits, so that its product with an exponent is exact.
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
_F = tuple(1.0 / factorial(k) for k in range(14))
_LOG = tuple(1.0 / odd for odd in range(23, 0, -2))
_ROOT_HALF = 0.7071067811865476
_LEAST = -700.0
# Below so many numbers one call of `fsum` per row is faster.
_FEW = 800


def exp(x: float) -> float:
    """e^x for x <= 700, by Taylor's series around the nearest multiple of ln 2; 0 below -700."""
    if x < _LEAST:
        return 0.0
    k = round(x * _LOG2_E)
    return ldexp(_near_one((x - k * _LN2_HIGH) - k * _LN2_LOW), k)


def exps(x: Reals) -> Reals:
    """`exp` of every element."""
    k = np.rint(np.maximum(x, _LEAST) * _LOG2_E)
    powers = np.ldexp(_near_one((np.maximum(x, _LEAST) - k * _LN2_HIGH) - k * _LN2_LOW), k.astype(np.int32))
    return np.where(x < _LEAST, 0.0, powers)


def _near_one(r: Real) -> Real:
    """e^r for |r| <= ln(2)/2."""
    p = ((((((r * _F[13] + _F[12]) * r + _F[11]) * r + _F[10]) * r + _F[9]) * r + _F[8]) * r + _F[7]) * r + _F[6]
    return (((((p * r + _F[5]) * r + _F[4]) * r + _F[3]) * r + 0.5) * r + 1.0) * r + 1.0


def log(x: float) -> float:
    """ln x for finite x > 0: 2 atanh((m - 1)/(m + 1)) + k ln 2 with x = m 2^k, m in [sqrt(1/2), sqrt(2)]."""
    if not x > 0.0:
        raise ArithmeticError(f"no logarithm of {x}")
    m, k = frexp(x)
    if m < _ROOT_HALF:
        m, k = m + m, k - 1
    f = (m - 1.0) / (m + 1.0)
    square = f * f
    p = _LOG[0]
    for coefficient in _LOG[1:]:
        p = p * square + coefficient
    return k * _LN2_HIGH + (2.0 * f * p + k * _LN2_LOW)


def sums(rows: Reals) -> Reals:
    """Sums over the last axis, each the correctly rounded sum of its finite elements: the bits of `fsum`.

    Rump, Ogita and Oishi 2008 (AccSum): adding and subtracting a power of two beyond the sum of all elements cuts a
    leading part off each, and those add up exactly in any order; what is left is cut again until nothing is.
    """
    if rows.size < _FEW:
        few = [fsum(row) for row in rows.reshape(-1, rows.shape[-1]).tolist()]
        return np.array(few).reshape(rows.shape[:-1])
    room = rows.shape[-1].bit_length() + 1
    parts: list[Reals] = []
    while not parts or rows.any():
        largest = np.maximum(rows.max(axis=-1), -rows.min(axis=-1))
        unit = np.ldexp(1.0, np.frexp(largest)[1] + room)[..., None]
        leading = (rows + unit) - unit
        parts.append(leading.sum(axis=-1))
        rows = rows - leading
    if len(parts) <= 2:
        return np.asarray(parts[0] + parts[-1] if len(parts) == 2 else parts[0])
    exact = np.stack(parts, axis=-1)
    return np.array([fsum(row) for row in exact.reshape(-1, len(parts)).tolist()]).reshape(exact.shape[:-1])
