"""The graph of an experiment as a table: from which phase to which, by which Decision, and for which reasons.

`docs/reference/experiment-states.md` is generated from it. The machine does not read it: random worlds are played to
show that no turn leaves it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from crossfade_operator.api.decision import DecisionAction
from crossfade_operator.api.experiment_status import ExperimentPhase
from crossfade_operator.core.experiment.reasons import Reason

Phase = ExperimentPhase
Reasons = frozenset[Reason]


@dataclass(frozen=True)
class Move:
    """A way from one phase to another; a source of None is an experiment that nobody has looked at yet.

    `action` is the Decision that is on record before the move; None where nobody's model changes, and in dry runs.
    """

    source: Phase | None
    target: Phase
    action: DecisionAction | None
    when: str
    reasons: Reasons


def _move(source: Phase | None, target: Phase, when: str, *reasons: Reason, by: DecisionAction | None = None) -> Move:
    return Move(source, target, by, when, frozenset(reasons))


INTERRUPTIONS: Reasons = frozenset(
    {
        Reason.ANALYZER_UNAVAILABLE,
        Reason.METRICS_UNAVAILABLE,
        Reason.CONTRACT_BROKEN,
        Reason.GRANT_LOST,
        Reason.ROUTES_UNCONFIRMED,
        Reason.ENDPOINT_NOT_FOUND,
        Reason.CALIBRATION_OFF,
    }
)
"""Why no look can be taken. Users keep their arms, and evidence stays as it is."""

_ENDS = (
    Reason.STOP_ASKED,
    Reason.DELETED,
    Reason.RESULT_REACHED,
    Reason.PLAN_COMPLETE,
    Reason.EVIDENCE_OF_HARM,
    Reason.MAX_RUNTIME_REACHED,
    Reason.EMERGENCY_DECISION,
)

_BEFORE_THE_START = (
    _move(None, Phase.DRAFT, "it is seen for the first time", Reason.NOT_ASKED),
    _move(Phase.DRAFT, Phase.IN_REVIEW, "it is asked to run", Reason.RUN_ASKED),
    _move(Phase.IN_REVIEW, Phase.DRAFT, "it is no longer asked to run", Reason.WITHDRAWN),
    _move(
        Phase.IN_REVIEW,
        Phase.APPROVED,
        "nothing stands against the design, and enough people approve it",
        Reason.DESIGN_APPROVED,
    ),
    _move(Phase.APPROVED, Phase.DRAFT, "it is no longer asked to run, before it asked for users", Reason.WITHDRAWN),
    _move(Phase.APPROVED, Phase.IN_REVIEW, "the design was changed after all", Reason.DESIGN_CHANGED),
)

_RUNNING = (
    _move(
        Phase.APPROVED,
        Phase.RUNNING,
        "every ready router has confirmed the arms",
        Reason.STARTED,
        by=DecisionAction.RUN,
    ),
    _move(Phase.RUNNING, Phase.INTERRUPTED, "no look can be taken", *INTERRUPTIONS),
    _move(Phase.INTERRUPTED, Phase.RUNNING, "looks can be taken again", Reason.RESUMED),
    _move(
        Phase.APPROVED,
        Phase.STOPPED,
        "it is no longer asked to run, after it asked for users",
        Reason.STOP_ASKED,
        Reason.DELETED,
        Reason.EMERGENCY_DECISION,
        by=DecisionAction.STOP,
    ),
    *(
        _move(source, Phase.STOPPED, "the plan is complete, or people end it", *_ENDS, by=DecisionAction.STOP)
        for source in (Phase.RUNNING, Phase.INTERRUPTED)
    ),
)

_INVALID = (
    *(
        _move(
            source,
            Phase.INVALID,
            "an arm runs another model than at the start",
            Reason.MODEL_CHANGED,
            by=DecisionAction.INVALIDATE,
        )
        for source in (Phase.APPROVED, Phase.RUNNING, Phase.INTERRUPTED)
    ),
    _move(
        Phase.STOPPED,
        Phase.INVALID,
        "a check of quality failed for good",
        Reason.CHECK_FAILED,
        by=DecisionAction.INVALIDATE,
    ),
)

_DECIDED = (
    _move(Phase.STOPPED, Phase.DECIDED, "a person ships the treatment", Reason.SHIPPED, by=DecisionAction.SHIP),
    _move(Phase.STOPPED, Phase.DECIDED, "a person keeps control", Reason.ABORTED, by=DecisionAction.ABORT),
    _move(Phase.STOPPED, Phase.DECIDED, "a dry run is decided", Reason.DRY_RUN_OVER),
)

OVER = (Phase.DRAFT, Phase.IN_REVIEW, Phase.DECIDED, Phase.INVALID, Phase.ARCHIVED)
"""The phases in which no run is under way."""

MOVES: tuple[Move, ...] = (
    *_BEFORE_THE_START,
    *_RUNNING,
    *_INVALID,
    *_DECIDED,
    *(
        _move(source, Phase.ARCHIVED, "it is asked to be archived", Reason.ARCHIVE_ASKED)
        for source in (Phase.DRAFT, Phase.DECIDED, Phase.INVALID)
    ),
    *(
        _move(source, Phase.DRAFT, "run is counted up, and the arms of the one before are gone", Reason.NEW_RUN)
        for source in OVER
    ),
)

RECORDING: Reasons = frozenset({Reason.RECORDING, Reason.RECORD_REFUSED})
"""Shown in any phase while a Decision is being written."""

SHOWN: Mapping[Phase, Reasons] = {
    Phase.DRAFT: frozenset({Reason.NOT_ASKED, Reason.NEW_RUN, Reason.WITHDRAWN, Reason.ARMS_LEAVING}),
    Phase.IN_REVIEW: frozenset(
        {Reason.NOT_PLANNABLE, Reason.CHANGES_REQUESTED, Reason.APPROVAL_MISSING, Reason.PLANNABLE}
    ),
    Phase.APPROVED: frozenset(
        {
            Reason.DESIGN_APPROVED,
            Reason.ARMS_STARTING,
            Reason.ARMS_LATE,
            Reason.ARMS_REFUSED,
            Reason.MODEL_UNKNOWN,
            Reason.SLICE_ASKED,
            Reason.SLICE_REFUSED,
            Reason.ROUTERS_CONFIRMING,
        }
    ),
    Phase.RUNNING: frozenset({Reason.COLLECTING, Reason.JUDGED}),
    Phase.INTERRUPTED: INTERRUPTIONS,
    Phase.STOPPED: frozenset(
        {
            Reason.ROUTES_LEAVING,
            Reason.LAST_LOOK_PENDING,
            Reason.DECISION_PENDING,
            Reason.DECISION_INCOMPLETE,
        }
    ),
    Phase.DECIDED: frozenset({Reason.SHIPPED, Reason.ABORTED, Reason.DRY_RUN_OVER}),
    Phase.ARCHIVED: frozenset({Reason.ARCHIVE_ASKED}),
    Phase.INVALID: frozenset({Reason.MODEL_CHANGED, Reason.CHECK_FAILED}),
}
"""The reasons that an experiment may give in a phase, besides those of a record that is being written."""


def reasons_of(phase: Phase) -> Reasons:
    """Every reason that may be shown in this phase."""
    return SHOWN[phase] | (RECORDING if phase in _WITH_RECORDS else frozenset())


_WITH_RECORDS = (Phase.APPROVED, Phase.RUNNING, Phase.INTERRUPTED, Phase.STOPPED)


def moves_between(source: Phase | None, target: Phase) -> Iterator[Move]:
    """The moves from one phase to another."""
    return (move for move in MOVES if (move.source, move.target) == (source, target))
