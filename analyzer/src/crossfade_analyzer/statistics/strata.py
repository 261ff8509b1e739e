"""Sums over looks per analysis bucket, every look a stratum of its own: formulas (6) and (7).

With n_T, n_C the requests of a look in the candidate and in control and pi = rho0 n_T / (rho0 n_T + n_C), each look
adds (1 - pi) times the candidate's counts and pi times control's. The two sides then have equal expectation when the
ratio of rates is rho0, whatever the split and the baseline of that look were: changing weights cannot bias the
comparison (Simpson's paradox).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

Buckets = Sequence[int] | Sequence[float]


@dataclass(frozen=True, slots=True)
class Weighted:
    """One look weighted for strata of null ratio rho0: what is added to every sum that contains the look.

    `a`, `c`: (1 - pi) x_T and (1 - pi) n_T per bucket; `d`, `f`: pi x_C and pi n_C per bucket. The rest are totals:
    `v_t` = (1 - pi)^2 x_T, `v_c` = pi^2 x_C, `m_t` = (1 - pi)^2 n_T, `m_c` = pi^2 n_C; plain x and n of both arms, and
    `n_t` of the candidate.
    """

    a: list[float]
    c: list[float]
    d: list[float]
    f: list[float]
    v_t: float
    v_c: float
    m_t: float
    m_c: float
    x: float
    n: float
    n_t: float


def weighted(x: tuple[Buckets, Buckets], n: tuple[Buckets, Buckets], rho0: float) -> Weighted | None:
    """The contribution of one look, `x[arm][bucket]` of `n[arm][bucket]` (arm 0 control), or None when an arm has no
    requests: such a look compares nothing."""
    n_c, n_t = fsum(n[0]), fsum(n[1])
    if not n_c or not n_t:
        return None
    pi = rho0 * n_t / (rho0 * n_t + n_c)
    rest = n_c / (rho0 * n_t + n_c)  # 1 - pi without cancellation
    x_c, x_t = fsum(x[0]), fsum(x[1])
    return Weighted(
        a=[rest * value for value in x[1]],
        c=[rest * value for value in n[1]],
        d=[pi * value for value in x[0]],
        f=[pi * value for value in n[0]],
        v_t=rest * rest * x_t,
        v_c=pi * pi * x_c,
        m_t=rest * rest * n_t,
        m_c=pi * pi * n_c,
        x=x_c + x_t,
        n=n_c + n_t,
        n_t=n_t,
    )


class Strata:
    """The sums (6) since some look; memory is four floats per bucket, however many looks are added."""

    __slots__ = ("a", "c", "d", "f", "m_c", "m_t", "n", "n_t", "v_c", "v_t", "x")

    def __init__(self, buckets: int) -> None:
        self.a = [0.0] * buckets
        self.c = [0.0] * buckets
        self.d = [0.0] * buckets
        self.f = [0.0] * buckets
        self.v_t = self.v_c = self.m_t = self.m_c = self.x = self.n = self.n_t = 0.0

    def add(self, look: Weighted) -> None:
        self.a = [old + new for old, new in zip(self.a, look.a, strict=True)]
        self.c = [old + new for old, new in zip(self.c, look.c, strict=True)]
        self.d = [old + new for old, new in zip(self.d, look.d, strict=True)]
        self.f = [old + new for old, new in zip(self.f, look.f, strict=True)]
        self.v_t += look.v_t
        self.v_c += look.v_c
        self.m_t += look.m_t
        self.m_c += look.m_c
        self.x += look.x
        self.n += look.n
        self.n_t += look.n_t

    @property
    def buckets(self) -> int:
        return len(self.a)

    @property
    def cells(self) -> int:
        """How many of the 2B (arm, bucket) cells have had requests."""
        return sum(1 for exposure in self.c if exposure) + sum(1 for exposure in self.f if exposure)

    def candidate_residuals(self) -> list[float]:
        return leave_one_out(self.a, self.c)

    def control_residuals(self) -> list[float]:
        return leave_one_out(self.d, self.f)


def leave_one_out(events: Sequence[float], exposure: Sequence[float]) -> list[float]:
    """Residuals (7): each bucket's events less those expected at the rate of all *other* buckets (0 without others).

    An ordinary residual is near zero when one bucket holds most of an arm's requests and most of its events: a retry
    storm would explain itself.
    """
    all_events, all_exposure = fsum(events), fsum(exposure)
    return [
        y - x * (all_events - y) / (all_exposure - x) if all_exposure - x > 0 else y
        for y, x in zip(events, exposure, strict=True)
    ]
