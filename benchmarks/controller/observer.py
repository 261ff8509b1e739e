"""What is seen of the rounds from outside, with the time at which it was seen (seconds since the epoch)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from benchmarks.controller import stage
from crossfade_operator.adapters.api import Api
from crossfade_operator.adapters.kubernetes import ENDPOINT
from crossfade_operator.adapters.watchcache import POD, Kind
from crossfade_operator.core.pods import is_ready
from crossfade_operator.ports.cluster import ClusterError

ASK_EVERY = 0.025
AGAIN_AFTER = 0.2
WATCH_FOR = 3600.0


@dataclass(frozen=True)
class Table:
    """A table that every router has confirmed, by the endpoint's status; `revision` is the candidate's, if any."""

    generation: int
    revision: str | None
    confirmed_at: float


class Observer:
    """Watches the endpoint and the pods, and asks every router which generation it runs."""

    def __init__(self, api: Api, routers: tuple[int, ...]) -> None:
        self._api = api
        self._routers = routers
        self._tables: list[Table] = []
        self._ready: dict[str, float] = {}
        self._run: dict[int, dict[int, float]] = {port: {} for port in routers}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Observer]:
        """While open, everything is noted."""
        work = [self._watch(ENDPOINT, self._endpoint), self._watch(POD, self._pod), *map(self._ask, self._routers)]
        tasks = [asyncio.create_task(one) for one in work]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def revision(self) -> str | None:
        """The last candidate that had a slice."""
        return next((one.revision for one in reversed(self._tables) if one.revision), None)

    def given(self, *, other_than: str | None) -> Table | None:
        """The newest confirmed table, once a candidate other than that has a slice in it."""
        newest = self._tables[-1] if self._tables else None
        return newest if newest and newest.revision not in (None, other_than) and self._seen_run(newest) else None

    def taken(self, *, after: Table) -> Table | None:
        """The first confirmed table without a slice, after that one."""
        without = (one for one in self._tables if one.generation > after.generation and one.revision is None)
        first = next(without, None)
        return first if first and self._seen_run(first) else None

    def _seen_run(self, table: Table) -> bool:
        return all(max(seen, default=0) >= table.generation for seen in self._run.values())

    def ready_at(self, revision: str | None) -> float:
        """When the last of a revision's pods was seen ready for the first time."""
        return max(at for name, at in self._ready.items() if name.startswith(f"{stage.ROLLOUT}-{revision}-"))

    def run_by_all(self, generation: int) -> float:
        """When the last router was first seen running that generation or a newer one."""
        return max(min(at for known, at in seen.items() if known >= generation) for seen in self._run.values())

    def _endpoint(self, obj: dict[str, Any]) -> None:
        status = obj.get("status", {})
        route = status.get("route") or {}
        generation = route.get("generation")
        if generation is None or route.get("confirmedGeneration") != generation or "confirmedAt" not in route:
            return
        if any(one.generation == generation for one in self._tables):
            return
        revision = next((one["revision"] for one in status.get("ledger") or () if one["arm"] == "candidate"), None)
        self._tables.append(Table(generation, revision, datetime.fromisoformat(route["confirmedAt"]).timestamp()))

    def _pod(self, obj: dict[str, Any]) -> None:
        if is_ready(obj):
            self._ready.setdefault(obj["metadata"]["name"], time.time())

    async def _watch(self, kind: Kind, note: Callable[[dict[str, Any]], None]) -> None:
        path = kind.collection(stage.NAMESPACE)
        while True:
            with contextlib.suppress(ClusterError):
                events = self._api.watch(path, query={}, accept="application/json", silence=WATCH_FOR)
                async with contextlib.aclosing(events):
                    async for event in events:
                        if event["type"] in ("ADDED", "MODIFIED"):
                            note(event["object"])
            await asyncio.sleep(AGAIN_AFTER)

    async def _ask(self, port: int) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    running = (await client.get("/generation")).raise_for_status().json()
                    self._run[port].setdefault(int(running["generation"]), time.time())
                await asyncio.sleep(ASK_EVERY)
