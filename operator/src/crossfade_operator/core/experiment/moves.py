"""The moves of an experiment: each one writes the transition and the status that follows from it, and nothing else."""

from __future__ import annotations

from datetime import datetime

from crossfade_operator.api.decision import Basis, DecisionAction, DecisionSpec, Outcome, ReviewDue
from crossfade_operator.api.experiment_status import ArmStatus, ExperimentPhase, ExperimentStatus, Transition
from crossfade_operator.core.effects import Announce
from crossfade_operator.core.experiment import arms, planning, records
from crossfade_operator.core.experiment.reasons import Reason
from crossfade_operator.core.experiment.view import Recorded, RecordRefused, Turn, View
from crossfade_operator.core.revision import revision_of

KEPT = 50
"""Transitions kept in status; the ends of a run are Decisions besides."""

_WARNINGS = (ExperimentPhase.INTERRUPTED, ExperimentPhase.INVALID)


def enter(
    view: View,
    turn: Turn,
    phase: ExperimentPhase,
    reason: Reason,
    message: str = "",
    *,
    by: str = records.RULE,
    at: datetime | None = None,
) -> Turn:
    """Go to another phase, and say who, when and why."""
    sentence = message or reason.sentence
    made = Transition(phase=phase, at=at or view.now, by=by, reason=reason.value, message=sentence)
    turn = turn.set(phase=phase, transitions=(*turn.status.transitions, made)[-KEPT:])
    return turn.say(
        Announce(
            "Experiment", view.name, "Warning" if phase in _WARNINGS else "Normal", reason.value, f"{phase}: {sentence}"
        )
    )


def new_run(view: View, turn: Turn) -> Turn:
    """Begin anew at Draft. Decisions and evidence of earlier runs stay where they are; numbers go on, and so does what
    an emergency owes."""
    status = turn.status
    first = status.phase is None
    fresh = ExperimentStatus(run=view.spec.run, decision_count=status.decision_count, reviews_due=status.reviews_due)
    return enter(
        view,
        Turn(fresh, turn.events),
        ExperimentPhase.DRAFT,
        Reason.NOT_ASKED if first else Reason.NEW_RUN,
        by=records.RULE if first else view.asked_by,
    )


def freeze(view: View, turn: Turn) -> Turn:
    """Nothing stands against the design: keep it in full, with every arm's model, as of now."""
    turn = turn.set(
        design=planning.frozen_body(planning.design_for(view.after(turn))),
        metrics=planning.pins(view),
        arms=tuple(_arm(view, arm.name) for arm in view.spec.design.arms),
    )
    return enter(view, turn, ExperimentPhase.APPROVED, Reason.DESIGN_APPROVED)


def _arm(view: View, name: str) -> ArmStatus:
    arm = next(arm for arm in view.spec.design.arms if arm.name == name)
    template = view.arm(name).template
    assert template is not None  # noqa: S101 - findings say otherwise before
    return ArmStatus(
        name=name,
        role=arm.role,
        revision=revision_of(template),
        weight=arm.weight,
        replicas=0 if view.spec.dry_run else arm.replicas,
    )


def withdraw(view: View, turn: Turn) -> Turn:
    """Back to Draft before any user took part: nothing is frozen any more."""
    fresh = ExperimentStatus(
        run=turn.status.run,
        decision_count=turn.status.decision_count,
        reviews_due=turn.status.reviews_due,
        transitions=turn.status.transitions,
    )
    return enter(view, Turn(fresh, turn.events), ExperimentPhase.DRAFT, Reason.WITHDRAWN, by=view.asked_by)


def back_to_review(view: View, turn: Turn) -> Turn:
    """The design was changed after its approval, which only a broken admission lets through."""
    turn = turn.set(design={}, metrics=(), arms=())
    return enter(view, turn, ExperimentPhase.IN_REVIEW, Reason.DESIGN_CHANGED)


def start(view: View, turn: Turn) -> Turn:
    """Evidence counts from here; a dry run's, as if it had begun long enough ago to be over now."""
    stable = view.endpoint.status.stable_revision if view.endpoint else None
    turn = turn.set(
        started_at=view.now - planning.longest(turn.status) if view.spec.dry_run else view.now,
        next_look_at=view.now if view.spec.dry_run else view.now + planning.interval_of(turn.status),
        fallback_revisions=(stable,) if stable else (),
    )
    return enter(view, turn, ExperimentPhase.RUNNING, Reason.STARTED)


# What follows from a Decision, once it stands ---------------------------------------------------------------------


def settle(view: View, turn: Turn) -> Turn:
    """Do what the Decision that was being recorded says, if it stands; else wait, or number it anew."""
    spec = records.pending_spec(turn.status.pending)
    if view.record is Recorded.STANDS:
        return _follow(view, turn.set(pending={}), spec)
    if view.record is Recorded.TAKEN:
        return turn.set(decision_count=records.next_number(view))
    if isinstance(view.record, RecordRefused) and spec.action in records.REDUCING:
        return turn.set(slice_request=None)
    return turn


def _follow(view: View, turn: Turn, spec: DecisionSpec) -> Turn:
    name = records.name_of(view.name, turn.status.decision_count)
    match spec.action:
        case DecisionAction.RUN:
            return turn.set(slice_request=arms.slice_request(view, turn.status.arms))
        case DecisionAction.STOP:
            return _ended(view, turn.set(slice_request=None, next_look_at=None), spec, ExperimentPhase.STOPPED)
        case DecisionAction.INVALIDATE:
            turn = turn.set(slice_request=None, next_look_at=None, outcome=Outcome.INVALID, decision=name)
            return _ended(view, turn, spec, ExperimentPhase.INVALID)
        case _:
            turn = turn.set(decision=name, outcome=spec.outcome)
            if spec.basis is Basis.EMERGENCY:
                due = ReviewDue(decision=name, by=spec.actor)
                turn = turn.set(reviews_due=(*turn.status.reviews_due, due))
            return _ended(view, turn, spec, ExperimentPhase.DECIDED)


def _ended(view: View, turn: Turn, spec: DecisionSpec, phase: ExperimentPhase) -> Turn:
    return enter(view, turn, phase, Reason(spec.reason), spec.message, by=spec.actor, at=spec.at)
