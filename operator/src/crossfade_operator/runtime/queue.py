"""Work by key: never twice at once for one key, wakes coalesced, later wakes at absolute times, errors backed off.

    wake ──► ready ──► a worker ──► done: wait for `requeue_at`
               ▲                └─► failed: wait, twice as long each time
               └── woken meanwhile

Two kinds of waits: `requeue_at` is a time of day and follows the wall clock when that is set; a back-off is a
duration and does not. A key without either costs nothing.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from crossfade_operator.ports.clock import Clock
from crossfade_operator.ports.cluster import ClusterError, Conflict, NotLeader
from crossfade_operator.ports.telemetry import WorkTelemetry

logger = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Backoff:
    """Seconds to wait after the n-th failure in a row: `first` x 2^(n-1), at most `longest`, spread by `jitter`."""

    first: float = 0.25
    longest: float = 30.0
    jitter: float = 0.2

    def after(self, failures: int) -> float:
        pause = min(self.first * 2.0 ** min(failures - 1, 30), self.longest)
        return pause * random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 - spreads load, hides nothing


CONFLICT = Backoff(first=0.02, longest=5.0, jitter=0.5)
FAILURE = Backoff()
WOKEN_WITHIN = 1.0
"""A wake cuts a back-off down to this many seconds: news may have healed it, but must not make a hot loop."""
LOOK_AGAIN = 15.0
"""Seconds; how late a set wall clock is noticed."""


class Delays(Generic[K]):
    """Keys and when they are due, on one clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = 0

    def __contains__(self, key: K) -> bool:
        return key in self._due

    def set(self, key: K, due: float) -> None:
        self._due[key] = due
        self._order += 1
        heapq.heappush(self._heap, (due, self._order, key))

    def hasten(self, key: K, due: float) -> None:
        """Make `key` due at `due` at the latest."""
        if due < self._due[key]:
            self.set(key, due)

    def discard(self, key: K) -> None:
        self._due.pop(key, None)

    def take_due(self) -> list[K]:
        """Remove and return the keys whose time has come, the earliest first."""
        due = []
        while self._next() is not None and self._heap[0][0] <= self._now():
            key = heapq.heappop(self._heap)[2]
            del self._due[key]
            due.append(key)
        return due

    def wait(self) -> float | None:
        """Seconds until the next key is due; None when there is none."""
        due = self._next()
        return None if due is None else max(due - self._now(), 0.0)

    def _next(self) -> float | None:
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None


async def wait_until_set(event: asyncio.Event, seconds: float | None) -> None:
    """Return when `event` is set or `seconds` have passed."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


class WorkQueue(Generic[K]):
    """Calls `work(key)` for every key that is woken; its answer is when to call again, if at all."""

    def __init__(
        self,
        name: str,
        work: Callable[[K], Awaitable[datetime | None]],
        clock: Clock,
        telemetry: WorkTelemetry,
        *,
        workers: int = 4,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[asyncio.Event, float | None], Awaitable[None]] = wait_until_set,
    ) -> None:
        self._name = name
        self._work = work
        self._telemetry = telemetry
        self._workers = workers
        self._monotonic = monotonic
        self._wait = wait
        self._later: Delays[K] = Delays(lambda: clock.now().timestamp())
        self._backed_off: Delays[K] = Delays(monotonic)
        self._failures: dict[K, int] = {}
        self._ready: deque[K] = deque()
        self._waiting: set[K] = set()
        self._running: set[K] = set()
        self._woken_meanwhile: set[K] = set()
        self._timer_changed = asyncio.Event()
        self._arrived = asyncio.Semaphore(0)

    def wake(self, key: K) -> None:
        """Call `work(key)` soon; once, however often this is called until then."""
        if key in self._running:
            self._woken_meanwhile.add(key)
        elif key in self._backed_off:
            self._backed_off.hasten(key, self._monotonic() + WOKEN_WITHIN)
            self._timer_changed.set()
        else:
            self._later.discard(key)
            self._make_ready(key)

    async def run(self) -> None:
        """Work until cancelled, or until `work` raises `NotLeader`, which ends all of it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_time(), name=f"{self._name}: timer")
            for number in range(self._workers):
                group.create_task(self._serve(), name=f"{self._name}: worker {number}")

    def _make_ready(self, key: K) -> None:
        if key not in self._waiting:
            self._waiting.add(key)
            self._ready.append(key)
            self._arrived.release()
            self._telemetry.queued(self._name, len(self._ready))

    async def _keep_time(self) -> None:
        while True:
            self._timer_changed.clear()
            for key in (*self._later.take_due(), *self._backed_off.take_due()):
                self._make_ready(key)
            waits = [wait for wait in (self._later.wait(), self._backed_off.wait()) if wait is not None]
            await self._wait(self._timer_changed, min(*waits, LOOK_AGAIN) if waits else None)

    async def _serve(self) -> None:
        while True:
            await self._arrived.acquire()
            key = self._ready.popleft()
            self._waiting.discard(key)
            self._telemetry.queued(self._name, len(self._ready))
            self._running.add(key)
            try:
                await self._attempt(key)
            finally:
                self._running.discard(key)
            if key in self._woken_meanwhile:
                self._woken_meanwhile.discard(key)
                self.wake(key)

    async def _attempt(self, key: K) -> None:
        began = self._monotonic()
        outcome = "done"
        try:
            again = await self._work(key)
        except NotLeader:
            raise
        except Exception as error:
            outcome = type(error).__name__
            self._back_off(key, error)
        else:
            self._failures.pop(key, None)
            if again is not None:
                self._later.set(key, again.timestamp())
                self._timer_changed.set()
        finally:
            self._telemetry.reconciled(self._name, outcome, self._monotonic() - began)

    def _back_off(self, key: K, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        backoff = CONFLICT if isinstance(error, Conflict) else FAILURE
        pause = backoff.after(failures)
        self._backed_off.set(key, self._monotonic() + pause)
        self._timer_changed.set()
        if isinstance(error, Conflict):
            logger.debug("%s %s changed while it was worked on; again in %.2f s", self._name, key, pause)
        elif isinstance(error, ClusterError):
            logger.warning("%s %s failed; again in %.1f s: %s", self._name, key, pause, error)
        else:
            logger.error("%s %s failed unexpectedly; again in %.1f s", self._name, key, pause, exc_info=error)
