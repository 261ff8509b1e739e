"""Several metrics, one guarantee: formula (10). An average of e-processes is one, under any dependence, and rejects
whenever Bonferroni's correction would."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from crossfade_analyzer.statistics import approximate
from crossfade_analyzer.statistics.arithmetic import ONE, exactly, log_sum, quantised


def quantised_average(logs: Sequence[Decimal]) -> Decimal:
    """The equally weighted average of quantised logs, quantised."""
    if len(logs) == 1:
        return quantised(logs[0])
    near = approximate.log_sum([1.0 / len(logs)] * len(logs), [approximate.of(log) for log in logs])
    return approximate.settled(near, lambda: average(logs))


@exactly
def average(logs: Sequence[Decimal], weights: Sequence[Decimal] | None = None) -> Decimal:
    """ln sum_m omega_m E_m from ln E_m; equal weights unless given (they must sum to at most 1)."""
    if not logs:
        raise ValueError("an average needs at least one metric")
    if weights is None:
        weights = [ONE / len(logs)] * len(logs)
    if any(weight < 0 for weight in weights) or sum(weights) > 1 + Decimal("1e-30"):
        raise ValueError(f"weights must be >= 0 and sum to at most 1, not {list(map(str, weights))}")
    return log_sum(weights, logs)
