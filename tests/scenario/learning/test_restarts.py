"""Killed at any write, started twice, cut off, with a clock that jumps: nothing is skipped, doubled or invented."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest

from crossfade_operator.ports.cluster import ClusterError, Conflict, Unreachable
from crossfade_operator.ports.learning import Name
from crossfade_operator.runtime.learning.reconcile import ExperimentReconciler
from tests.fakes.cluster import Crash
from tests.scenario.learning import analyst as scripted
from tests.scenario.learning.world import NAME, World, experiment

PHASES = ["Draft", "InReview", "Approved", "Running", "Stopped", "Decided"]


async def play(world: World) -> None:
    """From nothing to a Ship."""
    world.analyzer.judge = scripted.better
    world.apply(experiment())
    await world.run(until=lambda: world.status.phase == "Stopped" and world.status.final)
    if world.obj()["spec"].get("decision") is None:
        world.decide("Ship")
    await world.until_phase("Decided")
    await world.run(until=lambda: world.arms() == set())


def assert_everything_happened_once(world: World) -> None:
    assert world.phases == PHASES
    assert world.actions == ["Run", "Stop", "Ship"]
    names = [obj["metadata"]["name"] for obj in world.cluster.all("Decision")]
    assert names == [f"two-tower-exp-{number:06d}" for number in (1, 2, 3)]
    started, stopped = world.status.started_at, world.status.transitions[-2].at
    assert started is not None
    assert stopped - started >= timedelta(minutes=10)


def failing_at(number: int, error: Callable[[], BaseException]) -> Callable[[str, str], None]:
    """A fault at the write of this number, counted from 0, and at no other."""
    counter = itertools.count()

    def fail(_verb: str, _kind: str) -> None:
        if next(counter) == number:
            raise error()

    return fail


async def test_killed_before_any_write_nothing_is_lost_or_doubled() -> None:
    world = World()
    await play(world)
    total = len(world.cluster.writes)
    assert total > 15
    for number in range(total):
        world = World()
        world.cluster.fail = failing_at(number, Crash)
        await play(world)
        assert_everything_happened_once(world)


async def test_killed_again_and_again_it_still_gets_there() -> None:
    world = World()
    counter = itertools.count(1)

    def fail(_verb: str, _kind: str) -> None:
        if next(counter) % 5 == 0:
            raise Crash

    world.cluster.fail = fail
    await play(world)
    assert_everything_happened_once(world)


@pytest.mark.parametrize("error", [Unreachable, Conflict])
async def test_an_api_server_that_fails_now_and_then_delays_and_nothing_else(error: type[ClusterError]) -> None:
    world = World()
    counter = itertools.count(1)

    def fail(_verb: str, _kind: str) -> None:
        if next(counter) % 7 == 0:
            raise error("the API server is having a bad day")

    world.cluster.fail = fail
    await play(world)
    assert_everything_happened_once(world)


class _Stale:
    """A cluster whose reads of the experiment are those of another moment."""

    def __init__(self, world: World) -> None:
        self._cluster, self._experiment = world.cluster, None

    async def freeze(self) -> None:
        self._experiment = await self._cluster.experiment(NAME)

    async def experiment(self, _name: Name) -> object:
        return self._experiment

    def __getattr__(self, name: str) -> object:
        return getattr(self._cluster, name)


def second_controller(world: World, stale: _Stale) -> ExperimentReconciler:
    return ExperimentReconciler(stale, world.analyzer, world.clock, world.telemetry)  # type: ignore[arg-type]


@pytest.mark.parametrize("phase", ["Approved", "Running", "Stopped"])
async def test_a_second_controller_with_an_old_picture_can_do_nothing(phase: str) -> None:
    world = World()
    world.analyzer.judge = scripted.better
    world.apply(experiment())
    await world.until_phase(phase)
    stale = _Stale(world)
    await stale.freeze()
    second = second_controller(world, stale)
    version = world.obj()["metadata"]["resourceVersion"]
    await world.run(until=lambda: world.obj()["metadata"]["resourceVersion"] != version)
    before, actions = world.status, world.actions
    world.clock.time += timedelta(minutes=1)
    with pytest.raises(Conflict):
        await second.reconcile(NAME)
    assert world.status == before
    assert set(world.actions) >= set(actions)
    if phase == "Stopped":
        world.decide("Ship")
    await world.until_phase("Decided") if phase == "Stopped" else await world.until_phase("Stopped")
    assert world.actions.count("Run") == 1


async def test_two_controllers_at_once_make_every_decision_once() -> None:
    world = World()
    first = world.reconciler
    second = ExperimentReconciler(world.cluster, world.analyzer, world.clock, world.telemetry)
    both = itertools.cycle([first, second])
    turn = world.turn

    async def alternate() -> object:
        world.reconciler = next(both)
        return await turn()

    world.turn = alternate  # type: ignore[method-assign,assignment]
    await play(world)
    assert_everything_happened_once(world)


async def test_restarted_at_every_turn_it_takes_no_look_early() -> None:
    world = World()
    world.apply(experiment())
    await world.until_phase("Running")
    for _ in range(50):
        world.restart()
        await world.turn()
        world.clock.time += timedelta(seconds=1)
    assert len(world.analyzer.asked) == 0


async def test_a_clock_that_jumps_back_ends_nothing_early() -> None:
    world = World()
    world.analyzer.judge = scripted.better
    world.apply(experiment())
    await world.until_phase("Running")
    await world.run(seconds=300)
    world.clock.time -= timedelta(hours=2)
    await world.run(seconds=600)
    assert world.status.phase == "Running"
    await world.until_phase("Stopped")
    assert world.status.started_at is not None
    assert world.status.transitions[-1].at - world.status.started_at >= timedelta(minutes=10)


async def test_a_clock_that_jumps_ahead_ends_a_run_at_its_longest_runtime() -> None:
    world = World()
    world.apply(experiment())
    await world.until_phase("Running")
    world.clock.time += timedelta(days=3)
    await world.until_phase("Stopped")
    assert world.status.transitions[-1].reason == "MaxRuntimeReached"


async def test_a_decision_of_that_name_that_says_something_else_is_left_and_another_number_taken() -> None:
    world = World()
    world.apply(experiment())
    await world.run(until=lambda: bool(world.status.pending))
    pending = world.status.pending
    subject = {**pending["subject"], "uid": "another"}
    name = "two-tower-exp-000001"
    found = world.cluster.get("Decision", "recs", name)
    if found is None:
        made = {"apiVersion": "crossfade.dev/v1alpha1", "kind": "Decision", "metadata": {"name": name}}
        made["metadata"] = {"name": name, "namespace": "recs"}  # type: ignore[assignment]
        world.cluster.put({**made, "spec": {**pending, "subject": subject}})
    await world.until_phase("Running")
    assert [obj["metadata"]["name"] for obj in world.cluster.all("Decision")] == [name, "two-tower-exp-000002"]
