"""The evaluator over Prometheus in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crossfade_analyzer.contract import Evaluation
from crossfade_analyzer.evaluator import Evaluator
from crossfade_analyzer.snapshots import Kind, Snapshot
from crossfade_analyzer.store.evidence import Evidence
from tests.fakes.exporter import Router
from tests.fakes.prometheus import FakePrometheus
from tests.fakes.requests import request


class World:
    """Two routers of one endpoint, scraped every 15 s, and an evaluator with a store of its own."""

    def __init__(self, directory: Path) -> None:
        self.prometheus = FakePrometheus()
        self.routers = [Router("recs/ranker", self.prometheus.seconds) for _ in range(2)]
        self.targets = [self.prometheus.target(router) for router in self.routers]
        self.store = Evidence(f"sqlite:///{directory / 'evidence.db'}")
        self.store.migrate()
        self.evaluator = self.another()
        self.users("stable", 4)
        self.prometheus.scrape()
        self.prometheus.scrape(0.5, only=[])
        self.since = self.prometheus.now_ms

    def another(self, remembered: int = 64) -> Evaluator:
        return Evaluator(self.prometheus, self.store, lambda: self.prometheus.now_ms, remembered=remembered)

    def users(self, arm: str, each: int, errors: int = 0, **more: object) -> None:
        """`each` requests in every bucket on every router; `errors` of them failed, in every 4th bucket."""
        for router in self.routers:
            for bucket in range(100):
                router.served(arm, bucket, each, errors if bucket % 4 == 0 else 0, **more)  # type: ignore[arg-type]

    def go(self, seconds: float = 30.0, stable: int = 9, candidate: int = 1, errors: int = 0) -> None:
        """Let time pass under traffic, a scrape every 15 s."""
        for _ in range(round(seconds / 15)):
            self.users("stable", stable)
            self.users("candidate", candidate, errors)
            self.prometheus.scrape()

    def ask(self, evaluator: Evaluator | None = None, **fields: object) -> Evaluation:
        since = fields.pop("since_ms", self.since)
        return (evaluator or self.evaluator).evaluate(request(since, **fields))  # type: ignore[arg-type]

    def looks(self, subject: str = "ModelRollout/recs/ranker/uid/new/1") -> list[Snapshot]:
        return [Snapshot.of(e.content()) for e in self.store.chain(subject) if e.kind is Kind.LOOK]

    def counted(self) -> tuple[int, int]:
        """Requests in the store, control and candidate."""
        looks = self.looks()
        return sum(sum(s.requests[0]) for s in looks), sum(sum(s.requests[1]) for s in looks)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


def begun(world: World) -> World:
    """A world whose first look is taken."""
    world.go(45)
    assert world.ask().look == 1
    return world
