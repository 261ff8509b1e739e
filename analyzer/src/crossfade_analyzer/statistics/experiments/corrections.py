"""Error levels per metric so that the *decision* has the planned ones, method `decision.corrections`.

Source: Schultzberg, Ankargren, Franberg 2024 (2402.11609) for alpha/S and beta/(G+1); the last form of beta by the
union bound (docs/reference/methods.md).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Levels:
    """One-sided levels per test. `beta_metric`: planned false negatives per success and guardrail metric, without and
    with deterioration and quality tests (which can also stop a good version)."""

    alpha_success: float | None
    alpha_guardrail: float
    alpha_deterioration_quality: float | None
    beta_metric_rule1: float
    beta_metric_rule2: float


def corrections(
    success: int, guardrail: int, deterioration_only: int, quality: int, alpha: float, alpha_minus: float, beta: float
) -> Levels:
    """Counts of metrics by role (several treatments: success counts treatment x metric). Guardrails need no alpha
    correction, all must pass (intersection-union), but power: beta is shared."""
    if min(success, guardrail, deterioration_only, quality) < 0 or success + guardrail == 0:
        raise ValueError("needs at least one success or guardrail metric, and no negative counts")
    if not 0 < alpha_minus < beta < 1 or not 0 < alpha < 1:
        raise ValueError("needs 0 < alpha_minus < beta < 1: false alarms of deterioration tests use up power")
    harmed = success + guardrail + deterioration_only + quality
    shares = guardrail + (1 if success else 0)
    return Levels(
        alpha_success=alpha / success if success else None,
        alpha_guardrail=alpha,
        alpha_deterioration_quality=alpha_minus / harmed,
        beta_metric_rule1=beta / shares,
        beta_metric_rule2=(beta - alpha_minus) / shares,
    )
