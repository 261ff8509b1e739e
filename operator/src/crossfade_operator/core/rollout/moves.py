"""The moves of a rollout: each one writes its decision and the status that follows from it, and nothing else."""

from __future__ import annotations

from crossfade_operator.api.modelrollout_status import (
    Action,
    Candidate,
    CandidateRequests,
    Exposure,
    Outcome,
    Retiring,
    Stage,
)
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout.checks import is_last_step, step_of
from crossfade_operator.core.rollout.records import BY_RULE, Grounds, decide_to
from crossfade_operator.core.rollout.view import Turn, View, candidate_of
from crossfade_operator.core.slices import percent


def start(view: View, turn: Turn, reason: Reason, *, on: Grounds = BY_RULE) -> Turn:
    """Bring up the pods of the target revision. It has no users yet."""
    status, restore = turn.status, view.restores
    candidate = Candidate(
        revision=view.target,
        attempt=status.attempts + 1,
        stage=Stage.STARTING,
        started_at=view.now,
        deadline_at=view.now + view.spec.progress_deadline,
        restore=restore,
        owner=view.spec.owner,
    )
    turn = turn.set(
        candidate=candidate,
        attempts=status.attempts + 1,
        retiring=tuple(entry for entry in status.retiring if entry.revision != view.target),
        metrics=(),
    )
    return decide_to(view, turn, Action.START, reason, _start_message(view, turn, restore), revision=view.target, on=on)


def _start_message(view: View, turn: Turn, restore: bool) -> str:
    if turn.status.stable_revision is None:
        return "the first revision goes straight to stable once its pods are ready"
    if restore:
        return "the previous stable revision is restored once its pods are ready, without steps"
    return f"a candidate for {len(view.spec.strategy.steps)} steps"


def first_slice(view: View, turn: Turn) -> Turn:
    """From ready pods to the first step's slice. What the guarantee rests on is pinned here."""
    plan = view.plan.model_dump(mode="json", by_alias=True) if view.plan else {}
    turn = turn.set_candidate(plan=plan, model_digest=view.model_digest)
    return _enter(view, turn, 0, Reason.CANDIDATE_READY, BY_RULE)


def next_step(view: View, turn: Turn, reason: Reason, *, on: Grounds = BY_RULE) -> Turn:
    """To the next step, or to promotion after the last.

    Copies prove nothing: a mirror whose step was edited into one with users is followed by that step.
    """
    candidate, here = candidate_of(turn), step_of(view, candidate_of(turn))
    if candidate.mirror and not view.spec.strategy.steps[here].mirror:
        return _enter(view, turn, here, reason, on)
    if is_last_step(view, candidate):
        promoted = Reason.ALL_STEPS_PROVEN if reason is Reason.STEP_PROVEN else reason
        return promote(view, turn, Action.PROMOTE, promoted, on=on)
    return _enter(view, turn, here + 1, reason, on)


def _enter(view: View, turn: Turn, step: int, reason: Reason, on: Grounds) -> Turn:
    """Grant a step's slice. It is kept with the candidate: an edit of the steps changes nobody's share by itself."""
    wanted = view.spec.strategy.steps[step]
    verb = "copies of" if wanted.mirror else "a slice of"
    message = f"step {step + 1}/{len(view.spec.strategy.steps)}: {verb} {wanted.slice}"
    former = _exposure(candidate_of(turn))
    turn = turn.set_candidate(
        stage=Stage.SHIFTING,
        step=step,
        positions=wanted.slice.positions,
        mirror=wanted.mirror,
        step_started_at=None,
        former=former,
        next_look_at=view.now + view.spec.strategy.analysis.interval if former else None,
        approved_by=(),
        requests=CandidateRequests(),
    )
    share = "0%" if wanted.mirror else percent(wanted.slice.positions)
    revision = candidate_of(turn).revision
    return decide_to(view, turn, Action.ADVANCE, reason, message, revision=revision, share=share, on=on)


def hold(view: View, turn: Turn, message: str) -> Turn:
    """Proof did not come in time: the share stays, and a person has to decide."""
    share, revision = turn.status.slice or "0%", candidate_of(turn).revision
    return decide_to(view, turn, Action.HOLD, Reason.INCONCLUSIVE, message, revision=revision, share=share)


def _exposure(candidate: Candidate) -> Exposure | None:
    """The slice that a candidate has users by; a mirror has none."""
    if candidate.step_started_at is None or candidate.mirror:
        return None
    return Exposure(step=candidate.step, positions=candidate.positions, started_at=candidate.step_started_at)


def promote(view: View, turn: Turn, action: Action, reason: Reason, *, on: Grounds = BY_RULE) -> Turn:
    """The candidate becomes stable, in one write of the table; the old stable stays restorable for a while."""
    candidate, old = candidate_of(turn), turn.status.stable_revision
    message = f"everyone is served by {candidate.revision}" + (f" instead of {old}" if old else "")
    turn = decide_to(view, turn, action, reason, message, revision=candidate.revision, share="100%", on=on)
    retiring = tuple(entry for entry in turn.status.retiring if entry.revision not in (candidate.revision, old))
    return turn.set(
        candidate=None,
        stable_revision=candidate.revision,
        stable_decision=turn.status.decisions[-1].name,
        previous_revision=old,
        previous_until=view.now + view.spec.rollback_window if old else None,
        failed_revision=None,
        retiring=(*retiring, Retiring(revision=old)) if old else retiring,
    )


def withdraw(view: View, turn: Turn, outcome: Outcome, reason: Reason, message: str, *, on: Grounds = BY_RULE) -> Turn:
    """The candidate's slice goes back to stable, in one write of the table."""
    candidate = candidate_of(turn)
    action = {
        Outcome.ROLLED_BACK: Action.ROLLBACK,
        Outcome.SUPERSEDED: Action.SUPERSEDE,
        Outcome.BACK_TO_STABLE: Action.WITHDRAW,
    }[outcome]
    turn = decide_to(view, turn, action, reason, message, revision=candidate.revision, on=on)
    turn = turn.set_candidate(stage=Stage.WITHDRAWING, outcome=outcome, reason=reason.value, message=message)
    if outcome is Outcome.ROLLED_BACK:
        turn = turn.set(failed_revision=candidate.revision)
    return turn


def retire(view: View, turn: Turn) -> Turn:
    """The withdrawn candidate is gone from every router: it only waits for its pods' end now."""
    gone = candidate_of(turn).revision
    kept = tuple(entry for entry in turn.status.retiring if entry.revision != gone)
    return turn.set(candidate=None, retiring=(*kept, Retiring(revision=gone)))
