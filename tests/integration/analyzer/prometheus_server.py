"""A real Prometheus on loopback, and exporters served to it over HTTP."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from dev.cluster import packages
from tests.fakes.exporter import Exporter

SCRAPE_SECONDS = 1.0


def eventually(what: str, probe: Callable[[], object], seconds: float = 40.0) -> None:
    """Wait until `probe` is truthy; fail with what was seen last."""
    deadline = time.monotonic() + seconds
    seen: object = None
    while time.monotonic() < deadline:
        seen = probe()
        if seen:
            return
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds:g} s; last seen: {seen!r}")


class Served:
    """An exporter behind HTTP. `delay`: seconds it lets every scrape wait."""

    def __init__(self, exporter: Exporter) -> None:
        self.exporter, self.delay = exporter, 0.0
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                time.sleep(served.delay)
                body = exporter.body()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.send_response(500 if exporter.failing else 200)
                    self.send_header("Content-Type", exporter.content_type)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class PrometheusServer:
    """One Prometheus process; targets by job, changed at run time. `flags` are added to its command line."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self._directory, self._flags = directory, flags
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._targets = directory / "targets"
        self._targets.mkdir(parents=True, exist_ok=True)
        self._jobs: dict[str, list[Mapping[str, Any]]] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        packages.ensure(packages.PROMETHEUS, purpose="tests on a real Prometheus")
        program = shutil.which("prometheus", path=packages.SYSTEM_PATH)
        assert program
        self._write_config()
        with (self._directory / "prometheus.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    f"--config.file={self._directory / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._directory / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                    "--web.enable-lifecycle",
                    *self._flags,
                ],
                stdout=log,
                stderr=log,
            )
        eventually("Prometheus is ready", self._ready)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
            self._process = None

    def suspend(self) -> None:
        """Let it hang: it accepts connections and answers nothing."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def scrape(self, job: str, *addresses: str, relabel: Mapping[str, Any] | None = None) -> None:
        """Scrape these addresses as a job from now on. `relabel`: one metric_relabel_configs entry."""
        _replace(self._targets / f"{job}.json", json.dumps([{"targets": list(addresses)}]))
        rules = [relabel] if relabel else []
        if self._jobs.get(job) != rules:
            self._jobs[job] = rules
            self._write_config()
            httpx.post(f"{self.url}/-/reload", timeout=20).raise_for_status()

    def query(self, query: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=20).json()
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def scraped(self, *served: Served, times: int = 1) -> None:
        """Wait until Prometheus has stored so many more scrapes, begun after now, of each of these."""
        begun = time.time()

        def stored(one: Served) -> bool:
            span = max(round((time.time() - begun) * 1000), 1)
            found = self.query(f'up{{instance="{one.address}"}}[{span}ms]')
            return any(len([at for at, _ in item["values"] if float(at) > begun]) >= times for item in found)

        for one in served:
            eventually(f"{times} scrapes of {one.address}", lambda one=one: stored(one))  # type: ignore[misc]

    def _ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/-/ready", timeout=1).status_code == 200
        return False

    def _write_config(self) -> None:
        jobs = [
            {
                "job_name": job,
                "scrape_interval": f"{round(SCRAPE_SECONDS * 1000)}ms",
                "scrape_timeout": f"{round(SCRAPE_SECONDS * 1000)}ms",
                "file_sd_configs": [{"files": [str(self._targets / f"{job}.json")], "refresh_interval": "1s"}],
                "metric_relabel_configs": rules,
            }
            for job, rules in self._jobs.items()
        ]
        _replace(self._directory / "prometheus.yml", json.dumps({"scrape_configs": jobs}))


def _replace(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.rename(path)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
