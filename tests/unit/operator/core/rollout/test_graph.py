"""The table of stages and phases is whole, and each of its moves is made by some case."""

from __future__ import annotations

import pytest

from crossfade_operator.api.modelrollout_status import Action, Phase, Stage
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout.graph import MOVES, SHOWN, moves_between, phases_after, reasons_of
from crossfade_operator.core.rollout.machine import decide
from tests.unit.operator.core.rollout.cases import CASES


def test_every_stage_has_a_way_in_and_out() -> None:
    for stage in Stage:
        assert [move for move in MOVES if move.target is stage and move.source is not stage], stage
        assert [move for move in MOVES if move.source is stage and move.target is not stage], stage


def test_every_action_and_every_phase_is_in_the_table() -> None:
    assert {move.action for move in MOVES} == {*Action, None}
    assert {phase for phases in SHOWN.values() for phase in phases} == set(Phase)
    assert set(SHOWN) == {*Stage, None}


def test_decisions_have_reasons_and_other_moves_have_none() -> None:
    assert all(bool(move.reasons) == (move.action is not None) for move in MOVES)


def stage_of(status: object) -> Stage | None:
    candidate = getattr(status, "candidate", None)
    return candidate.stage if candidate else None


REPEATED = (SHOWN[None][Phase.PROMOTED] | SHOWN[None][Phase.ROLLED_BACK]) - {Reason.UP_TO_DATE}
"""What a rollout at rest repeats from its last decision, whichever that was."""


def test_the_cases_show_every_phase_for_every_reason() -> None:
    shown = {(turn.phase, turn.reason) for case in CASES if (turn := decide(case.view).status)}
    wanted = {(phase, reason) for phases in SHOWN.values() for phase, reasons in phases.items() for reason in reasons}
    assert {(phase, reason) for phase, reason in wanted - shown if reason not in REPEATED} == set()


def test_the_cases_make_every_move_for_every_reason() -> None:
    made = {(move.action, reason) for move in MOVES for reason in move.reasons}
    given = {tuple(case.decision.split()) for case in CASES if case.decision}
    assert {(action.value, reason.value) for action, reason in made if action} == given


@pytest.mark.parametrize(
    ("stage", "phase", "reason", "possible"),
    [
        (Stage.ANALYZING, Phase.HOLDING, Reason.INCONCLUSIVE, True),
        (Stage.ANALYZING, Phase.REFUSED, Reason.ENDPOINT_CLAIMED, True),
        (Stage.SHIFTING, Phase.PAUSED, Reason.PAUSED, False),
        (None, Phase.HOLDING, Reason.INSUFFICIENT_DATA, False),
    ],
)
def test_how_a_stage_may_be_shown(stage: Stage | None, phase: Phase, reason: Reason, possible: bool) -> None:
    assert (reason in reasons_of(stage, phase)) is possible


def test_the_phases_of_one_turn_later() -> None:
    assert phases_after(Stage.WITHDRAWING, Phase.ROLLED_BACK) == {
        Phase.PENDING,
        Phase.PROGRESSING,
        Phase.PAUSED,
        Phase.HOLDING,
        Phase.REFUSED,
        Phase.PROMOTED,
    }
    assert Phase.PROMOTED not in phases_after(Stage.SHIFTING, Phase.PROGRESSING)


def test_moves_are_found_by_their_ends() -> None:
    (move,) = moves_between(Stage.SHIFTING, Stage.ANALYZING)
    assert move.action is None
    assert not list(moves_between(Stage.SHIFTING, None))
