"""Sums over looks per analysis bucket, every look a stratum of its own: formulas (6) and (7).

With n_T, n_C the requests of a look in the candidate and in control and pi = rho0 n_T / (rho0 n_T + n_C), each look
adds (1 - pi) times the candidate's counts and pi times control's. The two sides then have equal expectation when the
ratio of rates is rho0, whatever the split and the baseline of that look were: changing weights cannot bias the
comparison (Simpson's paradox).

Arrays are only added, subtracted, multiplied and divided element by element, and summed by `elementary.sums`: the bits
are those of Python floats and `fsum`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum

import numpy as np
from numpy.typing import ArrayLike

from crossfade_analyzer.statistics.elementary import Reals, sums
from crossfade_analyzer.statistics.look import CANDIDATE, CONTROL, Counts

# Rows of the sums per bucket: the candidate's events and requests, control's events and requests.
A, C, D, F = range(4)
# Columns of the totals: (1 - pi)^2 x_T, pi^2 x_C, (1 - pi)^2 n_T, pi^2 n_C; x and n of both arms, n of the candidate.
V_T, V_C, M_T, M_C, X, N, N_T = range(7)


@dataclass(frozen=True, slots=True)
class Values:
    """One look's `x` and `n` as arrays of shape (2, B), arm 0 control, and their totals per arm."""

    x: Reals
    n: Reals
    totals_x: tuple[float, float]
    totals_n: tuple[float, float]


def values(x: ArrayLike, n: ArrayLike) -> Values:
    """Any numbers `x[arm][bucket]` of `n[arm][bucket]`."""
    events, requests = np.asarray(x, dtype=float), np.asarray(n, dtype=float)
    return Values(events, requests, _per_arm(events), _per_arm(requests))


def as_counted(counts: Counts) -> Values:
    """Counts with exact totals."""
    return Values(
        np.array(counts.x, dtype=float), np.array(counts.n, dtype=float), counts.totals_x(), counts.totals_n()
    )


def _per_arm(rows: Reals) -> tuple[float, float]:
    control, candidate = (fsum(row) for row in rows.tolist())
    return control, candidate


@dataclass(frozen=True, slots=True)
class Weighted:
    """One look weighted for strata of null ratio rho0: what is added to every sum that contains the look.

    `sums`, shape (4, B): (1 - pi) x_T, (1 - pi) n_T, pi x_C and pi n_C per bucket. `totals`: see `Strata`.
    """

    sums: Reals
    totals: Reals


def weighted(look: Values, rho0: float) -> Weighted | None:
    """The contribution of one look, or None when an arm has no requests: such a look compares nothing."""
    n_c, n_t = (float(total) for total in look.totals_n)
    if not n_c or not n_t:
        return None
    x_c, x_t = (float(total) for total in look.totals_x)
    pi = rho0 * n_t / (rho0 * n_t + n_c)
    rest = n_c / (rho0 * n_t + n_c)  # 1 - pi without cancellation
    rows = np.empty((4, look.x.shape[1]))
    np.multiply(look.x[CANDIDATE], rest, out=rows[A])
    np.multiply(look.n[CANDIDATE], rest, out=rows[C])
    np.multiply(look.x[CONTROL], pi, out=rows[D])
    np.multiply(look.n[CONTROL], pi, out=rows[F])
    totals = (rest * rest * x_t, pi * pi * x_c, rest * rest * n_t, pi * pi * n_c, x_c + x_t, n_c + n_t, n_t)
    return Weighted(rows, np.array(totals))


@dataclass(frozen=True, slots=True)
class Residuals:
    """Formula (7) per bucket, shape (starts, B)."""

    candidate: Reals
    control: Reals

    @property
    def difference(self) -> Reals:
        return self.candidate - self.control


class Strata:
    """The sums (6) since some look, or since several: a row for each start. Memory is four floats per bucket and
    start, however many looks are added.

    `sums`, shape (starts, 4, B), rows `A`, `C`, `D`, `F`; `totals`, shape (starts, 7), columns `V_T` to `N_T`.
    """

    __slots__ = ("_over_buckets", "_residuals", "sums", "totals")

    def __init__(self, buckets: int, starts: int = 1) -> None:
        self.sums: Reals = np.zeros((starts, 4, buckets))
        self.totals: Reals = np.zeros((starts, 7))
        self._forget()

    def begin(self) -> None:
        """A further start: the looks from now on."""
        self.sums = np.concatenate((self.sums, np.zeros((1, *self.sums.shape[1:]))))
        self.totals = np.concatenate((self.totals, np.zeros((1, 7))))
        self._forget()

    def add(self, look: Weighted) -> None:
        self.sums += look.sums
        self.totals += look.totals
        self._forget()

    def _forget(self) -> None:
        self._over_buckets: Reals | None = None
        self._residuals: Residuals | None = None

    @property
    def starts(self) -> int:
        return len(self.totals)

    @property
    def buckets(self) -> int:
        return int(self.sums.shape[2])

    @property
    def over_buckets(self) -> Reals:
        """The sums over all buckets, shape (starts, 4)."""
        if self._over_buckets is None:
            self._over_buckets = sums(self.sums)
        return self._over_buckets

    @property
    def residuals(self) -> Residuals:
        if self._residuals is None:
            self._residuals = Residuals(self._leave_one_out(A, C), self._leave_one_out(D, F))
        return self._residuals

    def cells(self, start: int = 0) -> tuple[int, int]:
        """In how many buckets (candidate, control) have had requests."""
        return int(np.count_nonzero(self.sums[start, C])), int(np.count_nonzero(self.sums[start, F]))

    def _leave_one_out(self, events: int, exposure: int) -> Reals:
        """Residuals (7): each bucket's events less those expected at the rate of all *other* buckets (0 without
        others).

        An ordinary residual is near zero when one bucket holds most of an arm's requests and most of its events: a
        retry storm would explain itself.
        """
        y, x = self.sums[:, events], self.sums[:, exposure]
        others = self.over_buckets[:, exposure, None] - x
        if others.min(initial=1.0) > 0:
            return y - x * (self.over_buckets[:, events, None] - y) / others
        alone = ~(others > 0)
        expected = x * (self.over_buckets[:, events, None] - y) / np.where(alone, 1.0, others)
        return np.where(alone, y, y - expected)
