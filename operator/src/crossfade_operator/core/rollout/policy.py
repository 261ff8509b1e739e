"""What the endpoint's policy asks of every rollout, and this one lacks: pure checks, each with what to add."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from crossfade_operator.api.modelendpoint import EvaluationPolicy, Requirement
from crossfade_operator.api.modelrollout_status import Role
from crossfade_operator.core.rollout.view import View


def lacks(view: View, policy: EvaluationPolicy) -> str | None:
    """Everything that the candidate's way is missing, or the target's before it is one; None when that is nothing, and
    for revisions that are not evaluated at all: the first one, and one that comes back."""
    status, candidate = view.status, view.status.candidate
    comes_back = candidate.restore if candidate else view.restores or view.target == status.stable_revision
    if comes_back or status.stable_revision is None:
        return None
    return "; ".join(finding for check in _CHECKS if (finding := check(view, policy))) or None


def _copies_before_users(view: View, policy: EvaluationPolicy) -> str | None:
    if policy.mirror is Requirement.NOT_REQUIRED or view.spec.strategy.steps[0].mirror:
        return None
    return "policy.evaluation.mirror of the endpoint: begin with a step that has mirror: true"


def _guardrails(view: View, policy: EvaluationPolicy) -> str | None:
    """An attempt goes on by the metrics that it began with, so those count and not what the spec says since."""
    candidate = view.status.candidate
    pinned = candidate.plan.get("metrics") if candidate else None
    if pinned:
        proven = {str(one["name"]) for one in pinned if one["role"] == Role.GUARDRAIL}
    else:
        proven = {use.metric for use in view.spec.strategy.analysis.metrics if use.role is Role.GUARDRAIL}
    missing = [name for name in policy.guardrails if name not in proven]
    if not missing:
        return None
    return (
        f"policy.evaluation.guardrails of the endpoint: give {', '.join(missing)} the role Guardrail in "
        "strategy.analysis.metrics"
        + ("; this attempt is judged without: abort it, add them and retry" if pinned else "")
    )


def _time_with_users(view: View, policy: EvaluationPolicy) -> str | None:
    held = sum((step.hold for step in view.spec.strategy.steps if not step.mirror), timedelta())
    if held >= policy.min_hold:
        return None
    return (
        f"policy.evaluation.minHold of the endpoint: let the steps with users hold for {policy.min_hold} together, "
        f"not {held} (h:mm:ss)"
    )


_CHECKS: tuple[Callable[[View, EvaluationPolicy], str | None], ...] = (
    _copies_before_users,
    _guardrails,
    _time_with_users,
)
