"""The least that any test with the guarantee needs, per scenario: Wald's bound for two samples, and what it becomes
with the true variance of clustered users (Monte Carlo)."""

from __future__ import annotations

from dataclasses import replace
from math import log, nan

import numpy as np

from benchmarks.detection.scenarios import ALPHA, Scenario
from benchmarks.detection.simulator import Rollout, Vector


def limit(scenario: Scenario, *, rollouts: int, seed: int) -> tuple[float, float] | None:
    """Canary requests needed on average: with independent requests, and cluster-adjusted (nan for latency); None for
    harmless scenarios. Time goes look by look through the scenario's own ramp and traffic."""
    if scenario.harmless:
        return None
    looks = [_totals(replace(scenario, ratio=1.0, warmup=0), seed + i) for i in range(rollouts)]
    requests = np.mean([n[:, 1] for _, n in looks], axis=0)
    divergence = np.mean([_divergence(scenario, x, n) for x, n in looks], axis=0)
    begins = int(np.searchsorted(np.arange(len(requests)) * scenario.ramp.interval, scenario.onset, side="left"))
    divergence[:begins] = 0.0
    canary = np.cumsum(requests)
    information = np.cumsum(divergence)
    clustered = nan if scenario.latency else _first(canary, information / _design_effect(looks))
    return _first(canary, information), clustered


def _totals(scenario: Scenario, seed: int) -> tuple[Vector, Vector]:
    x, n = [], []
    for look, _ in Rollout(scenario, seed):
        x.append(look.err.sum(axis=1))
        n.append(look.req.sum(axis=1))
    return np.array(x, dtype=float), np.array(n, dtype=float)


def _divergence(scenario: Scenario, x: Vector, n: Vector) -> Vector:
    """KL(q, pi) per look for the events expected under the regression: failed requests, or those in each bin of the
    latency histogram."""
    total = np.maximum(n.sum(axis=1), 1.0)
    pi = np.clip(n[:, 1] / total, 1e-12, 1 - 1e-12)  # a look without candidate requests tells nothing
    if scenario.latency:
        now, then = (Rollout(scenario, 0).latencies(factor) for factor in (1.0, scenario.slowdown))
        bins = [_of_events(share * total, after / share, pi) for share, after in zip(now, then, strict=True)]
        divergence: Vector = np.sum(bins, axis=0)
        return divergence
    return _of_events(x.sum(axis=1), scenario.ratio, pi)


def _of_events(events: Vector, r: float, pi: Vector) -> Vector:
    """For events of which control alone would have had `events`, at the ratio `r` in the candidate."""
    q = r * pi / (r * pi + 1 - pi)
    divergence: Vector = events * (1 - pi + r * pi) * (q * np.log(q / pi) + (1 - q) * np.log((1 - q) / (1 - pi)))
    return divergence


def _design_effect(looks: list[tuple[Vector, Vector]]) -> Vector:
    """Variance of the stratified score over rollouts, relative to independent events, by look."""
    scores, nominal = [], []
    for x, n in looks:
        pi = n[:, 1] / np.maximum(n.sum(axis=1), 1.0)
        scores.append(np.cumsum((1 - pi) * x[:, 1] - pi * x[:, 0]))
        nominal.append(np.cumsum((1 - pi) ** 2 * x[:, 1] + pi**2 * x[:, 0]))
    effect: Vector = np.maximum(np.mean(np.square(scores), axis=0) / np.mean(nominal, axis=0), 1.0)
    return effect


def _first(canary: Vector, information: Vector) -> float:
    """Canary requests when the information reaches ln(1/alpha), interpolated within a look."""
    needed = -log(ALPHA)
    if information[-1] < needed:
        return float("inf")
    return float(np.interp(needed, np.maximum.accumulate(information), canary))
