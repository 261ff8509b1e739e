"""Writing Decisions: numbered, whole, and on record before anything that follows from them.

A Decision is decided by writing it into `status.pending`; then the object is created; then the status that follows is
written and `pending` emptied. Whoever is killed in between leaves a status from which the next turn goes on, and no
number is used for two things.
"""

from __future__ import annotations

import re
from typing import Any

from crossfade_operator.api.decision import (
    Basis,
    DecisionAction,
    DecisionSpec,
    EvidenceRef,
    Outcome,
    Subject,
    SubjectKind,
)
from crossfade_operator.api.experiment import ExperimentType
from crossfade_operator.api.meta import API_VERSION
from crossfade_operator.core.experiment import results, reviews
from crossfade_operator.core.experiment.reasons import Reason
from crossfade_operator.core.experiment.view import Turn, View
from crossfade_operator.core.slices import percent

RULE = "experiment@1"
"""Name and version of the rule by which this package's machine decides."""

ENDS = (DecisionAction.SHIP, DecisionAction.ABORT, DecisionAction.INVALIDATE)
"""The actions that a run ends with."""

REDUCING = (DecisionAction.STOP, DecisionAction.INVALIDATE)
"""Actions that only take users out: they are done even while the record of them is refused."""

_NUMBERED = re.compile(r"^(?P<experiment>.+)-exp-(?P<number>[0-9]{6,})$")


def name_of(experiment: str, number: int) -> str:
    return f"{experiment}-exp-{number:06d}"


def experiment_of(decision: str) -> str | None:
    """The experiment that a Decision of this name is about; None for a rollout's."""
    found = _NUMBERED.match(decision)
    return found["experiment"] if found else None


def _number_of(decision: str) -> int:
    found = _NUMBERED.match(decision)
    return int(found["number"]) if found else 0


def next_number(view: View) -> int:
    """One that no Decision has: those of an earlier experiment of this name count too."""
    taken = (_number_of(decision.name) for decision in view.decisions)
    return max((view.status.decision_count, *taken)) + 1


def decide(
    view: View,
    turn: Turn,
    action: DecisionAction,
    reason: Reason,
    message: str,
    *,
    basis: Basis,
    by: str = RULE,
    treatment: str | None = None,
    rationale: str | None = None,
) -> Turn:
    """Intend a Decision: nothing follows from it before it is on record."""
    spec = _spec(
        view.after(turn), action, reason, message, basis=basis, by=by, treatment=treatment, rationale=rationale
    )
    return turn.set(pending=spec.manifest(), decision_count=next_number(view))


def _spec(
    view: View,
    action: DecisionAction,
    reason: Reason,
    message: str,
    *,
    basis: Basis,
    by: str,
    treatment: str | None,
    rationale: str | None,
) -> DecisionSpec:
    status, policy = view.status, view.policy
    ends = action in ENDS
    asked = view.spec.design.slice.positions
    return DecisionSpec(
        subject=_subject(view, treatment),
        endpoint=view.spec.endpoint,
        owner=view.spec.owner,
        action=action,
        recommendation=status.recommendation,
        basis=basis,
        actor=by,
        rule=status.rule or RULE,
        reason=reason.value,
        message=message or reason.sentence,
        rationale=rationale,
        at=view.now,
        slice=percent(asked) if action is DecisionAction.RUN else "0%",
        treatment=treatment,
        outcome=_outcome(view, action) if ends else None,
        design_hash=status.design_hash,
        evidence=EvidenceRef(digest=status.evidence, locator=view.subject) if status.evidence else None,
        results=results.findings(view),
        checks=status.checks,
        without_exclusions=status.without_exclusions,
        reviews=reviews.notes(view),
        supersedes=_superseded(view) if ends else None,
        revisit_after=view.now + policy.ship_validity if ends else None,
        expires_at=view.now + policy.ship_validity if action is DecisionAction.SHIP else None,
        retain_until=view.now + policy.retention,
    )


def _subject(view: View, treatment: str | None) -> Subject:
    arm = next((arm for arm in view.status.arms if arm.name == treatment), None)
    return Subject(
        kind=SubjectKind.EXPERIMENT,
        name=view.name,
        uid=view.uid,
        revision=arm.revision if arm else None,
        model_digest=arm.model_digest if arm else None,
        attempt=view.status.run,
    )


def _outcome(view: View, action: DecisionAction) -> Outcome | None:
    """What was taught. An A/A experiment teaches about the measuring, and so has no part in the learning rate."""
    if view.spec.type is ExperimentType.AA:
        return None
    return Outcome.INVALID if action is DecisionAction.INVALIDATE else view.status.outcome or Outcome.NOT_READY


def _superseded(view: View) -> str | None:
    """The last Ship or Abort of this very experiment."""
    made = [
        decision
        for decision in view.decisions
        if decision.uid == view.uid and decision.action in (DecisionAction.SHIP, DecisionAction.ABORT)
    ]
    return max(made, key=lambda one: _number_of(one.name)).name if made else None


def pending_spec(pending: dict[str, Any]) -> DecisionSpec:
    """The Decision that is being recorded."""
    return DecisionSpec.model_validate(pending)


def manifest(view: View) -> dict[str, Any]:
    """The Decision object to be created. It has no owner: it outlives what it is about."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Decision",
        "metadata": {
            "name": name_of(view.name, view.status.decision_count),
            "namespace": view.namespace,
            "labels": {
                "app.kubernetes.io/managed-by": "crossfade",
                "crossfade.dev/endpoint": view.spec.endpoint,
                "crossfade.dev/experiment": view.name,
            },
        },
        "spec": view.status.pending,
    }
