"""Writing decisions down: numbered, with what they rest on, before they are acted on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from crossfade_analyzer.contract import Plan
from crossfade_operator.api.decision import Basis, Recommendation
from crossfade_operator.api.modelrollout_status import Action, Candidate, Decision
from crossfade_operator.core.effects import Announce
from crossfade_operator.core.reasons import Explained, Reason
from crossfade_operator.core.rollout.view import Turn, View

RULE = "rollout@1"
"""Name and version of the rule by which this module's machine decides."""

KEPT = 20
"""Decisions kept in status; older ones live on as objects of kind Decision."""

_WARNINGS = {Action.ROLLBACK}

_BASES = {
    Reason.NEW_TEMPLATE: Basis.HUMAN,
    Reason.RETRY_REQUESTED: Basis.HUMAN,
    Reason.SUPERSEDED: Basis.HUMAN,
    Reason.BACK_TO_STABLE: Basis.HUMAN,
    Reason.FIRST_REVISION: Basis.WAIVED,
    Reason.RESTORED: Basis.WAIVED,
}
"""What the rule's decisions rest on, where that is not evidence."""

_RULES_OWN = {
    Action.ADVANCE: Recommendation.ADVANCE,
    Action.HOLD: Recommendation.HOLD,
    Action.PROMOTE: Recommendation.PROMOTE,
    Action.ROLLBACK: Recommendation.ROLLBACK,
}


@dataclass(frozen=True)
class Grounds:
    """Who decides, and on what. A `basis` or `recommendation` of None is what the rule's own decisions have."""

    by: str = RULE
    basis: Basis | None = None
    recommendation: Recommendation | None = None
    rationale: str | None = None


BY_RULE = Grounds()


def decide_to(
    view: View,
    turn: Turn,
    action: Action,
    reason: Reason,
    message: str,
    *,
    revision: str,
    share: str = "0%",
    on: Grounds = BY_RULE,
) -> Turn:
    """Append a decision and announce it. Its name is the rollout's with a running number, never used twice.

    `share` is the revision's share of the users from now on.
    """
    status, candidate = turn.status, turn.status.candidate
    number = max(status.decision_count, view.numbered) + 1
    record = Decision(
        name=decision_name(view.name, number),
        action=action,
        revision=revision,
        step=candidate.step + 1 if candidate else 0,
        slice=share,
        reason=reason.value,
        message=message,
        at=view.now,
        evidence=candidate.evidence if candidate else None,
        by=on.by,
        basis=on.basis or _BASES.get(reason, Basis.EVIDENCE),
        recommendation=on.recommendation or (_RULES_OWN.get(action) if on.by == RULE else None),
        rationale=on.rationale,
        attempt=candidate.attempt if candidate else status.attempts,
        model_digest=view.model_digest if candidate and candidate.revision == revision else None,
        design_hash=design_hash(candidate),
    )
    recorded = turn.set(decisions=(*status.decisions, record)[-KEPT:], decision_count=number)
    return recorded.say(event(view, reason, f"{action.value} {revision}: {message}", warning=action in _WARNINGS))


def decision_name(rollout: str, number: int) -> str:
    """The name of a rollout's decision, and of the object that records it."""
    return f"{rollout}-{number:06d}"


def number_of(name: str) -> int:
    """The number in a decision's name; 0 when there is none."""
    digits = name.rpartition("-")[2]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def design_hash(candidate: Candidate | None) -> str | None:
    """Of the plan that is pinned with the candidate."""
    if candidate is None or not candidate.plan:
        return None
    return plan_hash(Plan.model_validate(candidate.plan))


def plan_hash(plan: Plan) -> str:
    """`sha256:` and 64 digits over canonical JSON, in which a number has one form: evidence keeps the plan, and whoever
    has it can tell that a record was judged under this very one."""
    canonical = json.dumps(
        _plain(plan.model_dump(by_alias=True, exclude_none=True)), sort_keys=True, separators=(",", ":")
    )
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return format(Decimal(str(value)).normalize(), "f") if isinstance(value, Decimal | float) else value


def event(view: View, reason: Explained, message: str, *, warning: bool = False) -> Announce:
    """An Event about the rollout."""
    return Announce("ModelRollout", view.name, "Warning" if warning else "Normal", reason.value, message)
