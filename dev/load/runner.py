"""Sends the listeners' requests when they are due, however long the answers take (open loop)."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from dev.load.connection import Answer, Connection, NoAnswer
from dev.load.listeners import Listeners
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
    outcomes: bool = False
    """Whether listeners report what they played after each answer: a second request, not counted in `rate`."""

    def request(self, play: Play) -> bytes:
        """The bytes of one inference request."""
        return self._post(f"/v2/models/{self.model}/infer", play, infer_body(play))

    def report(self, play: Play, plays: int) -> bytes:
        """The bytes of one report: how many tracks were played in the session that `play` began."""
        return self._post("/v1/outcomes", play, {"plays": plays})

    def _post(self, path: str, play: Play, content: Mapping[str, object]) -> bytes:
        body = json.dumps(content, separators=(",", ":")).encode()
        head = (
            f"POST {path} HTTP/1.1\r\n"
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
        self._listeners = Listeners(load.seed) if load.outcomes else None
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
                for number, (due, play) in enumerate(self._load.schedule()):
                    if not await self._sleep_until(due):
                        break
                    if len(waiting) >= self._load.backlog:
                        self.tally.skipped += 1
                        continue
                    task = under_way.create_task(self._one(number, due, play))
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

    async def _one(self, number: int, due: float, play: Play) -> None:
        async with self._slots:
            if self._stopped.is_set():
                return
            outcome = await self._ask(self._load.request(play))
            self.tally.add(play, outcome, self.elapsed - due, self.elapsed)
            if self._listeners is not None and isinstance(outcome, Answer):
                await self._listen(self._listeners, number, play, outcome)

    async def _listen(self, listeners: Listeners, number: int, play: Play, answer: Answer) -> None:
        try:
            plays = listeners.plays(number, play, answer)
        except ValueError:
            self.tally.fail(play, "unreadable answer", self.elapsed)
            return
        reported = await self._ask(self._load.report(play, plays))
        self.tally.add_session(play, answer, plays, reported, self.elapsed)

    async def _ask(self, request: bytes) -> Answer | NoAnswer:
        try:
            connection = self._idle_connection() or await Connection.open(
                self._load.host, self._load.port, self._load.timeout
            )
            answer = await connection.ask(request, self._load.timeout)
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
