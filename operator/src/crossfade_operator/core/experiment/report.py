"""How an experiment is shown: reason, sentence, columns and conditions, all computed from what is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crossfade_analyzer.contract import ExperimentEvaluation
from crossfade_operator.api.experiment import Lane
from crossfade_operator.api.experiment_status import ExperimentPhase
from crossfade_operator.api.meta import Condition
from crossfade_operator.core import conditions
from crossfade_operator.core.conditions import Wanted
from crossfade_operator.core.experiment import arms, checks, deciding, findings, reviews, timing
from crossfade_operator.core.experiment.checks import Finding
from crossfade_operator.core.experiment.reasons import Reason
from crossfade_operator.core.experiment.view import RecordRefused, Turn, View, label_of
from crossfade_operator.core.slices import percent

Phase = ExperimentPhase
BEFORE_FREEZE = (Phase.DRAFT, Phase.IN_REVIEW)


def finish(view: View, turn: Turn) -> Turn:
    """Write reason, message, columns and conditions into the turn's status."""
    seen = view.after(turn)
    shown = _shown(seen)
    turn = turn.set(
        observed_generation=view.generation,
        reason=shown.reason.value,
        message=shown.sentence,
        approvals=len(reviews.approvals(seen, seen.status.design_hash)) if seen.status.design_hash else 0,
        slice=_slice(seen),
    )
    for arm in turn.status.arms:
        turn = turn.set_arm(arm.name, slice=_slice(seen, label_of(view.name, arm.name)))
    return turn.set(conditions=_conditions(view.after(turn), shown))


def _slice(view: View, label: str | None = None) -> str | None:
    """The share of the users that was granted: to one arm, or to all together."""
    held = [entry.positions for entry in view.entries if label in (None, entry.label)]
    return percent(sum(held)) if held else None


# Reason -----------------------------------------------------------------------------------------------------------


def _shown(view: View) -> Finding:
    return _recording(view) if view.status.pending else _BY_PHASE[view.status.phase or Phase.DRAFT](view)


def _recording(view: View) -> Finding:
    action = view.status.pending["action"]
    if isinstance(view.record, RecordRefused):
        return Finding(Reason.RECORD_REFUSED, f"the Decision to {action} could not be written: {view.record.message}")
    return Finding(Reason.RECORDING, f"the Decision to {action} is being written")


def _draft(view: View) -> Finding:
    if view.spec.run > view.status.run:
        return Finding(Reason.ARMS_LEAVING)
    return Finding(_last_reason(view, (Reason.NEW_RUN, Reason.WITHDRAWN), Reason.NOT_ASKED))


def _last_reason(view: View, among: tuple[Reason, ...], otherwise: Reason) -> Reason:
    last = view.status.transitions[-1].reason if view.status.transitions else None
    return Reason(last) if last in among else otherwise


def _in_review(view: View) -> Finding:
    """Everything that stands against the design in one message; the reason is the one that comes first."""
    design = view.status.design_hash or ""
    found = findings.obstacles(view)
    changes, missing = findings.asked_changes(view, design), findings.missing_reviews(view, design)
    told = "; ".join([*found, *filter(None, (changes, missing))])
    if found:
        return Finding(Reason.NOT_PLANNABLE, told)
    if changes:
        return Finding(Reason.CHANGES_REQUESTED, told)
    return Finding(Reason.APPROVAL_MISSING, told) if missing else Finding(Reason.PLANNABLE)


def _approved(view: View) -> Finding:
    if view.status.slice_request is None:
        return _arms_coming(view)
    if view.granted:
        return Finding(Reason.ROUTERS_CONFIRMING)
    refused = checks.refused(view)
    return Finding(Reason.SLICE_REFUSED, refused) if refused else Finding(Reason.SLICE_ASKED)


def _arms_coming(view: View) -> Finding:
    if view.spec.dry_run:
        return Finding(Reason.DESIGN_APPROVED)
    if view.refusal:
        return Finding(Reason.ARMS_REFUSED, view.refusal)
    told = checks.pods(view).message
    if not checks.arms_ready(view):
        since = timing.approved_at(view)
        late = since is not None and view.now >= since + checks.ARMS_WITHIN
        return Finding(Reason.ARMS_LATE if late else Reason.ARMS_STARTING, told)
    return Finding(Reason.MODEL_UNKNOWN, told)


def _running(view: View) -> Finding:
    reason = Reason.JUDGED if view.status.look else Reason.COLLECTING
    if isinstance(view.evaluation, ExperimentEvaluation):
        return Finding(reason, view.evaluation.message)
    told = view.status.message if view.status.reason == reason.value else None
    return Finding(reason, told or "")


def _interrupted(view: View) -> Finding:
    found = checks.interruption(view)
    last = view.status.transitions[-1]
    return found or Finding(Reason(last.reason), last.message)


