"""When an experiment has to be looked at again although nobody touches it: absolute times only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from crossfade_operator.api.experiment_status import ExperimentPhase
from crossfade_operator.core.experiment import checks, deciding, planning
from crossfade_operator.core.experiment.view import RecordRefused, Turn, View

AT_ONCE = timedelta(milliseconds=100)
"""Between the questions of a dry run, which is played window after window as fast as the analyzer answers."""

RETRY = timedelta(seconds=30)
"""How long to wait before what was refused, or could not be checked, is tried again."""

SOON = timedelta(seconds=5)
"""How soon routers' confirmations are looked for again, should the endpoint's change have been missed."""

Phase = ExperimentPhase


def until_next_look(view: View) -> timedelta:
    """One interval after a look; sooner where none could be taken, or the last one is awaited, or nobody waits."""
    interval = planning.interval_of(view.status)
    looked = checks.interruption(view) is None
    if view.spec.dry_run and looked:
        return AT_ONCE
    return interval if looked and view.status.phase is not Phase.STOPPED else min(interval, RETRY)


def approved_at(view: View) -> datetime | None:
    """When the arms began to be brought up."""
    entered = (one.at for one in reversed(view.status.transitions) if one.phase is Phase.APPROVED)
    return next(entered, None)


def due_at(view: View, turn: Turn) -> datetime | None:
    """The next time at which this status alone can lead to another decision, or None."""
    seen = view.after(turn)
    return min((moment for moment in _moments(seen) if moment > view.now), default=None)


def _moments(view: View) -> Iterator[datetime]:
    status = view.status
    if isinstance(view.record, RecordRefused) or view.refusal:
        yield view.now + RETRY
    match status.phase:
        case Phase.DRAFT if view.spec.run > status.run:
            yield view.now + RETRY
        case Phase.IN_REVIEW:
            yield view.now + RETRY
        case Phase.APPROVED:
            since = approved_at(view)
            if since is not None:
                yield since + checks.ARMS_WITHIN
            yield view.now + RETRY
        case Phase.RUNNING | Phase.INTERRUPTED:
            yield from _of_a_run(view)
        case Phase.STOPPED:
            yield from _of_a_result(view)
        case Phase.DECIDED | Phase.INVALID if view.routed:
            yield view.now + SOON


def _of_a_run(view: View) -> Iterator[datetime]:
    status = view.status
    if status.started_at is not None:
        yield status.started_at + planning.longest(status)
    if checks.interruption(view) is not None:
        yield view.now + RETRY
    if status.next_look_at is not None:
        yield status.next_look_at


def _of_a_result(view: View) -> Iterator[datetime]:
    status = view.status
    if view.routed:
        yield view.now + SOON
    if status.next_look_at is not None and not status.final:
        yield status.next_look_at
    if status.started_at is not None and not status.final:
        yield view.now + RETRY
    earliest = deciding.deliberated_at(view) if view.spec.decision is not None else None
    if earliest is not None:
        yield earliest
