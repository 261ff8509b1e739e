"""The analyzer's own metrics, by Prometheus' naming conventions; documented in `docs/analyzer.md`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from crossfade_analyzer.contract import Evaluation, ExperimentEvaluation
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
            "Time per Prometheus query, by kind (raw, instant, steps) and outcome (ok or the fault).",
            ("kind", "outcome"),
            registry=self.registry,
        )
        self.looks = Counter("crossfade_analyzer_looks", "Looks appended to the store.", registry=self.registry)

        self._experiments()

    def _experiments(self) -> None:
        prefix = "crossfade_analyzer_experiment"
        self.experiment_evaluations = Counter(
            f"{prefix}_evaluations",
            "Evaluations of experiments answered, by state and, when it cannot judge, the fault.",
            ("state", "fault"),
            registry=self.registry,
        )
        self.windows = Counter(f"{prefix}_windows", "Windows appended to the store.", registry=self.registry)
        self.experiment_looks = Counter(
            f"{prefix}_looks",
            "Looks at experiments, by what they recommend.",
            ("recommendation",),
            registry=self.registry,
        )
        self.verdicts = Counter(
            f"{prefix}_verdicts", "Verdicts of looks, by role.", ("role", "verdict"), registry=self.registry
        )
        self.false_positives = Gauge(
            f"{prefix}_aa_false_positive_ratio",
            "Share of tests in which equal arms were called different, of the endpoint's last A/A experiment.",
            ("model_endpoint",),
            registry=self.registry,
        )
        self.split_error = Gauge(
            f"{prefix}_aa_split_error_ratio",
            "Largest difference of an arm's share of requests from its nominal one, of the same.",
            ("model_endpoint",),
            registry=self.registry,
        )

    def experiment_evaluated(self, endpoint: str, evaluation: ExperimentEvaluation) -> None:
        fault = evaluation.fault.value if evaluation.fault else ""
        self.experiment_evaluations.labels(evaluation.state.value, fault).inc()
        if evaluation.self_test is not None:
            self.false_positives.labels(endpoint).set(evaluation.self_test.false_positive_rate)
            self.split_error.labels(endpoint).set(evaluation.self_test.split_error)

    def experiment_looked(self, evaluation: ExperimentEvaluation) -> None:
        """A look was appended, and this was judged at it."""
        self.experiment_looks.labels(evaluation.recommendation.value).inc()
        for metric in evaluation.metrics:
            self.verdicts.labels(metric.role.value, metric.verdict.value).inc()

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

    def steps(self, query: str, start_ms: int, end_ms: int, step_ms: int) -> tuple[Series, ...]:
        with self._timed("steps"):
            return self._source.steps(query, start_ms, end_ms, step_ms)

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
