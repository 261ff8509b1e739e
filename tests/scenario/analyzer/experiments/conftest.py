"""The evaluator of experiments over Prometheus in memory, and over made-up traffic."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crossfade_analyzer.contract import ExperimentDesign, ExperimentEvaluation
from crossfade_analyzer.experiments.evaluator import ExperimentEvaluator
from crossfade_analyzer.experiments.records import Counted, Look
from crossfade_analyzer.snapshots import Kind
from crossfade_analyzer.store.evidence import Evidence
from tests.fakes.experiments import SUBJECT, design, experiment, mock
from tests.fakes.exporter import Exporter, Router
from tests.fakes.prometheus import FakePrometheus

MINUTE = 60_000


class Asked:
    """Whoever asks about one experiment; remembers the design."""

    def __init__(self, directory: Path, now_ms: int = 1_700_000_000_000) -> None:
        self.prometheus = FakePrometheus(now_ms)
        self.store = Evidence(f"sqlite:///{directory / 'evidence.db'}")
        self.store.migrate()
        self.evaluator = self.another()
        self.since = now_ms
        self.fields: dict[str, Any] = {}

    def another(self, remembered: int = 16) -> ExperimentEvaluator:
        return ExperimentEvaluator(self.prometheus, self.store, lambda: self.prometheus.now_ms, remembered=remembered)

    def ask(self, evaluator: ExperimentEvaluator | None = None, **fields: Any) -> ExperimentEvaluation:
        return (evaluator or self.evaluator).evaluate(experiment(self.since, **{**self.fields, **fields}))

    def windows(self) -> list[Counted]:
        return [Counted.of(e.content()) for e in self.store.chain(SUBJECT) if e.kind is Kind.WINDOW]

    def looks(self) -> list[Look]:
        return [Look.of(e.content()) for e in self.store.chain(SUBJECT) if e.kind is Kind.LOOK]

    def kinds(self) -> list[str]:
        return [entry.kind.value for entry in self.store.chain(SUBJECT)]


class World(Asked):
    """Two routers of one endpoint, scraped every 15 s; a control and a treatment get their users at `since`."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.routers = [Router("recs/ranker", self.prometheus.seconds) for _ in range(2)]
        self.targets = [self.prometheus.target(router) for router in self.routers]
        self.server = Exporter(self.prometheus.seconds)
        self.users("stable", 4, served="stable-1")
        self.prometheus.scrape()
        self.prometheus.scrape(0.5, only=[])
        self.since = self.prometheus.now_ms

    def users(self, arm: str, each: int, errors: int = 0, served: str | None = None, slow: int = 0) -> None:
        """`each` requests in every bucket on every router; `errors` of them failed, but none in every 4th bucket."""
        label = arm if arm == "stable" else f"new-ranker.{arm}"
        for router in self.routers:
            for bucket in range(100):
                failed = errors if bucket % 4 else 0
                slower = {"25ms": slow, "100ms": slow // 2} if slow else None
                router.served(label, bucket, each, failed, slower, served or f"{arm}-1")

    def plays(self, **values: float) -> None:
        """Every user of an arm plays so much, a little more in every 3rd bucket."""
        for arm, value in values.items():
            for bucket in range(100):
                labels = {"arm": f"new-ranker.{arm}", "abucket": str(bucket)}
                self.server.add("plays_sum", 20 * (value + 0.1 * (bucket % 3)), **labels)
                self.server.add("plays_count", 20, **labels)

    def serve(self) -> None:
        """Scrape a model server from now on."""
        self.prometheus.target(self.server, "models", "10.1.0.1:8080")

    def go(self, seconds: float = 60.0, control: int = 5, treatment: int = 5, errors: int = 0, slow: int = 0) -> None:
        """Let time pass under traffic, a scrape every 15 s."""
        for _ in range(round(seconds / 15)):
            self.users("stable", 5, served="stable-1", slow=slow)
            self.users("control", control, slow=slow)
            self.users("treatment", treatment, errors, slow=slow)
            self.prometheus.scrape()

    def counted(self) -> tuple[int, ...]:
        """Requests in the store, per arm."""
        rows = [window.requests for window in self.windows()]
        return tuple(sum(sum(row[arm]) for row in rows) for arm in range(2))


class Dry(Asked):
    """An experiment on made-up traffic."""

    def go(self, minutes: int, **fields: Any) -> ExperimentEvaluation:
        """Let minutes pass, asking at each, until the last look."""
        seen = None
        for _ in range(minutes):
            self.prometheus.now_ms += MINUTE
            seen = self.ask(**fields)
            if seen.final:
                break
        assert seen is not None
        return seen

    def designed(self, **fields: Any) -> ExperimentDesign:
        made = design(**{"mock": mock(), **fields})
        self.fields["design"] = made
        return made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def dry(tmp_path: Path) -> Iterator[Dry]:
    made = Dry(tmp_path)
    yield made
    made.store.close()
