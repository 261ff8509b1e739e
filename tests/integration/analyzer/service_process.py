"""The analyzer as it is run: a process of its own, spoken to over HTTP."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from crossfade_analyzer.contract import Evaluation, EvaluationRequest
from tests.integration.analyzer.prometheus_server import eventually


def run(*arguments: str, store: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one verb of the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "crossfade_analyzer", *arguments],
        env={**os.environ, "CROSSFADE_STORE_URL": store, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


class Service:
    """`crossfade-analyzer serve` on a free loopback port."""

    def __init__(self, prometheus_url: str, store: str, directory: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.url = f"http://{address}"
        self._log = directory / "analyzer.log"
        self._environment = {
            **os.environ,
            "CROSSFADE_STORE_URL": store,
            "CROSSFADE_PROMETHEUS_URL": prometheus_url,
            "CROSSFADE_LISTEN": address,
            "CROSSFADE_ROUTER_FRESHNESS": "5",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "crossfade_analyzer", "serve"], env=self._environment, stdout=log, stderr=log
            )
        eventually(f"the analyzer is ready (see {self._log})", self._ready, 180)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def evaluate(self, request: EvaluationRequest) -> Evaluation:
        answer = self.post("/v1/evaluations", request.model_dump_json(by_alias=True))
        assert answer.status_code == 200, answer.text
        return Evaluation.model_validate_json(answer.content)

    def post(self, path: str, body: str) -> httpx.Response:
        headers = {"content-type": "application/json"}
        return httpx.post(self.url + path, content=body, headers=headers, timeout=60)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=30)

    def _ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self.get("/readyz").status_code == 200
        return False
