"""Adjusted p-values, method `multiplicity`. Bonferroni for decisions; Holm and Benjamini-Hochberg for exploratory
tables only (they have no matching intervals)."""

from __future__ import annotations

from collections.abc import Sequence


def bonferroni(p: Sequence[float]) -> list[float]:
    return [min(1.0, value * len(p)) for value in _checked(p)]


def holm(p: Sequence[float]) -> list[float]:
    """Step-down (Holm 1979): family-wise error under any dependence."""
    adjusted = [0.0] * len(p)
    worst = 0.0
    for rank, i in enumerate(_order(p)):
        worst = max(worst, (len(p) - rank) * p[i])
        adjusted[i] = min(1.0, worst)
    return adjusted


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Step-up (1995): false discovery rate under positive dependence."""
    adjusted = [0.0] * len(p)
    best = 1.0
    for rank, i in reversed(list(enumerate(_order(p), start=1))):
        best = min(best, p[i] / (rank / len(p)))
        adjusted[i] = best
    return adjusted


def _order(p: Sequence[float]) -> list[int]:
    return sorted(range(len(_checked(p))), key=lambda i: p[i])


def _checked(p: Sequence[float]) -> Sequence[float]:
    if any(not 0 <= value <= 1 for value in p):
        raise ValueError("p-values are in [0, 1]")
    return p
