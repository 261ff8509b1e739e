"""Users, day by day life: who asks when, what fails, and what the router's counters show of it.

Every user has a bucket, a ramp position, a request rate, an error propensity and a latency factor, all for the whole
rollout. Errors come in bursts: a failed request is retried until it succeeds, and every try counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, exp, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.scenarios import ALPHA, BUCKETS, Scenario

Vector = NDArray[Any]
# Latency of stable: lognormal around 100 ms; histogram bounds in milliseconds.
LATENCY_MEDIAN, LATENCY_SIGMA = 100.0, 0.6
LATENCY_BOUNDS = (25.0, 50.0, 75.0, 100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 750.0, 1000.0)
_LATENCY_CLASSES = 12


@dataclass
class Look:
    """What a decider sees: increments of one interval per (arm, bucket), arm 0 control. See the README of this
    folder."""

    k: int
    minute: float
    step: int
    weight: float
    req: Vector
    err: Vector
    lat: Vector | None
    lat_bounds: tuple[float, ...] | None
    plan: dict[str, Any]


@dataclass
class Exposure:
    """Kept by the referee, not shown to deciders: the candidate's requests and distinct users so far."""

    requests: int
    users: int


class Rollout:
    """One simulated rollout: iterate to get (look, exposure); looks of a warm-up have minute <= 0 and step -1."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.rng = np.random.default_rng(seed)
        users, rng = scenario.users, self.rng
        self.bucket = rng.permutation(np.arange(users.count) % BUCKETS)
        self.position = rng.random(users.count)
        weight = np.exp(users.activity * rng.standard_normal(users.count))
        self.rate = scenario.per_second * 60.0 * weight / weight.sum()
        self.fails = self._propensities(weight)
        self.slow_class = rng.integers(0, _LATENCY_CLASSES, users.count)
        self.phase = rng.random()
        self.plan = self._plan()

    def _propensities(self, weight: Vector) -> Vector:
        """Probability that a request of each user begins a burst; requests fail at the baseline rate on average."""
        users, scenario = self.scenario.users, self.scenario
        shape = users.propensity
        relative = self.rng.gamma(shape, 1.0 / shape, users.count) if shape else np.ones(users.count)
        relative = relative * weight.sum() / (relative * weight).sum()
        # A burst of mean m adds m - 1 failed requests: start probability s with s m / (1 + s (m - 1)) = baseline.
        start = scenario.baseline / (users.burst - scenario.baseline * (users.burst - 1.0))
        begins: Vector = np.minimum(relative * start, 0.5)
        return begins

    def _plan(self) -> dict[str, Any]:
        ramp, scenario = self.scenario.ramp, self.scenario
        return {
            "horizon_minutes": ramp.minutes,
            "interval": ramp.interval,
            "alpha": ALPHA,
            "baseline_error": scenario.baseline,
            "lat_quantile_idx": _quantile_bins(self._latency_table(1.0)) if scenario.latency else None,
        }

    def __iter__(self) -> Iterator[tuple[Look, Exposure]]:
        ramp, warmup = self.scenario.ramp, self.scenario.warmup
        exposed = np.zeros(self.scenario.users.count, dtype=bool)
        requests = 0
        for k in range((ramp.minutes + warmup) // ramp.interval):
            minute = (k + 1) * ramp.interval - warmup
            step = ramp.step(minute) if minute > 0 else -1
            share = ramp.shares[max(step, 0)]
            candidate = self.position < share
            look, asked = self._look(k, float(minute), step, share, candidate)
            if step >= 0:
                requests += int(look.req[1].sum())
                exposed |= candidate & (asked > 0)
            yield look, Exposure(requests, int(exposed.sum()))

    def _look(self, k: int, minute: float, step: int, share: float, candidate: Vector) -> tuple[Look, Vector]:
        traffic, failing = self._day(minute)
        scenario, rng = self.scenario, self.rng
        new = candidate & (step >= 0)
        harmed = minute > scenario.onset and step >= 0
        asked = rng.poisson(self.rate * (traffic * scenario.ramp.interval))
        begin = self.fails * failing * (np.where(new, scenario.ratio, 1.0) if harmed else 1.0)
        bursts = rng.binomial(asked, np.minimum(begin, 1.0))
        failed = bursts + self._retries(bursts)
        cell = candidate * BUCKETS + self.bucket
        total = asked + failed - bursts
        req, err = (_per_cell(cell, values) for values in (total, failed))
        lat = self._latencies(cell, total, new & harmed) if scenario.latency else None
        bounds = LATENCY_BOUNDS if scenario.latency else None
        return Look(k, minute, step, share, req, err, lat, bounds, self.plan), asked

    def _retries(self, bursts: Vector) -> Vector:
        """Further failures of bursts whose length is geometric with the scenario's mean."""
        mean = self.scenario.users.burst
        if mean <= 1.0:
            return np.zeros_like(bursts)
        extra = np.zeros_like(bursts)
        some = bursts > 0
        extra[some] = self.rng.negative_binomial(bursts[some], 1.0 / mean)
        return extra

    def _day(self, minute: float) -> tuple[float, float]:
        """Traffic and error factor at a minute."""
        scenario = self.scenario
        angle = 2 * pi * (minute / 1440.0 + self.phase)
        traffic = 1.0 + scenario.swing * cos(angle)
        failing = exp(scenario.swing * 0.5 * cos(2.0 * angle))
        if scenario.outage is not None and scenario.outage[0] <= minute < scenario.outage[1]:
            failing *= 5.0
        return traffic, failing

    def _latencies(self, cell: Vector, total: Vector, slowed: Vector) -> Vector:
        """Histogram increments (2, B, bins): requests of a user fall into bins by the user's class."""
        bins = len(LATENCY_BOUNDS) + 1
        counts = np.zeros((2 * BUCKETS, bins), dtype=np.int64)
        for factor, members in ((1.0, ~slowed), (self.scenario.slowdown, slowed)):
            table = self._latency_table(factor)
            for index in range(_LATENCY_CLASSES):
                chosen = members & (self.slow_class == index)
                amounts = np.bincount(cell[chosen], weights=total[chosen], minlength=2 * BUCKETS).astype(np.int64)
                counts += self.rng.multinomial(amounts, table[index])
        return counts.reshape(2, BUCKETS, bins)

    def latencies(self, factor: float) -> Vector:
        """The share of requests in each bin when everything takes `factor` times as long."""
        return np.asarray(self._latency_table(factor).mean(axis=0))

    def _latency_table(self, factor: float) -> Vector:
        """Bin probabilities per class of users (classes are quantiles of the lognormal latency factor)."""
        quantiles = (np.arange(_LATENCY_CLASSES) + 0.5) / _LATENCY_CLASSES
        shifts = self.scenario.users.latency * _normal_quantiles(quantiles)
        edges = np.log(np.array(LATENCY_BOUNDS) / (LATENCY_MEDIAN * factor))
        below = _normal_cdf((edges[None, :] - shifts[:, None]) / LATENCY_SIGMA)
        return np.diff(below, axis=1, prepend=0.0, append=1.0)


def _per_cell(cell: Vector, values: Vector) -> Vector:
    sums = np.bincount(cell, weights=values, minlength=2 * BUCKETS)
    return sums.astype(np.int64).reshape(2, BUCKETS)


def _quantile_bins(table: Vector) -> tuple[int, int, int]:
    """The bins whose upper bounds are nearest to control's p50, p90 and p99."""
    below = np.cumsum(table.mean(axis=0))[:-1]
    p50, p90, p99 = (int(np.argmin(np.abs(below - q))) for q in (0.5, 0.9, 0.99))
    return p50, p90, p99


def _normal_cdf(z: Vector) -> Vector:
    from scipy.special import ndtr  # type: ignore[import-untyped]

    values: Vector = ndtr(z)
    return values


def _normal_quantiles(p: Vector) -> Vector:
    from scipy.special import ndtri

    values: Vector = ndtri(p)
    return values
