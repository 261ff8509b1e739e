"""Small worlds for simulating guarantees: users with persistent effects, on a ramp or in an experiment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from crossfade_analyzer.statistics.experiments.comparison import BucketSums
from crossfade_analyzer.statistics.look import Counts, Look

Vector = NDArray[Any]
Kind = Literal["count", "latency", "mean"]
MICRO = 1_000_000
BOUNDS = ("m/0.3", "m/1")


@dataclass(frozen=True)
class World:
    """`rate`: control's events per request, or mean value per request. `ratio`: the candidate's relative to it.
    `unevenness`: variance of users' own factor, with mean 1, for the whole rollout."""

    kind: Kind = "count"
    rate: float = 0.03
    ratio: float = 1.0
    unevenness: float = 0.5
    users: int = 600
    buckets: int = 40
    requests: int = 2000
    shares: tuple[float, ...] = (0.1, 0.3, 0.5)
    looks_per_step: int = 15

    def looks(self, seed: int) -> Iterator[Look]:
        """One rollout, one look a minute, of a metric called m."""
        rng = np.random.default_rng(seed)
        bucket = rng.permutation(np.arange(self.users) % self.buckets)
        position, level = rng.random(self.users), self._levels(rng)
        activity = rng.lognormal(0.0, 0.5, self.users)
        activity *= self.requests / activity.sum()
        index = 0
        for step, share in enumerate(self.shares):
            candidate = position < share
            cell, effect = candidate * self.buckets + bucket, level * np.where(candidate, self.ratio, 1.0)
            for _ in range(self.looks_per_step):
                asked = rng.poisson(activity)
                counts = self._counts(rng, cell, asked, effect)
                yield Look(index, step, Decimal(str(share)), Decimal(index + 1), counts)
                index += 1

    def _levels(self, rng: np.random.Generator) -> Vector:
        if not self.unevenness:
            return np.ones(self.users)
        return rng.gamma(1 / self.unevenness, self.unevenness, self.users)

    def _counts(self, rng: np.random.Generator, cell: Vector, asked: Vector, effect: Vector) -> dict[str, Counts]:
        n = self._sums(cell, asked)
        if self.kind == "mean":
            values = rng.gamma(2.0 * asked + 1e-12, self.rate * effect / 2.0) * MICRO
            return {"m": Counts(self._sums(cell, values.astype(np.int64)), n)}
        if self.kind == "count":
            return {"m": Counts(self._sums(cell, rng.binomial(asked, np.minimum(self.rate * effect, 1.0))), n)}
        slow = rng.binomial(asked, np.minimum(self.rate * effect, 1.0))
        return {
            BOUNDS[0]: Counts(self._sums(cell, slow), n),
            BOUNDS[1]: Counts(self._sums(cell, rng.binomial(slow, 0.2)), n),
        }

    def _sums(self, cell: Vector, values: Vector) -> tuple[tuple[int, ...], tuple[int, ...]]:
        sums = np.zeros(2 * self.buckets, dtype=np.int64)
        np.add.at(sums, cell, values)
        control, candidate = sums.reshape(2, -1).tolist()
        return tuple(control), tuple(candidate)


@dataclass(frozen=True)
class Trial:
    """An experiment of two equal arms: every user has a level for good; sums of y per user-day over `days`. `later`: by
    how much noise within users is larger in the second half, as when an incident hits both arms."""

    users_per_arm: int = 500
    buckets: int = 50
    days: int = 10
    level: float = 10.0
    between: float = 3.0
    within: float = 4.0
    effect: float = 0.0
    later: float = 1.0

    def arms(self, seed: int) -> Iterator[tuple[BucketSums, BucketSums]]:
        """(control, treatment) sums so far, day by day; users come in over the first half."""
        rng = np.random.default_rng(seed)
        users = 2 * self.users_per_arm
        level = rng.normal(self.level, self.between, users) + self.effect * (np.arange(users) % 2)
        enters = rng.integers(0, self.days // 2 + 1, users)
        bucket = (np.arange(users) // 2) % self.buckets
        x, y = np.zeros((2, self.buckets)), np.zeros((2, self.buckets))
        for day in range(self.days):
            here = enters <= day
            within = self.within * (self.later if 2 * day >= self.days else 1.0)
            seen = np.where(here, level + rng.normal(0, within, users), 0.0)
            for arm in (0, 1):
                mine = np.arange(users) % 2 == arm
                x[arm] += np.bincount(bucket[mine], weights=here[mine].astype(float), minlength=self.buckets)
                y[arm] += np.bincount(bucket[mine], weights=seen[mine], minlength=self.buckets)
            control, treatment = (BucketSums(tuple(x[arm].tolist()), tuple(y[arm].tolist())) for arm in (0, 1))
            yield control, treatment
