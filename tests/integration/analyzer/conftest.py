"""One real Prometheus for the faults that are a target's, with a job of its own per test."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crossfade_analyzer.contract import Evaluation, MetricPlan
from crossfade_analyzer.evaluator import Evaluator
from crossfade_analyzer.sources.prometheus import Prometheus
from crossfade_analyzer.store.evidence import Evidence
from tests.fakes.exporter import Exporter, Router
from tests.fakes.requests import ERRORS, request
from tests.integration.analyzer.prometheus_server import PrometheusServer, Served

_number = itertools.count(1)


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    server = PrometheusServer(tmp_path_factory.mktemp("prometheus"), "--enable-feature=native-histograms")
    server.start()
    yield server
    server.stop()


class Rollout:
    """Two routers of one endpoint behind a real Prometheus, and an evaluator over it."""

    def __init__(self, prometheus: PrometheusServer, directory: Path, timeout: float = 10.0) -> None:
        self.prometheus = prometheus
        self.job = f"job-{next(_number)}"
        self.endpoint = f"recs/{self.job}"
        self.routers = [Router(self.endpoint) for _ in range(2)]
        self.served = [Served(router) for router in self.routers]
        self.source = Prometheus(prometheus.url, timeout)
        self.store_url = f"sqlite:///{directory / 'evidence.db'}"
        self.store = Evidence(self.store_url)
        self.store.migrate()
        self.evaluator = Evaluator(self.source, self.store, lambda: time.time_ns() // 1_000_000, freshness_ms=5_000)
        self.metrics: tuple[MetricPlan, ...] = (ERRORS,)
        self.sent = {"stable": 0, "candidate": 0}  # since the first exposure
        self.users("stable", 3)
        self.scrape()
        prometheus.scraped(*self.served)
        self.since = time.time_ns() // 1_000_000
        self.sent["stable"] = 0

    def scrape(self, relabel: dict[str, object] | None = None) -> None:
        self.prometheus.scrape(self.job, *(one.address for one in self.served), relabel=relabel)

    def serve(self, exporter: Exporter) -> Served:
        self.served.append(Served(exporter))
        return self.served[-1]

    def users(self, arm: str, each: int, errors: int = 0) -> None:
        for router in self.routers:
            self.sent[arm] += 100 * each
            with router.guard:
                for bucket in range(100):
                    router.served(arm, bucket, each, errors if bucket % 4 == 0 else 0)

    def go(self, scrapes: int = 2) -> None:
        """Traffic, each time followed by a scrape of every router that answers."""
        for _ in range(scrapes):
            self.users("stable", 9)
            self.users("candidate", 1)
            self.prometheus.scraped(*(one for one in self.served if not one.exporter.failing))

    def begun(self) -> Evaluation:
        """Go on until the first look is taken."""
        self.prometheus.scraped(*self.served)
        self.go()
        seen = self.ask()
        assert seen.look == 1, seen
        return seen

    def ask(self, **fields: object) -> Evaluation:
        chosen: dict[str, object] = {"endpoint": self.endpoint, "metrics": self.metrics, "interval_seconds": 1.0}
        return self.evaluator.evaluate(request(self.since, **{**chosen, **fields}))  # type: ignore[arg-type]

    def until(self, what: str, done: Callable[[Evaluation], bool], seconds: float = 40.0) -> Evaluation:
        """Ask until the answer is as wanted."""
        deadline = time.monotonic() + seconds
        seen = self.ask()
        while not done(seen):
            assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s; last answer: {seen}"
            self.prometheus.scraped(next(one for one in self.served if not one.exporter.failing))
            seen = self.ask()
        return seen

    def close(self) -> None:
        for one in self.served:
            one.close()
        self.source.close()
        self.store.close()


@pytest.fixture
def rollout(prometheus: PrometheusServer, tmp_path: Path) -> Iterator[Rollout]:
    made = Rollout(prometheus, tmp_path)
    yield made
    made.close()
    prometheus.scrape(made.job)


@pytest.fixture
def own_prometheus(tmp_path: Path) -> Iterator[Callable[..., PrometheusServer]]:
    """Start Prometheus processes that a test may break."""
    started: list[PrometheusServer] = []

    def start(*flags: str) -> PrometheusServer:
        server = PrometheusServer(tmp_path / f"prometheus-{len(started)}", *flags)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()
