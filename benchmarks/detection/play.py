"""Plays rollouts against deciders and keeps the score."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import median
from typing import Any

from benchmarks.detection.incumbents import incumbents
from benchmarks.detection.scenarios import ALPHA, Scenario
from benchmarks.detection.simulator import Rollout

Decide = Callable[[Any, dict[str, Any]], str]
Factory = Callable[[Scenario], dict[str, Decide]]


@dataclass(frozen=True)
class End:
    """How one rollout ended for one decider: `action` None when nothing was decided within the horizon."""

    action: str | None
    minute: float
    requests: int
    users: int


@dataclass(frozen=True)
class Score:
    """Over rollouts of one scenario. Medians over all of them; a rollout without rollback counts as infinite."""

    scenario: str
    decider: str
    harmless: bool
    rollouts: int
    rollbacks: int
    promotions: int
    requests: float
    requests_95: float
    minutes: float
    users: float

    @property
    def rate(self) -> float:
        return self.rollbacks / self.rollouts

    @property
    def keeps_alpha(self) -> bool:
        """On a harmless version: at most alpha plus two standard errors."""
        return self.rate <= ALPHA + 2 * sqrt(ALPHA * (1 - ALPHA) / self.rollouts)


def load(name: str) -> Factory:
    """`module:factory`, as issue trackers of simulators write it."""
    module, _, attribute = name.partition(":")
    if not attribute:
        raise ValueError(f"a decider is named module:factory, not {name!r}")
    factory: Factory = getattr(importlib.import_module(module), attribute)
    return factory


def play(scenario: Scenario, factories: Sequence[Factory], seed: int, skip: Sequence[str] = ()) -> dict[str, End]:
    """One rollout against every decider at once, but those to `skip`: they see the same looks."""
    deciders: dict[str, Decide] = {}
    for factory in (*factories, incumbents):
        deciders.update({name: decide for name, decide in factory(scenario).items() if name not in skip})
    states: dict[str, dict[str, Any]] = {name: {} for name in deciders}
    ends: dict[str, End] = {}
    last = End(None, inf, 0, 0)
    for look, exposure in Rollout(scenario, seed):
        last = End(None, look.minute, exposure.requests, exposure.users)
        for name in [name for name in deciders if name not in ends]:
            action = deciders[name](look, states[name])
            if action not in ("continue", "rollback", "promote"):
                raise ValueError(f"{name} answered {action!r}; answer continue, rollback or promote")
            if action != "continue":
                ends[name] = End(action, look.minute, exposure.requests, exposure.users)
        if len(ends) == len(deciders):
            break
    return {name: ends.get(name, last) for name in deciders}


def score(scenario: Scenario, decider: str, ends: Sequence[End]) -> Score:
    found = [end for end in ends if end.action == "rollback"]

    def quantile(values: list[float], share: float) -> float:
        ranked = sorted(values + [inf] * (len(ends) - len(found)))
        return ranked[min(int(share * len(ranked)), len(ranked) - 1)]

    requests = [float(end.requests) for end in found]
    return Score(
        scenario=scenario.name,
        decider=decider,
        harmless=scenario.harmless,
        rollouts=len(ends),
        rollbacks=len(found),
        promotions=sum(1 for end in ends if end.action == "promote"),
        requests=_median(requests, len(ends)),
        requests_95=quantile(requests, 0.95),
        minutes=_median([end.minute - scenario.onset for end in found], len(ends)),
        users=_median([float(end.users) for end in found], len(ends)),
    )


def _median(values: list[float], of: int) -> float:
    ranked = sorted(values + [inf] * (of - len(values)))
    return float(median(ranked)) if ranked[of // 2] < inf and ranked[(of - 1) // 2] < inf else inf
