"""Sends the listeners' requests when they are due, however long the answers take (open loop)."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dev.load.connection import Answer, Connection, NoAnswer
from dev.load.tally import Tally, unit_of
from serving_image.training.population import Play, draw_play, infer_body


@dataclass(frozen=True)
class Load:
    """What to send where. Times in seconds; `rate` is requests per second on average, with Poisson gaps."""

    host: str
    port: int
    rate: float = 300.0
    seconds: float = 60.0
    connections: int = 64
    backlog: int = 512
    """Requests due and unanswered at most; beyond that they are skipped and counted as such, never sent late."""
    timeout: float = 10.0
    seed: int = 1
    model: str = "ranker"
    unit_header: str = "x-user-id"

    def request(self, play: Play) -> bytes:
        """The bytes of one inference request."""
        body = json.dumps(infer_body(play), separators=(",", ":")).encode()
        head = (
            f"POST /v2/models/{self.model}/infer HTTP/1.1\r\n"
            f"host: {self.host}:{self.port}\r\n"
            f"{self.unit_header}: {unit_of(play)}\r\n"
            "content-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def schedule(self) -> Iterator[tuple[float, Play]]:
        """When each request is due, seconds from the start, and what it is. The same for the same seed."""
        rng, due = random.Random(self.seed), 0.0  # noqa: S311 - a reproducible load, not a secret
        while (due := due + rng.expovariate(self.rate)) < self.seconds:
            yield due, draw_play(rng)


class Runner:
    """Plays a load once. `stop` ends it early; requests under way are waited for."""

    def __init__(self, load: Load, tally: Tally) -> None:
        self._load, self.tally = load, tally
        self._idle: list[Connection] = []
        self._slots = asyncio.Semaphore(load.connections)
        self._stopped = asyncio.Event()
        self._began = 0.0

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def stop(self) -> None:
        self._stopped.set()

    async def run(self, every_second: Callable[[Runner], None]) -> None:
        """Send everything, calling `every_second` meanwhile."""
        self._began = time.monotonic()
        reporting = asyncio.create_task(self._report(every_second))
        waiting: set[asyncio.Task[None]] = set()
        try:
            async with asyncio.TaskGroup() as under_way:
                for due, play in self._load.schedule():
                    if not await self._sleep_until(due):
                        break
                    if len(waiting) >= self._load.backlog:
                        self.tally.skipped += 1
                        continue
                    task = under_way.create_task(self._one(due, play))
                    waiting.add(task)
                    task.add_done_callback(waiting.discard)
        finally:
            reporting.cancel()
            for connection in self._idle:
                connection.close()

    async def _sleep_until(self, due: float) -> bool:
        """False when the load was stopped meanwhile."""
        if (ahead := due - self.elapsed) > 0:
            try:
                async with asyncio.timeout(ahead):
                    await self._stopped.wait()
            except TimeoutError:
                pass
        return not self._stopped.is_set()

    async def _report(self, every_second: Callable[[Runner], None]) -> None:
        while True:
            await asyncio.sleep(1)
            every_second(self)

    async def _one(self, due: float, play: Play) -> None:
        async with self._slots:
            if self._stopped.is_set():
                return
            outcome = await self._ask(play)
        self.tally.add(play, outcome, self.elapsed - due, self.elapsed)

    async def _ask(self, play: Play) -> Answer | NoAnswer:
        try:
            connection = self._idle_connection() or await Connection.open(
                self._load.host, self._load.port, self._load.timeout
            )
            answer = await connection.ask(self._load.request(play), self._load.timeout)
        except NoAnswer as failure:
            return failure
        if connection.usable:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def _idle_connection(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None
