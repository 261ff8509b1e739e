from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest

from crossfade_operator.cli.looking import ROLLOUTS
from crossfade_operator.cli.main import run
from crossfade_operator.cli.names import ROLLOUT, Named
from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.watching import Screen, watch

RANKER = Named(ROLLOUT, "ranker")


def _later(obj: dict[str, Any], **status: Any) -> dict[str, Any]:
    changed = copy.deepcopy(obj)
    changed["status"].update(status)
    return changed


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_are_printed_for_changes_only(rollout_object: dict[str, Any], cluster: Callable[..., Any]) -> None:
    rollouts, out = cluster(rollout_object), io.StringIO()
    held = _later(rollout_object, phase="Holding", reason="MetricsUnavailable", message="no answer")
    rollouts.later = [[rollout_object, held, held]]
    with pytest.raises(Problem, match="was deleted"):
        watch(rollouts, RANKER, ROLLOUTS, out, until_done=False)
    phases = [line.split("  ")[2] for line in out.getvalue().splitlines()]
    assert phases == ["Progressing", "Holding", "Progressing"]


def test_it_ends_with_the_rollout_when_asked_to(rollout_object: dict[str, Any], cluster: Callable[..., Any]) -> None:
    rollouts = cluster(rollout_object)
    rollouts.later = [[_later(rollout_object, phase="RolledBack", candidateRevision=None)]]
    assert watch(rollouts, RANKER, ROLLOUTS, io.StringIO(), until_done=True).phase == "RolledBack"


@pytest.mark.parametrize(("action", "code"), [("Ship", 0), ("Abort", 3)])
def test_a_watched_experiment_ends_with_what_was_decided(
    experiment_object: dict[str, Any], cluster: Callable[..., Any], action: str, code: int
) -> None:
    made, out = cluster(experiment_object), io.StringIO()
    decided = _later(experiment_object, phase="Decided", reason="Shipped")
    decided["spec"]["decision"] = {"action": action}
    made.later = [[decided]]
    assert run(["watch", "exp/new-ranker", "--until-done"], connect=lambda options: made, out=out) == code
    assert [line.split("  ")[2] for line in out.getvalue().splitlines()] == ["Running", "Decided"]


def test_a_watch_that_runs_out_is_opened_again(rollout_object: dict[str, Any], cluster: Callable[..., Any]) -> None:
    rollouts = cluster(rollout_object)
    rollouts.later = [[], [], [_later(rollout_object, phase="Promoted", candidateRevision=None)]]
    assert watch(rollouts, RANKER, ROLLOUTS, io.StringIO(), until_done=True).phase == "Promoted"


def test_a_terminal_gets_the_page_redrawn_in_place(rollout_object: dict[str, Any], cluster: Callable[..., Any]) -> None:
    rollouts, out = cluster(rollout_object), Terminal()
    rollouts.later = [[_later(rollout_object, phase="Promoted", candidateRevision=None)]]
    watch(rollouts, RANKER, ROLLOUTS, out, until_done=True)
    first, second = out.getvalue().split("\x1b[J")[:2]
    assert second.startswith(f"\x1b[{first.count(chr(10))}A\r")


def test_a_page_is_cut_to_the_terminal_so_that_it_can_be_redrawn() -> None:
    out = io.StringIO()
    screen = Screen(out, size=lambda: (80, 5))
    screen.draw([str(number) for number in range(50)])
    assert out.getvalue().count("\n") == 4
    screen.draw(["short"])
    assert out.getvalue().endswith("\x1b[4A\rshort\x1b[K\n\x1b[J")
