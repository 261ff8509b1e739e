"""Clients that count: one that asks for many units in a row, and one that keeps asking in the background."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

LOOPBACK = "127.0.0.1"
_BATCH = 200
_CONNECTIONS = 16


@dataclass
class Response:
    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """A keep-alive HTTP/1.1 connection; it obeys `connection: close`, and says when the peer broke its word."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._open()

    def _open(self) -> None:
        self._socket = socket.create_connection((LOOPBACK, self.port), timeout=20)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb")

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

    def send(self, raw: bytes) -> None:
        self._socket.sendall(raw)

    def receive(self) -> Response:
        """The next response; raises ConnectionError when the connection ended before it was complete."""
        line = self._reader.readline()
        if not line:
            raise ConnectionResetError("closed before the response")
        headers = dict(self._header_lines())
        length = int(headers.get("content-length", 0))
        body = self._reader.read(length)
        if len(body) < length:
            raise ConnectionResetError("closed within the response")
        return Response(int(line.split()[1]), headers, body)

    def _header_lines(self) -> Iterable[tuple[str, str]]:
        while (line := self._reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            yield name.lower(), value.strip()

    def reopen(self) -> None:
        self.close()
        self._open()


def request(unit: str | None, extra: str = "") -> bytes:
    """A small GET as bytes; `extra` are whole header lines."""
    who = "" if unit is None else f"x-user-id: {unit}\r\n"
    return f"GET /v2/models/m/infer HTTP/1.1\r\nhost: model\r\n{who}{extra}\r\n".encode()


def ask_all(port: int, units: Sequence[str]) -> list[Response]:
    """One response for each unit, in order: pipelined on several connections, so that 100,000 take half a minute.

    One connection alone would wait for the scheduler twice a request on a busy machine.
    """
    share = -(-len(units) // _CONNECTIONS)
    shares = [units[start : start + share] for start in range(0, len(units), share)]
    with ThreadPoolExecutor(_CONNECTIONS) as threads:
        return [answer for answers in threads.map(lambda mine: _ask_in_turn(port, mine), shares) for answer in answers]


def _ask_in_turn(port: int, units: Sequence[str]) -> list[Response]:
    answers: list[Response] = []
    with contextlib.closing(Connection(port)) as connection:
        while len(answers) < len(units):
            batch = units[len(answers) : len(answers) + _BATCH]
            connection.send(b"".join(map(request, batch)))
            for _ in batch:
                answers.append(connection.receive())
                if answers[-1].headers.get("connection") == "close":
                    # What was sent after this request was not read: the outer loop sends it again.
                    connection.reopen()
                    break
    return answers


@dataclass
class Load:
    """Background clients, each with a connection of its own, each request for another user. Everything is counted."""

    port: int
    clients: int = 4
    pause: float = 0.0
    seen: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    """Responses by status, who answered, and what the model was told (`arm/bucket`)."""
    broken: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,), daemon=True) for n in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(timeout=30)

    @property
    def requests(self) -> int:
        return sum(self.seen.values())

    @property
    def failed(self) -> int:
        return len(self.broken) + sum(count for (status, *_), count in self.seen.items() if status != 200)

    def arms(self) -> Counter[str]:
        """Responses by the arm that the model was told."""
        found: Counter[str] = Counter()
        for (_, _, told), count in self.seen.items():
            found[told.partition("/")[0]] += count
        return found

    def wait_for(self, more: int, deadline: float = 30.0) -> None:
        """Return when so many more requests were answered."""
        goal, until = self.requests + more, time.monotonic() + deadline
        while self.requests < goal:
            if time.monotonic() > until:
                raise AssertionError(f"{self.requests} of {goal} requests answered after {deadline:g} s: {self.seen}")
            time.sleep(0.01)

    def _ask(self, client: int) -> None:
        connection, number = Connection(self.port), 0
        while not self._ending.is_set():
            number += 1
            try:
                connection.send(request(f"client-{client}-{number}"))
                answer = connection.receive()
                told = (answer.headers.get("x-revision", ""), answer.headers.get("x-seen", ""))
                self.seen[answer.status, *told] += 1
                if answer.headers.get("connection") == "close":
                    connection.reopen()
            except OSError as error:
                self.broken.append(f"{type(error).__name__}: {error}")
                connection.reopen()
            if self.pause:
                self._ending.wait(self.pause)
        connection.close()


def told(answer: Response) -> tuple[str, str]:
    """Arm and bucket, as the model server was told them."""
    parts = re.fullmatch(r"(.*)/(.*)", answer.headers["x-seen"])
    assert parts, answer.headers
    return parts[1], parts[2]
