"""Load from wrk, and what it cost the Envoy that took it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.dataplane.rig import LOOPBACK, Envoy

CONNECTIONS = 32


@dataclass(frozen=True)
class Result:
    """`cpu_us` is user and system time of the Envoy per request; latencies are of the client, in microseconds."""

    requests: int
    failed: int
    rps: float
    p50_us: int
    p99_us: int
    cpu_us: float


class Wrk:
    """A running wrk; `finish` waits for its end."""

    def __init__(self, envoy: Envoy, port: int, seconds: int) -> None:
        program = shutil.which("wrk")
        if not program:
            raise SystemExit("wrk is missing: install it (Debian: apt-get install wrk)")
        script = str(Path(__file__).with_name("users.lua"))
        command = [program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script, f"http://{LOOPBACK}:{port}"]
        self._envoy, self._before = envoy, envoy.cpu_seconds()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def finish(self) -> Result:
        output, _ = self._process.communicate()
        found = re.search(r"^RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$", output, re.MULTILINE)
        if not found:
            raise SystemExit(f"wrk did not report:\n{output}")
        requests, duration, p50, p99, status, broken = map(int, found.groups())
        spent = self._envoy.cpu_seconds() - self._before
        return Result(
            requests=requests,
            failed=status + broken,
            rps=requests / duration * 1e6,
            p50_us=p50,
            p99_us=p99,
            cpu_us=spent / max(requests, 1) * 1e6,
        )


def run(envoy: Envoy, port: int, seconds: int) -> Result:
    """One slice of load."""
    return Wrk(envoy, port, seconds).finish()
