"""The rollout's machine: `decide(view)` is what happens next, and nothing else decides it.

A turn goes through a fixed order: what was seen is taken down; then what a person asked for, what the template asks
for, what the candidate's stage allows, and what became of revisions that nobody routes to. At most one move is made in
a turn, so that each decision is recorded, routed and confirmed before the next.
"""

from __future__ import annotations

from crossfade_analyzer.contract import Evaluation
from crossfade_operator.api.modelrollout_status import Action, Outcome, Retiring, Stage
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout import checks, moves, notes, report, requests
from crossfade_operator.core.rollout.view import Turn, View, candidate_of

MOST_RETIRING = 8
"""Revisions that wait for their end at once. The routing table has clusters for every pair of revisions: of some more
than a dozen with gRPC ports it would not fit into a ConfigMap, and nobody could be routed anew."""


def decide(view: View) -> Turn:
    """What is recorded next. The same view always gives the same turn."""
    turn = Turn(view.status)
    if view.claimed_by is None and view.endpoint_found:
        turn = notes.take(view, turn)
        for move in (_follow_requests, _follow_template, _follow_stage):
            moved = move(view, turn)
            made_a_decision = moved.status.decision_count != turn.status.decision_count
            turn = moved
            if made_a_decision:
                break
        turn = _follow_retiring(view, turn)
        turn = turn.set(reviews_due=tuple(one for one in turn.status.reviews_due if one.decision not in view.reviewed))
        turn = turn.set(decisions_recorded=max(turn.status.decisions_recorded, view.recorded))
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
    if view.spec.paused or view.unrecorded or view.policy_problem:
        return turn
    if view.target in (turn.status.stable_revision, turn.status.failed_revision):
        return turn
    return moves.start(view, turn, Reason.NEW_TEMPLATE)


# What the candidate's stage allows ---------------------------------------------------------------------------


def _follow_stage(view: View, turn: Turn) -> Turn:
    candidate = turn.status.candidate
    if candidate is None:
        return turn
    if candidate.stage is Stage.WITHDRAWING:
        return _leave_when_unrouted(view, turn)
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


def _leave_starting(view: View, turn: Turn) -> Turn:
    candidate = candidate_of(turn)
    ready = view.pods_of(candidate.revision).all_ready and view.routes.leads_to(candidate.revision)
    if not ready or view.spec.paused or view.unrecorded:
        return turn
    if turn.status.stable_revision is None:
        return moves.promote(view, turn, Action.PROMOTE, Reason.FIRST_REVISION)
    if candidate.restore:
        return moves.promote(view, turn, Action.RESTORE, Reason.RESTORED)
    gate = checks.gate_before(view, checks.next_positions(view, candidate))
    if view.plan_problem or view.policy_problem or view.no_room or gate:
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
    if not isinstance(view.evaluation, Evaluation) and not candidate.mirror:
        return turn
    finding = checks.first(checks.WAITS, view, candidate)
    if finding is None:
        return moves.next_step(view, turn, Reason.STEP_PROVEN)
    if finding.reason is Reason.INCONCLUSIVE and not _held_already(turn):
        return moves.hold(view, turn, finding.message)
    return turn


def _held_already(turn: Turn) -> bool:
    """Whether it is on record for this step that proof did not come in time."""
    for record in reversed(turn.status.decisions):
        if record.action in (Action.HOLD, Action.ADVANCE):
            return record.action is Action.HOLD
    return False


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
