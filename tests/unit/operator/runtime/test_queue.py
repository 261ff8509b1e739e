"""Work queues on faked time: every wait is a decision about a number, none is slept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from crossfade_operator.ports.cluster import Conflict, NotLeader, Unreachable
from crossfade_operator.runtime.queue import WOKEN_WITHIN, Backoff, Delays, WorkQueue, wait_until_set
from tests.fakes.telemetry import FakeTelemetry

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Time:
    """A wall clock and a monotonic one that stand still until told; a wait ends when told time has passed."""

    def __init__(self) -> None:
        self.wall, self.steady = NOON, 0.0
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    async def pass_by(self, seconds: float) -> None:
        self.steady += seconds
        await self.set_wall(self.wall + timedelta(seconds=seconds))

    async def set_wall(self, wall: datetime) -> None:
        self.wall = wall
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
        await settle()

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        until = None if seconds is None else self.steady + seconds
        while not event.is_set() and (until is None or self.steady < until):
            waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self._moved.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()


class Work:
    """Records calls; answers or fails as told; can be held in the middle."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answer: Callable[[str], datetime | None] = lambda _: None
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0
        self.most_running = 0

    async def __call__(self, key: str) -> datetime | None:
        self.calls.append(key)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.gate.wait()
            return self.answer(key)
        finally:
            self.running -= 1


async def settle() -> None:
    """Let every task run until all wait for something."""
    for _ in range(50):
        await asyncio.sleep(0)


@asynccontextmanager
async def running(work: Work, time: Time, workers: int = 4) -> AsyncIterator[WorkQueue[str]]:
    queue: WorkQueue[str] = WorkQueue(
        "endpoint", work, time, FakeTelemetry(), workers=workers, monotonic=time.monotonic, wait=time.wait
    )
    task = asyncio.create_task(queue.run())
    await settle()
    yield queue
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_several_wakes_before_a_worker_is_free_are_one_call() -> None:
    work, time = Work(), Time()
    async with running(work, time) as queue:
        for _ in range(5):
            queue.wake("a")
        await settle()
        assert work.calls == ["a"]


async def test_a_wake_during_the_work_is_one_more_call_after_it_and_never_beside_it() -> None:
    work, time = Work(), Time()
    work.gate.clear()
    async with running(work, time) as queue:
        queue.wake("a")
        await settle()
        queue.wake("a")
        queue.wake("a")
        await settle()
        assert work.calls == ["a"]
        work.gate.set()
        await settle()
        assert work.calls == ["a", "a"]
        assert work.most_running == 1


async def test_different_keys_run_at_once_but_no_more_than_there_are_workers() -> None:
    work, time = Work(), Time()
    work.gate.clear()
    async with running(work, time, workers=2) as queue:
        for key in "abcd":
            queue.wake(key)
        await settle()
        assert work.calls == ["a", "b"]
        work.gate.set()
        await settle()
        assert sorted(work.calls) == ["a", "b", "c", "d"]
        assert work.most_running == 2


async def test_a_key_is_called_again_at_the_time_it_asked_for_and_not_before() -> None:
    work, time = Work(), Time()
    answers = iter([NOON + timedelta(seconds=10), None])
    work.answer = lambda _: next(answers)
    async with running(work, time) as queue:
        queue.wake("a")
        await settle()
        await time.pass_by(9.9)
        assert work.calls == ["a"]
        await time.pass_by(0.2)
        assert work.calls == ["a", "a"]
        await time.pass_by(3600)
        assert work.calls == ["a", "a"]


async def test_the_newest_answer_alone_says_when_to_call_again() -> None:
    work, time = Work(), Time()
    answers = iter([NOON + timedelta(seconds=10), NOON + timedelta(seconds=100), None])
    work.answer = lambda _: next(answers)
    async with running(work, time) as queue:
        queue.wake("a")
        await settle()
        queue.wake("a")
        await settle()
        assert len(work.calls) == 2
        await time.pass_by(50)
        assert len(work.calls) == 2
        await time.pass_by(51)
        assert len(work.calls) == 3


async def test_a_time_already_past_is_called_at_once() -> None:
    work, time = Work(), Time()
    answers = iter([NOON - timedelta(days=1), None])
    work.answer = lambda _: next(answers)
    async with running(work, time) as queue:
        queue.wake("a")
        await settle()
        assert work.calls == ["a", "a"]


async def test_a_wall_clock_set_forward_is_noticed_without_waiting_the_whole_time() -> None:
    work, time = Work(), Time()
    answers = iter([NOON + timedelta(hours=1), None])
    work.answer = lambda _: next(answers)
    async with running(work, time) as queue:
        queue.wake("a")
        await settle()
        await time.set_wall(NOON + timedelta(hours=2))
        await time.pass_by(15)
        assert work.calls == ["a", "a"]


async def test_a_wall_clock_set_back_does_not_stop_a_backed_off_key() -> None:
    work, time = Work(), Time()
    work.answer = _fails_once(Unreachable("down"))
    async with running(work, time) as queue:
        queue.wake("a")
        await settle()
        await time.set_wall(NOON - timedelta(days=1))
        await time.pass_by(1)
        assert work.calls == ["a", "a"]


