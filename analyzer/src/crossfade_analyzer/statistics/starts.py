"""Start times: formula (9). A regression that begins late is found late by evidence summed from the beginning, so the
evidence is a mixture over when it may have begun; each start weighs the looks after it alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from crossfade_analyzer.statistics.arithmetic import ONE, PI, ZERO, exactly, log_sum

STARTS_PER_HORIZON = 8
# Beyond two horizons no start is added by time alone: memory stays bounded in a rollout that waits for weeks.
MAX_TIMED_STARTS = 2 * STARTS_PER_HORIZON


@lru_cache(maxsize=256)
@exactly
def weight(index: int) -> Decimal:
    """w_0 = 1/2; w_i = (1/2) 6/(pi^2 i^2). They sum to 1 over all i; what is not used counts as E = 1."""
    return Decimal("0.5") if index == 0 else 3 / (PI * PI * index * index)


@exactly
def unused(weights: Sequence[Decimal]) -> Decimal:
    """What is left of the weight."""
    return ONE - sum(weights, ZERO)


@exactly
def mixture(logs: Sequence[Decimal], weights: Sequence[Decimal]) -> Decimal:
    """ln(sum_i w_i E_i + what is left of the weight), from ln E_i of the starts so far; 0 before the first."""
    return log_sum([*weights, unused(weights)], [*logs, ZERO])


@dataclass(slots=True)
class Schedule:
    """When starts are added: at the first look, at the first look of every step, and when an eighth of the horizon
    has passed since the last one. Depends on the past of the ramp only, never on outcomes."""

    spacing: Decimal
    step: int | None = None
    last: Decimal = ZERO
    timed: int = 0

    @exactly
    def due(self, step: int, minutes: Decimal) -> bool:
        """Whether a start begins with the look of `step` that ends `minutes` after the beginning."""
        by_step = self.step != step
        by_time = minutes - self.last >= self.spacing and self.timed < MAX_TIMED_STARTS
        if not (by_step or by_time):
            return False
        self.timed += 0 if by_step else 1
        self.step, self.last = step, minutes
        return True


@exactly
def schedule(horizon_minutes: Decimal) -> Schedule:
    return Schedule(spacing=horizon_minutes / STARTS_PER_HORIZON)
