"""Writing decisions down: numbered, with what they rest on, before they are acted on."""

from __future__ import annotations

from crossfade_operator.api.modelrollout_status import Action, Decision
from crossfade_operator.core.effects import Announce
from crossfade_operator.core.reasons import Explained, Reason
from crossfade_operator.core.rollout.view import Turn, View

RULE = "rollout@1"
"""Name and version of the rule by which this module's machine decides."""

KEPT = 20
"""Decisions kept in status; older ones live on in Events and in the evidence store."""

_WARNINGS = {Action.ROLLBACK}


def decide_to(
    view: View,
    turn: Turn,
    action: Action,
    reason: Reason,
    message: str,
    *,
    revision: str,
    share: str = "0%",
    by: str = RULE,
) -> Turn:
    """Append a decision and announce it. Its name is the rollout's with a running number, never used twice.

    `share` is the revision's share of the users from now on.
    """
    status, candidate = turn.status, turn.status.candidate
    record = Decision(
        name=f"{view.name}-{status.decision_count + 1:06d}",
        action=action,
        revision=revision,
        step=candidate.step + 1 if candidate else 0,
        slice=share,
        reason=reason.value,
        message=message,
        at=view.now,
        evidence=candidate.evidence if candidate else None,
        by=by,
    )
    recorded = turn.set(decisions=(*status.decisions, record)[-KEPT:], decision_count=status.decision_count + 1)
    return recorded.say(event(view, reason, f"{action.value} {revision}: {message}", warning=action in _WARNINGS))


def event(view: View, reason: Explained, message: str, *, warning: bool = False) -> Announce:
    """An Event about the rollout."""
    return Announce("ModelRollout", view.name, "Warning" if warning else "Normal", reason.value, message)