@pytest.mark.parametrize("error", [Unreachable("down"), Conflict("changed"), ValueError("a defect")])
async def test_an_error_backs_off_the_key_and_success_forgets_it(error: Exception) -> None:
    work, time = Work(), Time()
    failing = True

    def answer(_: str) -> None:
        if failing:
            raise error

    work.answer = answer
    async with running(work, time) as queue:
        queue.wake("a")
        for _ in range(120):
            await time.pass_by(0.5)
        few = len(work.calls)
        assert 3 <= few <= 40, "doubling pauses: some retries within a minute, but no hot loop"
        failing = False
        await time.pass_by(60)
        healed = len(work.calls)
        await time.pass_by(3600)
        assert len(work.calls) == healed == few + 1


async def test_one_failing_key_does_not_hold_up_another() -> None:
    work, time = Work(), Time()

    def answer(key: str) -> None:
        if key == "bad":
            raise Unreachable("down")

    work.answer = answer
    async with running(work, time, workers=1) as queue:
        queue.wake("bad")
        queue.wake("good")
        await settle()
        assert work.calls == ["bad", "good"]


async def test_a_wake_cuts_a_long_back_off_to_a_second_and_no_shorter() -> None:
    work, time = Work(), Time()
    failures = 12

    def answer(_: str) -> None:
        if len(work.calls) <= failures:
            raise Unreachable("down")

    work.answer = answer
    async with running(work, time) as queue:
        queue.wake("a")
        while len(work.calls) < failures:
            await time.pass_by(1)
        for _ in range(100):
            queue.wake("a")
        await settle()
        assert len(work.calls) == failures
        await time.pass_by(WOKEN_WITHIN + 0.01)
        assert len(work.calls) == failures + 1


async def test_losing_the_lease_ends_the_queue() -> None:
    time = Time()

    async def work(_: str) -> None:
        raise NotLeader("another leads")

    queue: WorkQueue[str] = WorkQueue("endpoint", work, time, FakeTelemetry(), wait=time.wait)
    task = asyncio.create_task(queue.run())
    queue.wake("a")
    await settle()
    assert task.done()
    assert isinstance(task.exception(), ExceptionGroup)


async def test_an_idle_queue_has_no_timer() -> None:
    work, time = Work(), Time()
    waits: list[float | None] = []

    async def wait(event: asyncio.Event, seconds: float | None) -> None:
        waits.append(seconds)
        await time.wait(event, seconds)

    queue: WorkQueue[str] = WorkQueue("endpoint", work, time, FakeTelemetry(), wait=wait)
    task = asyncio.create_task(queue.run())
    queue.wake("a")
    await settle()
    assert waits == [None]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_every_call_is_told_with_its_outcome() -> None:
    work, time, telemetry = Work(), Time(), FakeTelemetry()
    work.answer = _fails_once(Conflict("changed"))
    queue: WorkQueue[str] = WorkQueue("endpoint", work, time, telemetry, monotonic=time.monotonic, wait=time.wait)
    task = asyncio.create_task(queue.run())
    queue.wake("a")
    await settle()
    await time.pass_by(1)
    outcomes = [args[1] for name, args, _ in telemetry.told if name == "reconciled"]
    assert outcomes == ["Conflict", "done"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_back_off_doubles_up_to_its_longest_and_stays_finite() -> None:
    backoff = Backoff(first=1, longest=30, jitter=0)
    assert [backoff.after(n) for n in (1, 2, 3, 6, 7, 10_000)] == [1, 2, 4, 30, 30, 30]


def test_back_off_is_spread_within_its_jitter() -> None:
    backoff = Backoff(first=1, longest=30, jitter=0.2)
    seen = {backoff.after(1) for _ in range(100)}
    assert len(seen) > 10
    assert all(0.8 <= pause <= 1.2 for pause in seen)


class TestDelays:
    def test_the_earliest_comes_first_and_only_once(self) -> None:
        now = 0.0
        delays: Delays[str] = Delays(lambda: now)
        delays.set("late", 5)
        delays.set("soon", 1)
        assert delays.wait() == 1
        now = 10
        assert delays.take_due() == ["soon", "late"]
        assert delays.take_due() == []
        assert delays.wait() is None

    def test_setting_a_key_again_replaces_its_time(self) -> None:
        now = 0.0
        delays: Delays[str] = Delays(lambda: now)
        delays.set("a", 1)
        delays.set("a", 5)
        now = 2
        assert delays.take_due() == []
        now = 5
        assert delays.take_due() == ["a"]

    def test_a_discarded_key_never_comes(self) -> None:
        delays: Delays[str] = Delays(lambda: 10)
        delays.set("a", 1)
        delays.discard("a")
        assert delays.take_due() == []
        assert "a" not in delays

    def test_hastening_never_delays(self) -> None:
        now = 0.0
        delays: Delays[str] = Delays(lambda: now)
        delays.set("a", 1)
        delays.hasten("a", 5)
        assert delays.wait() == 1
        delays.hasten("a", 0.5)
        assert delays.wait() == 0.5


async def test_waiting_ends_when_the_event_is_set_or_the_time_is_up() -> None:
    event = asyncio.Event()
    await asyncio.wait_for(wait_until_set(event, 0.001), 5)
    assert not event.is_set()
    event.set()
    await asyncio.wait_for(wait_until_set(event, None), 5)


def _fails_once(error: Exception) -> Callable[[str], None]:
    failures = iter([error])

    def answer(_: str) -> None:
        for failure in failures:
            raise failure

    return answer
