"""When a rollout has to be looked at again although nobody touches it: absolute times only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from crossfade_operator.api.modelrollout_status import Stage
from crossfade_operator.core.rollout import checks
from crossfade_operator.core.rollout.view import View

RETRY = timedelta(seconds=30)
"""How long to wait before what was refused, or could not be planned, is tried again."""


def due_at(view: View) -> datetime | None:
    """The next time at which this status alone can lead to another decision, or None."""
    return min((moment for moment in _moments(view) if moment > view.now), default=None)


def _moments(view: View) -> Iterator[datetime]:
    status, candidate = view.status, view.status.candidate
    if status.previous_until is not None:
        yield status.previous_until
    for entry in status.retiring:
        if entry.delete_at is not None:
            yield entry.delete_at
    if any((view.refusals, view.plan_problem, view.policy_problem, view.no_room, view.unrecorded, view.unmet_gate)):
        yield view.now + RETRY
    if candidate is None:
        return
    if candidate.stage is Stage.STARTING:
        yield candidate.started_at + view.spec.progress_deadline
    if candidate.stage is Stage.ANALYZING:
        ends = checks.hold_ends_at(view, candidate)
        if ends is not None:
            yield ends
            yield ends + view.spec.strategy.analysis.inconclusive_after
    if candidate.stage in (Stage.SHIFTING, Stage.ANALYZING) and candidate.next_look_at is not None:
        yield candidate.next_look_at
    if candidate.unready_since is not None:
        yield candidate.unready_since + view.spec.progress_deadline
