"""A real Prometheus on loopback, and exporters whose every number a test decides."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

SCRAPE_SECONDS = 1.0
Key = tuple[str, tuple[tuple[str, str], ...]]


def eventually(what: str, probe: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until `probe` is truthy; fail with what was seen last."""
    deadline = time.monotonic() + seconds
    seen: object = None
    while time.monotonic() < deadline:
        seen = probe()
        if seen:
            return
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds:g} s; last seen: {seen!r}")


class Exporter:
    """A scrape target. Counters are set by the test; `restart` makes it a new process whose counters begin anew."""

    def __init__(self, port: int = 0) -> None:
        self.counters: dict[Key, float | str] = defaultdict(float)
        self.extra = ""
        self.started = time.time()
        self.tells_start = True
        self.failing = False
        self.delay = 0.0
        self.scraped = 0
        self._guard = threading.Lock()
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                time.sleep(exporter.delay)  # a slow exporter: the delay is what is under test
                body = exporter.text().encode()
                self.send_response(500 if exporter.failing else 200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.wfile.write(body)
                exporter.scraped += 1

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def add(self, name: str, value: float, **labels: str) -> None:
        with self._guard:
            key = (name, tuple(sorted(labels.items())))
            self.counters[key] = float(self.counters[key]) + value

    def put(self, name: str, value: float | str, **labels: str) -> None:
        with self._guard:
            self.counters[name, tuple(sorted(labels.items()))] = value

    def drop(self, keep: Callable[[str, Mapping[str, str]], bool]) -> None:
        with self._guard:
            for name, labels in list(self.counters):
                if not keep(name, dict(labels)):
                    del self.counters[name, labels]

    def restart(self) -> None:
        with self._guard:
            self.counters.clear()
            self.started = time.time()

    @contextlib.contextmanager
    def between_scrapes(self) -> Iterator[None]:
        """Change several counters at once, as seen by a scrape."""
        with self._guard:
            yield

    def text(self) -> str:
        with self._guard:
            lines = [f"{name}{_labels(dict(labels))} {value}" for (name, labels), value in self.counters.items()]
            if self.tells_start:
                lines.append(f"process_start_time_seconds {self.started:.3f}")
        return "\n".join(lines) + "\n" + self.extra

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}" if labels else ""


class Router(Exporter):
    """Speaks the names of the router's counters for one endpoint."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self.endpoint = endpoint

    def served(
        self,
        arm: str,
        bucket: int | str,
        requests: int,
        errors: int = 0,
        slower: Mapping[str, int] | None = None,
        served: str | None = None,
    ) -> None:
        """Count requests of one arm and bucket, some of which failed or were slower than a bound."""
        labels = {"arm": arm, "abucket": str(bucket), "model_endpoint": self.endpoint}
        labels["served"] = served if served is not None else {"stable": "old", "candidate": "new"}.get(arm, "old")
        self.add("envoy_crossfade_requests", requests, **labels)
        if errors:
            self.add("envoy_crossfade_errors", errors, **labels)
        for bound, count in (slower or {}).items():
            self.add("envoy_crossfade_slower", count, bound=bound, **labels)


class PrometheusServer:
    """One Prometheus process; targets by job, changed at run time. `flags` are added to its command line."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self._directory, self._flags = directory, flags
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._targets = directory / "targets"
        self._targets.mkdir(parents=True, exist_ok=True)
        self._jobs: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("prometheus")
        assert program, "these tests need Prometheus: apt-get install prometheus"
        self._write_config()
        with (self._directory / "prometheus.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    f"--config.file={self._directory / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._directory / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--web.enable-lifecycle",
                    *self._flags,
                ],
                stdout=log,
                stderr=log,
            )
        eventually("Prometheus is ready", self._ready)

    def stop(self) -> None:
        if self._process is not None:
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

    def scrape(self, job: str, *addresses: str, rules: str = "", labels: Mapping[str, str] | None = None) -> None:
        """Scrape these addresses as a job, from now on. `rules`: metric_relabel_configs, as JSON list."""
        files = self._targets / f"{job}.json"
        _replace(files, json.dumps([{"targets": list(addresses), "labels": dict(labels or {})}]))
        new = self._jobs.get(job) != rules
        self._jobs[job] = rules
        if new:
            self._write_config()
            httpx.post(f"{self.url}/-/reload", timeout=10).raise_for_status()

    def query(self, query: str) -> list[dict[str, object]]:
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=10).json()
        result: list[dict[str, object]] = answer["data"]["result"]
        return result

    def scrapes(self, exporter: Exporter, times: int = 1) -> None:
        """Wait until Prometheus has stored so many more scrapes of an exporter, begun after now."""
        begun = time.time()
        query = f'count_over_time(up{{instance="{exporter.address}"}}[1h])'

        def stored() -> bool:
            newest = self.query(f'up{{instance="{exporter.address}"}}[{max(int((time.time() - begun) * 1000), 1)}ms]')
            return any(len([v for v in item["values"] if float(v[0]) > begun]) >= times for item in newest)  # type: ignore[attr-defined, index]

        eventually(f"{times} scrapes of {exporter.address} ({query})", stored)

    def _ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/-/ready", timeout=1).status_code == 200
        return False

    def _write_config(self) -> None:
        jobs = [
            {
                "job_name": job,
                "scrape_interval": f"{int(SCRAPE_SECONDS * 1000)}ms",
                "scrape_timeout": f"{int(SCRAPE_SECONDS * 1000)}ms",
                "file_sd_configs": [{"files": [str(self._targets / f"{job}.json")], "refresh_interval": "1s"}],
                "metric_relabel_configs": json.loads(rules) if rules else [],
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
