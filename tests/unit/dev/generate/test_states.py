"""The page of states shows every move, phase and reason of the tables."""

from __future__ import annotations

from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout.graph import MOVES, SHOWN
from dev.generate import states

PAGE = states.files()[states.PATH].splitlines()


def test_every_move_is_an_arrow_and_a_row() -> None:
    arrows = [line for line in PAGE if " --> " in line]
    assert len(arrows) == len(MOVES)
    assert "    [*] --> Starting: Start, the template is new, or a retry is asked for" in arrows
    assert "    Withdrawing --> [*]: no router routes to it any more" in arrows
    assert "| Starting | none | Restore | `Restored` | it was stable within the rollback window and is ready |" in PAGE


def test_every_phase_has_a_row_for_each_stage_that_shows_it() -> None:
    rows = {tuple(line.split(" | ")[:2]) for line in PAGE if line.startswith("| ")}
    for stage, phases in SHOWN.items():
        for phase in phases:
            assert (f"| {phase.value}", stage.value if stage else "none") in rows


def test_every_reason_has_its_sentence() -> None:
    for reason in Reason:
        (row,) = (line for line in PAGE if line.startswith(f"| `{reason.value}` |") and reason.sentence in line)
        assert not row.endswith("|  |"), "it says where the reason comes up"


def test_where_a_reason_comes_up() -> None:
    assert list(states.where(Reason.EVIDENCE_OF_HARM)) == ["RolledBack", "decision Rollback", "Event"]
    assert list(states.where(Reason.UP_TO_DATE)) == ["Promoted", "condition ModelRollout Ready"]
