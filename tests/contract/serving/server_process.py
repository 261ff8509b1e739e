"""A model server in a process of its own, as a container would run it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

PATIENCE = 60.0
"""Seconds to wait for anything before giving up."""


class ServerProcess:
    """A started server; its log lines are kept and can be waited for."""

    def __init__(self, *options: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CROSSFADE_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "crossfade_serving", "--http-port", "0", "--grpc-port", "0", *options],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.lines: list[dict[str, Any]] = []
        self.raw: list[str] = []
        self._arrived: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, event: str) -> dict[str, Any]:
        """Return the next log line with this event; lines before it are passed over."""
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._arrived.get(timeout=min(left, 0.2))
            except queue.Empty:
                if self.process.poll() is not None and self._arrived.empty() and not self._reader.is_alive():
                    break
                continue
            if line["event"] == event:
                return line
        raise AssertionError(f"no log line {event!r}; exit code {self.process.poll()}; log:\n" + "\n".join(self.raw))

    def wait_for_exit(self) -> int:
        """Return the exit code, once all of the log has been read."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def terminate(self) -> None:
        """Send SIGTERM, as the kubelet does."""
        self.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """End the process, whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait_for_exit()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for text in self.process.stderr:
            self.raw.append(text.rstrip())
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                continue
            self.lines.append(line)
            self._arrived.put(line)


class Server:
    """A server that is listening, with an HTTP client for it."""

    def __init__(self, process: ServerProcess) -> None:
        self.process = process
        listening = process.wait_for("listening")
        self.http_address = f"http://127.0.0.1:{listening['http_port']}"
        self.grpc_address = f"127.0.0.1:{listening['grpc_port']}"
        self.http = httpx.Client(base_url=self.http_address, timeout=PATIENCE)

    def infer(self, name: str, tensor: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
        """Send a request with one input."""
        return self.http.post(f"/v2/models/{name}/infer", json={"inputs": [tensor]}, headers=headers)

    def metric(self, name: str, **labels: str) -> float | None:
        """Return the value of one series of ``/metrics``, or ``None`` if there is none."""
        for family in text_string_to_metric_families(self.http.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Ask until the condition holds; each question is a request, so this does not spin."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, f"gave up waiting until {what}; log:\n" + "\n".join(self.process.raw)


@contextmanager
def running(*options: str, ready: bool = True) -> Iterator[Server]:
    """Run a server for the length of the block."""
    process = ServerProcess(*options)
    try:
        server = Server(process)
        with server.http:
            if ready:
                process.wait_for("ready")
            yield server
    finally:
        process.close()
