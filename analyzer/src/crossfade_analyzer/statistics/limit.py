"""The fewest requests any test with a guarantee needs on average, method `limit.requests`: what we compare ourselves
with.

E_1[sum of KL to the stopping time] >= ln(1/alpha) (Wald). Poisson events; canary requests unless named total.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log


@dataclass(frozen=True, slots=True)
class Limit:
    """`oracle`: control's rate is known. `two_sample`: it is estimated from the rest of the traffic. Canary
    requests."""

    oracle: float
    two_sample: float
    two_sample_total: float


def requests(p0: float, ratio: float, alpha: float, canary_share: float) -> Limit:
    """The limit for finding a rate of `ratio` * `p0` at error `alpha` with `canary_share` of the traffic."""
    if not (0 < p0 < 1 and ratio > 0 and ratio != 1 and 0 < alpha < 1 and 0 < canary_share < 1):
        raise ValueError("needs rates, alpha and share in (0, 1) and a ratio other than 1")
    nats = -log(alpha)
    oracle = nats / (p0 * (ratio * log(ratio) - ratio + 1))
    q = ratio * canary_share / (ratio * canary_share + 1 - canary_share)
    divergence = q * log(q / canary_share) + (1 - q) * log((1 - q) / (1 - canary_share))
    events_per_request = p0 * (ratio * canary_share + 1 - canary_share)
    total = nats / (events_per_request * divergence)
    return Limit(oracle, total * canary_share, total)
