"""The rollout's machine: `decide(view)` is what happens next, and nothing else decides it.

A turn goes through a fixed order: what a person asked for, what the template asks for, what the candidate's stage
allows, and what became of revisions that nobody routes to. At most one move is made in a turn, so that each
decision is recorded, routed and confirmed before the next.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from crossfade_analyzer.contract import Evaluation
from crossfade_analyzer.contract import Verdict as Judged
from crossfade_operator.api.modelrollout_status import (
    Action,
    Candidate,
    CandidateRequests,
    Outcome,
    Retiring,
    Stage,
    Verdict,
)
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout import checks, moves, report, requests
from crossfade_operator.core.rollout.view import Turn, View, candidate_of

MOST_RETIRING = 8
"""Revisions that wait for their end at once. The routing table has clusters for every pair of revisions: of some more
than a dozen with gRPC ports it would not fit into a ConfigMap, and nobody could be routed anew."""


def decide(view: View) -> Turn:
    """What is recorded next. The same view always gives the same turn."""
    turn = Turn(view.status)
    if view.claimed_by is None and view.endpoint_found:
        for move in (_follow_requests, _follow_template, _follow_stage):
            moved = move(view, turn)
            made_a_decision = moved.status.decision_count != turn.status.decision_count
            turn = moved
            if made_a_decision:
                break
        turn = _follow_retiring(view, turn)
    return report.finish(view, turn)


# What is asked for -------------------------------------------------------------------------------------------


def _follow_requests(view: View, turn: Turn) -> Turn:
    return requests.handle(view, turn)


def _follow_template(view: View, turn: Turn) -> Turn:
    """A new template supersedes the candidate; the stable one ends it; a new one starts when nothing is in flight."""
    status = turn.status
    if status.failed_revision not in (None, view.target):
        turn = turn.set(failed_revision=None)
    candidate = status.candidate
    if candidate is None:
        return _start_if_new(view, turn)
    if candidate.stage is Stage.WITHDRAWING or candidate.revision == view.target:
        return turn
    if view.target == status.stable_revision:
        return moves.withdraw(view, turn, Outcome.BACK_TO_STABLE, Reason.BACK_TO_STABLE, Reason.BACK_TO_STABLE.sentence)
    message = f"{view.target} replaces {candidate.revision}"
    return moves.withdraw(view, turn, Outcome.SUPERSEDED, Reason.SUPERSEDED, message)


def _start_if_new(view: View, turn: Turn) -> Turn:
    if view.spec.paused or view.target in (turn.status.stable_revision, turn.status.failed_revision):
        return turn
    return moves.start(view, turn, Reason.NEW_TEMPLATE)


# What the candidate's stage allows ---------------------------------------------------------------------------


def _follow_stage(view: View, turn: Turn) -> Turn:
    candidate = turn.status.candidate
    if candidate is None:
        return turn
    if candidate.stage is Stage.WITHDRAWING:
        return _leave_when_unrouted(view, turn)
    turn = _note_evaluation(view, _note_readiness(view, turn))
    if turn.status.stable_revision is not None:
        finding = checks.first(checks.ENDS, view, candidate_of(turn))
        if finding:
            return moves.withdraw(view, turn, Outcome.ROLLED_BACK, finding.reason, finding.message)
    match candidate.stage:
        case Stage.STARTING:
            return _leave_starting(view, turn)
        case Stage.SHIFTING:
            return _begin_analysis_when_routed(view, turn)
        case Stage.ANALYZING:
            return _advance_when_done(view, turn)


def _leave_when_unrouted(view: View, turn: Turn) -> Turn:
    """A holdout on the same revision does not keep it: what is retiring stays until nobody routes to it."""
    slices = (view.routes.candidate, view.routes.mirrored)
    if any(slices) or not view.routes.confirmed:
        return turn
    return moves.retire(view, turn)


def _note_readiness(view: View, turn: Turn) -> Turn:
    """Since when an exposed candidate has too few ready pods: an absolute time, so that a restart forgets nothing."""
    candidate = candidate_of(turn)
    ready = view.pods_of(candidate.revision).all_ready
    if candidate.stage is Stage.STARTING or ready == (candidate.unready_since is None):
        return turn
    return turn.set_candidate(unready_since=None if ready else view.now)


def _note_evaluation(view: View, turn: Turn) -> Turn:
    """Take down the answer to a look that was due, and when the next one is."""
    answer, candidate = view.evaluation, candidate_of(turn)
    if answer is None or candidate.stage is Stage.STARTING:
        return turn
    if not isinstance(answer, Evaluation):
        turn = turn.set_candidate(
            verdict=None, proven=False, reason=Reason.ANALYZER_UNAVAILABLE.value, message=answer.message
        )
    else:
        turn = turn.set(metrics=report.metric_rows(answer), verdict=Verdict(answer.verdict.value)).set_candidate(
            looks=answer.look,
            verdict=Verdict(answer.verdict.value),
            proven=answer.verdict is Judged.PROVEN,
            reason=answer.reason.value if answer.reason else None,
            message=answer.message,
            evidence=answer.digest,
            requests=CandidateRequests(
                control=answer.requests.control,
                candidate=answer.requests.candidate,
                candidate_in_step=answer.requests.candidate_in_step if candidate.step_started_at else 0,
            ),
        )
    return turn.set_candidate(next_look_at=_next_look(view, candidate))


def _next_look(view: View, candidate: Candidate) -> datetime:
    """One interval from now, or the end of the hold when that comes first: no step waits for a look in vain."""
    next_look = view.now + view.spec.strategy.analysis.interval
    ends = checks.hold_ends_at(view, candidate)
    return min(next_look, ends) if ends is not None and ends > view.now + timedelta(seconds=1) else next_look


def _leave_starting(view: View, turn: Turn) -> Turn:
    candidate = candidate_of(turn)
    ready = view.pods_of(candidate.revision).all_ready and view.routes.leads_to(candidate.revision)
    if not ready or view.spec.paused:
        return turn
    if turn.status.stable_revision is None:
        return moves.promote(view, turn, Action.PROMOTE, Reason.FIRST_REVISION)
    if candidate.restore:
        return moves.promote(view, turn, Action.RESTORE, Reason.RESTORED)
    if view.plan_problem or view.no_room:
        return turn
    return moves.first_slice(view, turn)


def _begin_analysis_when_routed(view: View, turn: Turn) -> Turn:
    candidate = candidate_of(turn)
    step = view.spec.strategy.steps[checks.step_of(view, candidate)]
    grant = view.routes.mirrored if candidate.mirror else view.routes.candidate
    granted = grant is not None and grant.revision == candidate.revision and grant.positions == candidate.positions
    if not granted or not view.routes.confirmed:
        return turn
    return turn.set_candidate(
        stage=Stage.ANALYZING,
        step_started_at=view.now,
        former=None,
        since=candidate.since or (None if candidate.mirror else view.now),
        next_look_at=view.now + min(view.spec.strategy.analysis.interval, step.hold),
    )


def _advance_when_done(view: View, turn: Turn) -> Turn:
    """Only a look that has just answered lets a step end: an outage of any length advances nothing."""
    candidate = candidate_of(turn)
    fresh = isinstance(view.evaluation, Evaluation) or candidate.mirror
    if not fresh or checks.first(checks.WAITS, view, candidate):
        return turn
    return moves.next_step(view, turn, Reason.STEP_PROVEN)


# What became of revisions that nobody routes to ---------------------------------------------------------------


def _follow_retiring(view: View, turn: Turn) -> Turn:
    """Set each retiring revision's end once its routes are gone everywhere, and forget it when that has passed."""
    status = turn.status
    if status.previous_until is not None and view.now >= status.previous_until:
        turn = turn.set(previous_revision=None, previous_until=None)
    kept = []
    for entry in status.retiring:
        if entry.delete_at is None and view.routes.confirmed and entry.revision not in view.routes.referenced:
            entry = entry.model_copy(update={"delete_at": view.now + view.spec.scale_down_delay})
        over = entry.delete_at is not None and view.now >= entry.delete_at
        if not over or entry.revision == turn.status.previous_revision:
            kept.append(entry)
    return turn.set(retiring=_within_bounds(kept))


def _within_bounds(kept: list[Retiring]) -> tuple[Retiring, ...]:
    """Too many that nobody routes to any more end early, the first to end first.

    Their pods go at once then: whatever exists and is not recorded is deleted.
    """
    ends = sorted((entry.delete_at, entry.revision) for entry in kept if entry.delete_at is not None)
    early = {revision for _, revision in ends[: max(len(kept) - MOST_RETIRING, 0)]}
    return tuple(entry for entry in kept if entry.revision not in early)
