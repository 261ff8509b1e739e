"""Whatever happens, no turn leaves the graph of stages, phases and reasons that the documentation shows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from crossfade_operator.api.modelrollout_status import ModelRolloutStatus, Stage
from crossfade_operator.core.rollout.graph import moves_between, reasons_of
from tests.scenario.test_invariants import EVENTS, Event, Watched
from tests.scenario.world import rollout


def stage_of(status: ModelRolloutStatus) -> Stage | None:
    return status.candidate.stage if status.candidate else None


def assert_on_the_graph(before: ModelRolloutStatus, after: ModelRolloutStatus) -> None:
    """From one recorded status to the next: at most one move, with its decision, and shown as the table says."""
    if after == before:
        return
    assert after.phase is not None
    assert after.reason in reasons_of(stage_of(after), after.phase), f"{stage_of(after)}: {after.phase} {after.reason}"
    moves = list(moves_between(stage_of(before), stage_of(after)))
    made = after.decision_count - before.decision_count
    assert made <= 1
    if made:
        last = after.decisions[-1]
        assert any(move.action is last.action and last.reason in move.reasons for move in moves), f"{before} -> {last}"
    elif stage_of(before) is not stage_of(after):
        assert any(move.action is None for move in moves), f"{stage_of(before)} -> {stage_of(after)} without a decision"


class Mapped(Watched):
    """A watched world whose every turn is followed on the graph."""

    async def turn(self) -> Any:
        before = self.status
        outcome = await super().turn()
        assert_on_the_graph(before, self.status)
        return outcome


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(EVENTS)
def test_no_turn_leaves_the_graph(events: list[Event]) -> None:
    async def play() -> None:
        world = Mapped()
        world.apply(rollout("v1"))
        await world.run(seconds=60)
        for what, value in events:
            await world.happen(what, value)

    asyncio.run(play())


async def test_a_jump_on_the_graph_is_noticed() -> None:
    world = Mapped()
    world.apply(rollout("v1"))
    await world.run(seconds=60)
    before = world.status
    world.apply(rollout("v2"))
    await world.until_step(1)
    with pytest.raises(AssertionError, match="without a decision"):
        assert_on_the_graph(before, world.status.model_copy(update={"decision_count": before.decision_count}))
    with pytest.raises(AssertionError, match="Paused"):
        assert_on_the_graph(before, world.status.model_copy(update={"phase": "Paused", "reason": "Analyzing"}))
