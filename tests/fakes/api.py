"""A scripted API server for adapters: answers by method and path, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

Answer = dict[str, Any] | Exception


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    content_type: str


class FakeApi:
    """Stands in for `adapters.api.Api`. `answer` gives or raises; watches give `events`, then hang or raise."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.watched: list[Asked] = []
        self.events: asyncio.Queue[dict[str, Any] | Exception | None] = asyncio.Queue()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        within: float = 10.0,
    ) -> dict[str, Any]:
        asked = Asked(method, path, dict(query or {}), body, content_type)
        self.asked.append(asked)
        answer = self.answer(asked)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def watch(
        self, path: str, *, query: Mapping[str, str], accept: str, silence: float
    ) -> AsyncGenerator[dict[str, Any]]:
        self.watched.append(Asked("WATCH", path, dict(query), None, accept))
        while (event := await self.events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event

    def sent(self, method: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == method]