def _stopped(view: View) -> Finding:
    status, request = view.status, view.spec.decision
    if status.started_at is not None and status.stopped_at is None:
        return Finding(Reason.ROUTES_LEAVING)
    if request is not None and (missing := deciding.missing(view, request)):
        return Finding(Reason.DECISION_INCOMPLETE, "; ".join(missing))
    if status.started_at is not None and not status.final:
        return Finding(Reason.LAST_LOOK_PENDING, getattr(view.evaluation, "message", ""))
    recommended = f"the rule recommends {status.recommendation}" if status.recommendation else "nothing is recommended"
    message = f"{recommended}; {view.spec.decision_maker} decides by spec.decision"
    return Finding(Reason.DECISION_PENDING, message)


def _as_entered(view: View) -> Finding:
    last = view.status.transitions[-1]
    return Finding(Reason(last.reason), last.message)


_BY_PHASE: Mapping[ExperimentPhase, Callable[[View], Finding]] = {
    Phase.DRAFT: _draft,
    Phase.IN_REVIEW: _in_review,
    Phase.APPROVED: _approved,
    Phase.RUNNING: _running,
    Phase.INTERRUPTED: _interrupted,
    Phase.STOPPED: _stopped,
    Phase.DECIDED: _as_entered,
    Phase.INVALID: _as_entered,
    Phase.ARCHIVED: _as_entered,
}


# Conditions -------------------------------------------------------------------------------------------------------


def _conditions(view: View, shown: Finding) -> tuple[Condition, ...]:
    wanted = (
        _planned(view),
        _reviewed(view),
        _arms(view),
        _routed(view),
        _judged(view, shown),
        Wanted("Decided", view.status.phase in (Phase.DECIDED, Phase.ARCHIVED), shown.reason, shown.sentence),
        _review_due(view),
    )
    return conditions.set_all(view.status.conditions, wanted, generation=view.generation, now=view.now)


def _planned(view: View) -> Wanted:
    if view.status.phase is Phase.DRAFT:
        return Wanted("Planned", None, Reason.NOT_ASKED)
    if view.status.phase is not Phase.IN_REVIEW:
        return Wanted("Planned", True, Reason.DESIGN_APPROVED)
    found = findings.obstacles(view)
    told = "; ".join(found or findings.warnings(view))
    return Wanted("Planned", not found, Reason.NOT_PLANNABLE if found else Reason.PLANNABLE, told)


def _reviewed(view: View) -> Wanted:
    design = view.status.design_hash or ""
    if view.status.phase not in BEFORE_FREEZE:
        return Wanted("Reviewed", True, Reason.REVIEWED)
    if (changes := findings.asked_changes(view, design)) is not None:
        return Wanted("Reviewed", False, Reason.CHANGES_REQUESTED, changes)
    missing = findings.missing_reviews(view, design)
    return Wanted("Reviewed", missing is None, Reason.APPROVAL_MISSING if missing else Reason.REVIEWED, missing or "")


def _arms(view: View) -> Wanted:
    if view.spec.dry_run or view.status.phase not in arms.WITH_PODS:
        return Wanted("ArmsReady", False, Reason.NO_ARMS)
    if view.refusal:
        return Wanted("ArmsReady", False, Reason.ARMS_REFUSED, view.refusal)
    found = checks.pods(view)
    if checks.arms_ready(view):
        return Wanted("ArmsReady", True, Reason.ARMS_READY, found.message)
    reason = found.reason if found.reason is Reason.ARMS_FAILING else Reason.ARMS_STARTING
    return Wanted("ArmsReady", False, reason, found.message)


def _routed(view: View) -> Wanted:
    if view.status.slice_request is None or view.endpoint is None:
        return Wanted("Routed", False, Reason.NOT_ROUTED)
    if not view.granted:
        refused = checks.refused(view)
        return Wanted("Routed", False, Reason.SLICE_REFUSED if refused else Reason.SLICE_ASKED, refused or "")
    return Wanted("Routed", view.confirmed, Reason.ROUTED if view.confirmed else Reason.ROUTERS_CONFIRMING)


def _judged(view: View, shown: Finding) -> Wanted:
    if view.status.phase is Phase.INTERRUPTED:
        return Wanted("Judged", None, shown.reason, shown.sentence)
    if view.status.recommendation is not None:
        return Wanted("Judged", True, Reason.JUDGED, f"the rule recommends {view.status.recommendation}")
    return Wanted("Judged", False, Reason.COLLECTING if view.status.windows else Reason.NOT_LOOKED)


def _review_due(view: View) -> Wanted:
    due = [f"{one.decision} by {one.by}" for one in view.status.reviews_due]
    if not due:
        emergency = view.spec.decision is not None and view.spec.decision.lane is Lane.EMERGENCY
        decided = view.status.decision is not None and emergency
        return Wanted("ReviewDue", False, Reason.REVIEW_DONE if decided else Reason.NO_EMERGENCY)
    message = f"made in an emergency and not reviewed by another person yet, by a Review: {', '.join(due)}"
    return Wanted("ReviewDue", True, Reason.REVIEW_DUE, message)
