"""The graph of a rollout as a table: from which stage to which, by which decision, and as what each is shown.

`docs/reference/states.md` is generated from it. The machine does not read it: random worlds are played to show that no
turn leaves it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from crossfade_operator.api.modelrollout_status import Action, Phase, Stage
from crossfade_operator.core.reasons import Reason

Reasons = frozenset[Reason]


@dataclass(frozen=True)
class Move:
    """A way from one stage to another; a stage of None means that there is no candidate.

    `action` is the decision that is recorded with it, for one of these `reasons`; None where nobody's share changes.
    """

    source: Stage | None
    target: Stage | None
    action: Action | None
    when: str
    reasons: Reasons = frozenset()


ROLLBACKS: Reasons = frozenset(
    {
        Reason.EVIDENCE_OF_HARM,
        Reason.CRASH_LOOPING,
        Reason.MODEL_CHANGED,
        Reason.PROGRESS_DEADLINE_EXCEEDED,
        Reason.INCONCLUSIVE,
        Reason.ABORT_REQUESTED,
    }
)
"""Why a candidate is taken out for good."""

_WAYS_IN = (
    Move(
        None,
        Stage.STARTING,
        Action.START,
        "the template is new, or a retry is asked for",
        frozenset({Reason.NEW_TEMPLATE, Reason.RETRY_REQUESTED}),
    ),
)

_WAYS_ON = (
    Move(
        Stage.STARTING,
        Stage.SHIFTING,
        Action.ADVANCE,
        "its pods are ready and every router reaches one",
        frozenset({Reason.CANDIDATE_READY}),
    ),
    Move(Stage.SHIFTING, Stage.ANALYZING, None, "every ready router has confirmed the slice"),
    Move(
        Stage.ANALYZING,
        Stage.ANALYZING,
        Action.HOLD,
        "proof did not come within `inconclusiveAfter`",
        frozenset({Reason.INCONCLUSIVE}),
    ),
    Move(Stage.ANALYZING, Stage.ANALYZING, Action.APPROVE, "a person approves", frozenset({Reason.APPROVED})),
    Move(
        Stage.ANALYZING,
        Stage.SHIFTING,
        Action.ADVANCE,
        "the step is proven, or a person asks for the next",
        frozenset({Reason.STEP_PROVEN, Reason.PROMOTE_REQUESTED}),
    ),
)

_WAYS_TO_STABLE = (
    Move(
        Stage.STARTING,
        None,
        Action.PROMOTE,
        "it is the first revision and is ready",
        frozenset({Reason.FIRST_REVISION}),
    ),
    Move(
        Stage.STARTING,
        None,
        Action.RESTORE,
        "it was stable within the rollback window and is ready",
        frozenset({Reason.RESTORED}),
    ),
    Move(
        Stage.ANALYZING,
        None,
        Action.PROMOTE,
        "the last step is proven, or a person asks for promotion",
        frozenset({Reason.ALL_STEPS_PROVEN, Reason.PROMOTE_REQUESTED}),
    ),
)


def _ways_out(stage: Stage) -> tuple[Move, ...]:
    out = Stage.WITHDRAWING
    return (
        Move(stage, out, Action.ROLLBACK, "harm, failing pods, no proof in time, or an abort", _rollbacks_in(stage)),
        Move(stage, out, Action.SUPERSEDE, "a newer template has come", frozenset({Reason.SUPERSEDED})),
        Move(stage, out, Action.WITHDRAW, "the template is the stable one again", frozenset({Reason.BACK_TO_STABLE})),
    )


def _rollbacks_in(stage: Stage) -> Reasons:
    """A candidate without users can show no harm; and time for proof runs only while a step is held."""
    without_users = {Reason.PROGRESS_DEADLINE_EXCEEDED, Reason.ABORT_REQUESTED}
    if stage is Stage.STARTING:
        return frozenset(without_users)
    return ROLLBACKS if stage is Stage.ANALYZING else ROLLBACKS - {Reason.INCONCLUSIVE}


_EXPOSED = (Stage.STARTING, Stage.SHIFTING, Stage.ANALYZING)

MOVES: tuple[Move, ...] = (
    *_WAYS_IN,
    *_WAYS_ON,
    *_WAYS_TO_STABLE,
    *(move for stage in _EXPOSED for move in _ways_out(stage)),
    Move(Stage.WITHDRAWING, None, None, "no router routes to it any more"),
)

SHOWN: Mapping[Stage | None, Mapping[Phase, Reasons]] = {
    None: {
        Phase.PENDING: frozenset({Reason.FIRST_REVISION_STARTING}),
        Phase.PROGRESSING: frozenset({Reason.SHIFTING_TRAFFIC}),
        Phase.PAUSED: frozenset({Reason.PAUSED}),
        Phase.HOLDING: frozenset({Reason.DECISION_NOT_RECORDED}),
        Phase.REFUSED: frozenset({Reason.POLICY_NOT_MET}),
        Phase.PROMOTED: frozenset(
            {
                Reason.FIRST_REVISION,
                Reason.ALL_STEPS_PROVEN,
                Reason.PROMOTE_REQUESTED,
                Reason.RESTORED,
                Reason.BACK_TO_STABLE,
                Reason.UP_TO_DATE,
            }
        ),
        Phase.ROLLED_BACK: ROLLBACKS,
    },
    Stage.STARTING: {
        Phase.INITIALIZING: frozenset({Reason.FIRST_REVISION_STARTING, Reason.PROGRESS_DEADLINE_EXCEEDED}),
        Phase.PROGRESSING: frozenset({Reason.CANDIDATE_STARTING}),
        Phase.PAUSED: frozenset({Reason.PAUSED}),
        Phase.HOLDING: frozenset(
            {
                Reason.CONTRACT_BROKEN,
                Reason.NO_FREE_POSITIONS,
                Reason.DECISION_NOT_RECORDED,
                Reason.GATE_NOT_MET,
                Reason.POLICY_NOT_MET,
            }
        ),
        Phase.REFUSED: frozenset({Reason.INVALID_TEMPLATE}),
    },
    Stage.SHIFTING: {
        Phase.PROGRESSING: frozenset({Reason.SHIFTING_TRAFFIC}),
        Phase.HOLDING: frozenset({Reason.NO_FREE_POSITIONS, Reason.DECISION_NOT_RECORDED}),
        Phase.REFUSED: frozenset({Reason.INVALID_TEMPLATE}),
    },
    Stage.ANALYZING: {
        Phase.PROGRESSING: frozenset({Reason.ANALYZING}),
        Phase.PAUSED: frozenset({Reason.PAUSED}),
        Phase.AWAITING_APPROVAL: frozenset({Reason.APPROVAL_MISSING}),
        Phase.HOLDING: frozenset(
            {
                Reason.CANDIDATE_UNREADY,
                Reason.ANALYZER_UNAVAILABLE,
                Reason.METRICS_UNAVAILABLE,
                Reason.CONTRACT_BROKEN,
                Reason.SAMPLE_RATIO_MISMATCH,
                Reason.INSUFFICIENT_DATA,
                Reason.INCONCLUSIVE,
                Reason.GATE_NOT_MET,
                Reason.POLICY_NOT_MET,
                Reason.NO_FREE_POSITIONS,
                Reason.DECISION_NOT_RECORDED,
            }
        ),
        Phase.REFUSED: frozenset({Reason.INVALID_TEMPLATE}),
    },
    Stage.WITHDRAWING: {
        Phase.ROLLED_BACK: ROLLBACKS,
        Phase.PROGRESSING: frozenset({Reason.SUPERSEDED, Reason.BACK_TO_STABLE}),
    },
}
"""How a rollout is shown while its candidate is in a stage, and for which reasons."""

NOT_DECIDED: Mapping[Phase, Reasons] = {
    Phase.PENDING: frozenset({Reason.ENDPOINT_NOT_FOUND}),
    Phase.REFUSED: frozenset({Reason.ENDPOINT_CLAIMED}),
}
"""In any stage: without an endpoint of its own a rollout decides nothing."""

REQUESTS_REFUSED: Reasons = frozenset(
    {
        Reason.NOTHING_TO_PROMOTE,
        Reason.NOTHING_TO_ABORT,
        Reason.NOTHING_TO_RETRY,
        Reason.OTHER_REVISION,
        Reason.PAUSED,
        Reason.CANDIDATE_UNREADY,
        Reason.EVIDENCE_OF_HARM,
        Reason.DECISION_NOT_RECORDED,
        Reason.GATE_NOT_MET,
        Reason.POLICY_NOT_MET,
        Reason.NOT_APPROVED,
        Reason.NO_REASON_GIVEN,
        Reason.REVIEWS_OVERDUE,
    }
)
"""Why a request of a person is not met; told in an Event."""


def reasons_of(stage: Stage | None, phase: Phase) -> Reasons:
    """The reasons that a rollout may give for this phase in this stage; none when it may not be shown so."""
    return SHOWN[stage].get(phase, frozenset()) | NOT_DECIDED.get(phase, frozenset())


def moves_between(source: Stage | None, target: Stage | None) -> Iterator[Move]:
    """The moves from one stage to another."""
    return (move for move in MOVES if (move.source, move.target) == (source, target))


def phases_after(stage: Stage | None, phase: Phase) -> frozenset[Phase]:
    """The phases other than `phase` that one turn may lead to from a stage, while the rollout has its endpoint."""
    reached = {stage} | {move.target for move in MOVES if move.source is stage}
    return frozenset(shown for one in reached for shown in SHOWN[one]) - {phase}
