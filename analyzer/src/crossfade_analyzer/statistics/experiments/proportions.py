"""Unpooled z test of two proportions, method `ztest.proportions_unpooled`. Only where the unit is truly independent."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from crossfade_analyzer.statistics.experiments.comparison import Comparison, pooled_se, two_sided


@dataclass(frozen=True, slots=True)
class Proportion:
    """`successes` of `n` independent units."""

    n: int
    successes: int

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.n or self.n < 1:
            raise ValueError(f"needs 0 <= successes <= n and a unit, not {self.successes} of {self.n}")

    @property
    def rate(self) -> float:
        return self.successes / self.n

    @property
    def variance_of_rate(self) -> float:
        return self.rate * (1 - self.rate) / self.n


def unpooled(control: Proportion, treatment: Proportion, alpha: float) -> Comparison:
    """Difference of proportions, treatment - control (Wald)."""
    se = pooled_se(treatment.variance_of_rate, control.variance_of_rate)
    return two_sided(treatment.rate - control.rate, se, inf, alpha)
