"""Instructions per request, counted by callgrind: unlike CPU time they hardly depend on how busy the machine is.

Only the worker thread is counted, and only once its counters and connections exist. Under callgrind everything takes
some fifty times as long, so latency bounds are chosen to be met or not, not left to chance.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.dataplane.rig import LOOPBACK, Envoy, stopping

UNSEEN = tuple(f"{minutes}m" for minutes in range(11, 20))
"""As many latency bounds as by default, none of which a request meets."""
SEEN = ("1ms", "2ms", "3ms")
"""Bounds that every request meets under callgrind."""

CONNECTIONS = 4
_WARM_UP, _COUNTED = 3000, 800


class Counted(Envoy):
    """An Envoy under callgrind, which counts nothing until it is told to."""

    ready_within = 900.0

    def wrapped(self, config: Path) -> list[str]:
        program = shutil.which("valgrind")
        if not program:
            raise SystemExit("valgrind is missing: install it (Debian: apt-get install valgrind)")
        self._output = config.with_suffix(".callgrind")
        options = ["--instr-atstart=no", "--separate-threads=yes", f"--callgrind-out-file={self._output}"]
        return [program, "--tool=callgrind", *options]

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what happens within the context."""
        self._control("-i", "on")
        yield
        self._control("-i", "off")
        self._control("-d")

    def instructions(self) -> int:
        """What the busiest thread, the worker, has executed while they were counted."""
        parts = self._output.parent.glob(f"{self._output.name}.1-*")
        found = [re.search(r"^totals: (\d+)", part.read_text(), re.MULTILINE) for part in parts]
        return max(int(one[1]) for one in found if one)

    def _control(self, *arguments: str) -> None:
        command = ["callgrind_control", *arguments, str(self.process.pid)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)


class Counting(Protocol):
    """A plain Envoy or a router that runs under callgrind."""

    envoy: Any

    @property
    def port(self) -> int: ...

    def stop(self) -> None: ...


@dataclass
class Users:
    """Users one after the other, each with an id of its own, on kept connections."""

    port: int
    sent: int = 0
    connections: list[socket.socket] = field(default_factory=list)

    def ask(self, requests: int) -> None:
        """Send so many, one at a time on each connection; those that the server ends are replaced."""
        for _ in range(requests // CONNECTIONS):
            while len(self.connections) < CONNECTIONS:
                self.connections.append(socket.create_connection((LOOPBACK, self.port), timeout=120))
            self._ask_on_each()

    def close(self) -> None:
        for one in self.connections:
            one.close()

    def _ask_on_each(self) -> None:
        for one in self.connections:
            self.sent += 1
            user = f"user-{self.sent * 7919}"
            head = f"GET /v2/models/ranker/infer HTTP/1.1\r\nhost: model\r\nx-user-id: {user}\r\n"
            one.sendall(f"{head}cookie: theme=dark; uid={user}\r\n\r\n".encode())
        self.connections = [one for one in self.connections if self._answered(one)]

    @staticmethod
    def _answered(connection: socket.socket) -> bool:
        """Whether the connection can be used again."""
        answer = b""
        while not answer.endswith(b"{}"):
            part = connection.recv(65536)
            if not part:
                raise SystemExit(f"the Envoy ended a connection within an answer: {answer!r}")
            answer += part
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"the Envoy refused a request: {answer!r}")
        if b"connection: close" not in answer:
            return True
        connection.close()
        return False


def per_request(one: Counting) -> float:
    """Instructions of the worker for one request."""
    with stopping(one), closing(Users(one.port)) as users:
        users.ask(_WARM_UP)
        with one.envoy.counting():
            users.ask(_COUNTED)
        return float(one.envoy.instructions()) / _COUNTED
