"""The analyzer's own metrics, by Prometheus' naming conventions; documented in `docs/analyzer.md`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from crossfade_analyzer.contract import Evaluation
from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources.raw import RawSource, Series, Vector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Telemetry:
    """Counts evaluations, looks and queries. One registry per instance, so that tests do not share any."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.evaluations = Counter(
            "crossfade_analyzer_evaluations",
            "Evaluations answered, by verdict and, when it cannot judge, the fault.",
            ("verdict", "fault"),
            registry=self.registry,
        )
        self.refused = Counter(
            "crossfade_analyzer_refused_requests",
            "Requests refused, by HTTP status.",
            ("status",),
            registry=self.registry,
        )
        self.duration = Histogram(
            "crossfade_analyzer_evaluation_duration_seconds",
            "Time to answer an evaluation, queries and store included.",
            registry=self.registry,
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
        )
        self.queries = Histogram(
            "crossfade_analyzer_prometheus_query_duration_seconds",
            "Time per Prometheus query, by kind (raw, instant) and outcome (ok or the fault).",
            ("kind", "outcome"),
            registry=self.registry,
        )
        self.looks = Counter("crossfade_analyzer_looks", "Looks appended to the store.", registry=self.registry)

    def evaluated(self, evaluation: Evaluation) -> None:
        self.evaluations.labels(evaluation.verdict.value, evaluation.fault.value if evaluation.fault else "").inc()

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class MeasuredSource:
    """A `RawSource` whose queries are timed."""

    def __init__(self, source: RawSource, telemetry: Telemetry) -> None:
        self._source, self._telemetry = source, telemetry

    def raw(self, selector: str, start_ms: int, end_ms: int) -> tuple[Series, ...]:
        with self._timed("raw"):
            return self._source.raw(selector, start_ms, end_ms)

    def instant(self, query: str, at_ms: int | None = None) -> Vector:
        with self._timed("instant"):
            return self._source.instant(query, at_ms)

    @contextmanager
    def _timed(self, kind: str) -> Iterator[None]:
        outcome = "ok"
        timer = self._telemetry.queries
        begun = perf_counter()
        try:
            yield
        except EvidenceFault as error:
            outcome = error.finding.fault.value
            raise
        finally:
            timer.labels(kind, outcome).observe(perf_counter() - begun)
