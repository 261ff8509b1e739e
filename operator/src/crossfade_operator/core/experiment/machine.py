"""An experiment's machine: `decide(view)` is what happens next, and nothing else decides it.

A turn makes one move at most. A Decision that is being recorded comes before everything else: until it stands, nothing
that follows from it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crossfade_analyzer.contract import ExperimentEvaluation
from crossfade_operator.api.decision import Basis, DecisionAction
from crossfade_operator.api.experiment import DecisionChoice, DecisionRequest, DesiredState
from crossfade_operator.api.experiment_status import ExperimentPhase
from crossfade_operator.core.experiment import (
    checks,
    deciding,
    findings,
    moves,
    planning,
    records,
    report,
    results,
    reviews,
    timing,
)
from crossfade_operator.core.experiment.reasons import Reason
from crossfade_operator.core.experiment.view import Turn, View
from crossfade_operator.core.signatures import UNNAMED

Phase = ExperimentPhase


def decide(view: View) -> Turn:
    """What is recorded next. The same view always gives the same turn."""
    turn = _keep_track(view, Turn(view.status))
    if view.status.pending:
        turn = moves.settle(view, turn)
    elif _begins(view):
        turn = moves.new_run(view, turn)
    else:
        turn = _PHASES[view.status.phase or Phase.DRAFT](view, turn)
    return report.finish(view, turn)


def _begins(view: View) -> bool:
    """A new run, once nothing of the one before has pods or users."""
    status = view.status
    if status.phase is None:
        return True
    over = status.phase in (Phase.DRAFT, Phase.IN_REVIEW, Phase.DECIDED, Phase.ARCHIVED, Phase.INVALID)
    return over and view.spec.run > status.run and not view.leftovers and not view.entries


def _keep_track(view: View, turn: Turn) -> Turn:
    """What is noted in any phase: the design's digest before it is frozen, pods, and who answers in an arm's place."""
    status = turn.status
    if status.phase in (Phase.DRAFT, Phase.IN_REVIEW):
        turn = turn.set(design_hash=planning.design_hash(view.spec, planning.pins(view)))
    if status.reviews_due:
        turn = turn.set(reviews_due=tuple(one for one in status.reviews_due if not reviews.is_reviewed(view, one)))
    for arm in status.arms:
        turn = turn.set_arm(arm.name, ready_replicas=view.arm(arm.name).pods.ready)
    stable = view.endpoint.status.stable_revision if view.endpoint else None
    exposed = status.started_at is not None and status.stopped_at is None
    if exposed and stable and stable not in status.fallback_revisions:
        turn = turn.set(fallback_revisions=(*status.fallback_revisions, stable)[-64:])
    return turn


# Before the start -------------------------------------------------------------------------------------------------


def _draft(view: View, turn: Turn) -> Turn:
    if view.spec.desired_state is DesiredState.ARCHIVED:
        return _archive(view, turn)
    if view.wanted and view.spec.run == view.status.run:
        return moves.enter(view, turn, Phase.IN_REVIEW, Reason.RUN_ASKED, by=view.asked_by)
    return turn


def _in_review(view: View, turn: Turn) -> Turn:
    if not view.wanted or view.spec.run > view.status.run:
        return moves.withdraw(view, turn)
    design = turn.status.design_hash or ""
    stands_against = (
        findings.obstacles(view),
        findings.asked_changes(view, design),
        findings.missing_reviews(view, design),
    )
    return turn if any(stands_against) else moves.freeze(view, turn)


def _approved(view: View, turn: Turn) -> Turn:
    asked = view.status.slice_request is not None
    if asked and (not view.wanted or checks.emergency(view)):
        return _stop(view, turn, *_asked_to_stop(view))
    if not view.wanted:
        return moves.withdraw(view, turn)
    if not asked and planning.design_hash(view.spec, view.status.metrics) != view.status.design_hash:
        return moves.back_to_review(view, turn)
    if view.spec.dry_run:
        return moves.start(view, turn)
    if not asked:
        return _ask_when_ready(view, turn)
    if (changed := checks.changed_model(view)) is not None:
        return _invalidate(view, turn, Reason.MODEL_CHANGED, changed)
    return moves.start(view, turn) if view.granted and view.confirmed else turn


def _ask_when_ready(view: View, turn: Turn) -> Turn:
    """Pin the models that run, decide to run, and only then ask for users."""
    if not checks.arms_ready(view):
        return turn
    if not checks.models_known(view) or any(view.arm(arm.name).problem for arm in view.status.arms):
        return turn
    for arm in view.status.arms:
        turn = turn.set_arm(arm.name, model_digest=view.arm(arm.name).digest)
    message = f"{view.spec.design.slice} of the users for {len(view.status.arms)} arms"
    by = view.asked_by
    return records.decide(view, turn, DecisionAction.RUN, Reason.ARMS_READY, message, basis=Basis.HUMAN, by=by)


# Running ----------------------------------------------------------------------------------------------------------


def _running(view: View, turn: Turn) -> Turn:
    if (changed := checks.changed_model(view)) is not None:
        return _invalidate(view, turn, Reason.MODEL_CHANGED, changed)
    if not view.wanted or checks.emergency(view):
        return _stop(view, turn, *_asked_to_stop(view))
    turn = _with_answer(view, turn)
    if (end := checks.end(view)) is not None:
        return _stop(view, turn, end, Basis.EVIDENCE, records.RULE)
    interruption = checks.interruption(view)
    if interruption is None and view.status.phase is Phase.INTERRUPTED:
        return moves.enter(view, turn, Phase.RUNNING, Reason.RESUMED)
    if interruption is not None and view.status.phase is Phase.RUNNING:
        return moves.enter(view, turn, Phase.INTERRUPTED, interruption.reason, interruption.sentence)
    return turn


def _with_answer(view: View, turn: Turn) -> Turn:
    """Note down a look. While verdicts are suspended only what was counted is kept."""
    if view.evaluation is None:
        return turn
    turn = turn.set(next_look_at=view.now + timing.until_next_look(view))
    if not isinstance(view.evaluation, ExperimentEvaluation) or results.blind(view.evaluation) is not None:
        return turn
    suspended = view.status.phase is not Phase.STOPPED and checks.interruption(view) is not None
    return results.counted(turn, view.evaluation) if suspended else results.judged(view, turn, view.evaluation)


def _asked_to_stop(view: View) -> tuple[checks.Finding, Basis, str]:
    request = view.spec.decision
    if view.wanted and request is not None:
        return checks.Finding(Reason.EMERGENCY_DECISION, request.rationale), Basis.EMERGENCY, request.by
    if view.deleting:
        return checks.Finding(Reason.DELETED), Basis.HUMAN, UNNAMED
    return checks.Finding(Reason.STOP_ASKED), Basis.HUMAN, view.asked_by


def _stop(view: View, turn: Turn, why: checks.Finding, basis: Basis, by: str) -> Turn:
    if view.spec.dry_run:
        turn = turn.set(next_look_at=None)
        return moves.enter(view, turn, Phase.STOPPED, why.reason, why.message, by=by)
    return records.decide(view, turn, DecisionAction.STOP, why.reason, why.message, basis=basis, by=by)


def _invalidate(view: View, turn: Turn, reason: Reason, message: str) -> Turn:
    if view.spec.dry_run:
        return moves.enter(view, turn, Phase.INVALID, reason, message)
    return records.decide(view, turn, DecisionAction.INVALIDATE, reason, message, basis=Basis.EVIDENCE)


# After it ---------------------------------------------------------------------------------------------------------


def _stopped(view: View, turn: Turn) -> Turn:
    status = view.status
    if status.stopped_at is None and (view.spec.dry_run or not view.routed):
        turn = turn.set(stopped_at=view.now)
    turn = _with_answer(view, turn)
    seen = view.after(turn)
    if (failed := checks.failed_for_good(seen)) is not None:
        return _invalidate(view, turn, Reason.CHECK_FAILED, failed)
    request = view.spec.decision
    if request is None or deciding.missing(seen, request):
        return turn
    return _decided(seen, turn, request)


def _decided(view: View, turn: Turn, request: DecisionRequest) -> Turn:
    if view.spec.dry_run:
        return moves.enter(view, turn, Phase.DECIDED, Reason.DRY_RUN_OVER, request.rationale, by=request.by)
    ships = request.action is DecisionChoice.SHIP
    return records.decide(
        view,
        turn,
        deciding.ACTIONS[request.action],
        Reason.SHIPPED if ships else Reason.ABORTED,
        Reason.SHIPPED.sentence if ships else Reason.ABORTED.sentence,
        basis=deciding.basis_of(view, request),
        by=request.by,
        treatment=deciding.treatment_of(view, request),
        rationale=request.rationale,
    )


def _ended(view: View, turn: Turn) -> Turn:
    """Decided or invalid: what is left is to archive it. The arms go when nobody is sent to them any more."""
    if turn.status.stopped_at is None and not view.routed and turn.status.started_at is not None:
        turn = turn.set(stopped_at=view.now)
    return _archive(view, turn) if view.spec.desired_state is DesiredState.ARCHIVED else turn


def _archive(view: View, turn: Turn) -> Turn:
    return moves.enter(view, turn, Phase.ARCHIVED, Reason.ARCHIVE_ASKED, by=view.asked_by)


def _archived(_: View, turn: Turn) -> Turn:
    return turn


_PHASES: Mapping[ExperimentPhase, Callable[[View, Turn], Turn]] = {
    Phase.DRAFT: _draft,
    Phase.IN_REVIEW: _in_review,
    Phase.APPROVED: _approved,
    Phase.RUNNING: _running,
    Phase.INTERRUPTED: _running,
    Phase.STOPPED: _stopped,
    Phase.DECIDED: _ended,
    Phase.INVALID: _ended,
    Phase.ARCHIVED: _archived,
}
