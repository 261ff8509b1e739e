"""Killed at any moment, started twice, restarted in a loop, cut off from the API server: no step is lost or doubled."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest

from crossfade_operator.ports.cluster import ClusterError, Conflict, Unreachable
from crossfade_operator.runtime.reconcile import Reconciler, ReconcileSettings
from tests.fakes.cluster import Crash
from tests.scenario.world import KEY, STEPS, World, rollout

PROMOTION = ["Start", "Promote", "Start", "Advance", "Advance", "Advance", "Promote"]
HOLDS = [timedelta(minutes=minutes) for minutes in (1, 2, 3)]


async def play(world: World) -> None:
    """From nothing to v2 in front of everyone."""
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    world.apply(rollout("v2"))
    await world.run(until=lambda: world.status.phase != "Promoted")
    await world.until_phase("Promoted")


def assert_every_step_was_taken_once_and_in_time(world: World) -> None:
    assert world.actions == PROMOTION
    moves = [decision.at for decision in world.status.decisions if decision.action.value in ("Advance", "Promote")][1:]
    for (earlier, later), hold in zip(itertools.pairwise(moves), HOLDS, strict=True):
        assert later - earlier >= hold
        assert later - earlier < hold + timedelta(seconds=30)


def failing_at(number: int, error: Callable[[], BaseException]) -> Callable[[str, str], None]:
    """A fault at the write of this number, counted from 0, and at no other."""
    counter = itertools.count()

    def fail(_verb: str, _kind: str) -> None:
        if next(counter) == number:
            raise error()

    return fail


async def writes_of_a_promotion() -> int:
    world = World()
    await play(world)
    return len(world.cluster.writes)


async def test_killed_at_any_write_no_step_is_lost_or_doubled() -> None:
    total = await writes_of_a_promotion()
    for number in range(0, total, max(1, total // 60)):
        world = World()
        world.cluster.fail = failing_at(number, Crash)
        await play(world)
        assert_every_step_was_taken_once_and_in_time(world)


async def test_killed_again_and_again_it_still_gets_there() -> None:
    world = World()
    counter = itertools.count(1)

    def fail(_verb: str, _kind: str) -> None:
        if next(counter) % 23 == 0:
            raise Crash

    world.cluster.fail = fail
    await play(world)
    assert_every_step_was_taken_once_and_in_time(world)


async def test_restarted_at_every_turn_it_takes_no_step_early() -> None:
    world = World()
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    world.apply(rollout("v2"))
    await world.until_step(1)
    for _ in range(50):
        world.restart()
        await world.turn()
        world.clock.time += timedelta(milliseconds=500)
    assert world.status.step == 1


@pytest.mark.parametrize("error", [Unreachable, Conflict])
async def test_an_api_server_that_fails_now_and_then_delays_and_nothing_else(error: type[ClusterError]) -> None:
    world = World()
    counter = itertools.count(1)

    def fail(_verb: str, _kind: str) -> None:
        if next(counter) % 17 == 0:
            raise error("the API server is having a bad day")

    world.cluster.fail = fail
    await play(world)
    assert_every_step_was_taken_once_and_in_time(world)


class _Stale:
    """A cluster whose reads of primaries are those of another moment."""

    def __init__(self, world: World) -> None:
        self._cluster = world.cluster
        self._endpoint, self._rollouts = None, None

    async def freeze(self) -> None:
        self._endpoint, self._rollouts = await self._cluster.endpoint(KEY), await self._cluster.rollouts(KEY)

    async def endpoint(self, _key: object) -> object:
        return self._endpoint

    async def rollouts(self, _key: object) -> object:
        return self._rollouts

    def __getattr__(self, name: str) -> object:
        return getattr(self._cluster, name)


async def test_a_second_controller_with_an_old_picture_cannot_take_a_step() -> None:
    world = World()
    world.apply(rollout("v1"))
    await world.until_phase("Promoted")
    world.apply(rollout("v2"))
    await world.until_step(1)
    assert world.status.candidate is not None
    world.clock.time += timedelta(minutes=1)
    stale = _Stale(world)
    await stale.freeze()
    settings = ReconcileSettings(router_image="envoy:test")
    second = Reconciler(stale, world.routers, world.verdicts, world.clock, world.telemetry, settings)  # type: ignore[arg-type]
    await world.turn()
    assert world.status.decisions[-1].slice == STEPS[1]["slice"]
    before = world.status
    with pytest.raises(Conflict):
        await second.reconcile(KEY)
    assert world.status == before
