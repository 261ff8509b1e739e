"""The listeners: `python -m dev.load` as a process of its own, so that the show never slows the load."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.cluster.errors import ClusterError
from dev.cluster.paths import REPOSITORY

_STOP_SECONDS = 20.0
Summary = Mapping[str, Any]
_NOTHING: Summary = {
    "requests": 0, "sessions": 0, "users": 0, "rate": 0.0, "models": {}, "failed": {"requests": 0, "kinds": {}},
}  # fmt: skip


@dataclass(frozen=True)
class Answered:
    """What one model has answered so far."""

    requests: int = 0
    users: int = 0


class Traffic:
    """Runs while the context is open; `latest` is the newest summary, at most a second old."""

    def __init__(
        self,
        port: int,
        *,
        rate: float,
        seconds: float,
        seed: int = 1,
        slices: Path | None = None,
        outcomes: bool = False,
    ) -> None:
        self._arguments = [
            f"http://127.0.0.1:{port}", "--rate", f"{rate:g}", "--seconds", f"{seconds:g}", "--seed", str(seed),
            "--json-lines", *(("--slices", str(slices)) if slices else ()), *(("--outcomes",) if outcomes else ()),
        ]  # fmt: skip
        self._latest = _NOTHING
        self._process: subprocess.Popen[str] | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Traffic:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dev.load", *self._arguments], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def latest(self) -> Summary:
        if self._process is not None and self._process.poll() not in (None, 0, 1):
            raise ClusterError(f"the load ended with status {self._process.returncode}", "try: python -m dev.load -h")
        return self._latest

    @property
    def failed(self) -> int:
        """Requests that failed, beyond what the models fail themselves."""
        return int(self.latest["failed"]["requests"])

    def answered_by(self, model: str) -> Answered:
        seen = self.latest["models"].get(model)
        return Answered(seen["requests"], seen["users"]) if seen else Answered()

    def stop(self) -> Summary:
        """End the load, requests under way included, and return its last summary."""
        process = self._process
        if process is not None and process.stdout is not None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._reader.join(_STOP_SECONDS)
            process.stdout.close()
        return self._latest

    def _read(self) -> None:
        assert self._process is not None  # noqa: S101 - started before this thread
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        for line in self._process.stdout:
            self._latest = json.loads(line)
