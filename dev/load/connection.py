"""One HTTP/1.1 keep-alive connection. Nothing is ever sent twice: what fails here is what a user would have seen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httptools

DIGEST_HEADER = b"x-model-digest"


@dataclass(frozen=True)
class Answer:
    """A complete HTTP answer. `digest` names the model that gave it; None when no model server did."""

    status: int
    digest: str | None
    body: bytes = b""


class NoAnswer(Exception):
    """The connection could not be made, broke, or took too long; `str` is the kind, such as `reset`."""


class Connection(asyncio.Protocol):
    """Carries one request at a time; made by `Connection.open`."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._digest: str | None = None
        self._body = bytearray()
        self._keep_alive = True

    @classmethod
    async def open(cls, host: str, port: int, seconds: float) -> Connection:
        """Connect within `seconds`; raises `NoAnswer`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                _, connection = await loop.create_connection(cls, host, port)
        except TimeoutError:
            raise NoAnswer("connect timeout") from None
        except OSError as error:
            raise NoAnswer("refused" if isinstance(error, ConnectionRefusedError) else "unreachable") from error
        return connection

    @property
    def usable(self) -> bool:
        """Whether another request may be sent: the peer has not closed and does not mean to."""
        return self._keep_alive and self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes, seconds: float) -> Answer:
        """Send one request and wait for its whole answer; raises `NoAnswer`."""
        if self._transport is None or not self.usable:
            raise NoAnswer("closed")
        self._waiting = asyncio.get_running_loop().create_future()
        self._digest = None
        self._body.clear()
        self._transport.write(request)
        try:
            async with asyncio.timeout(seconds):
                return await self._waiting
        except TimeoutError:
            self.close()
            raise NoAnswer("timeout") from None
        finally:
            self._waiting = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_connection makes
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("not HTTP")
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._keep_alive = False
        self._fail("reset" if error else "closed before the answer")

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == DIGEST_HEADER:
            self._digest = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        answer = Answer(self._parser.get_status_code(), self._digest, bytes(self._body))
        self._keep_alive = self._parser.should_keep_alive()
        self._parser = httptools.HttpResponseParser(self)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)

    def _fail(self, kind: str) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(NoAnswer(kind))
