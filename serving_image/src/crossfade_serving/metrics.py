"""Prometheus metrics of the server.

All series of an assignment appear together, at zero, before its first request is counted, and those of its outcomes
before its first report: a ratio of two counters is then never missing a side.
"""

from __future__ import annotations

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from crossfade_serving.labels import Assignment
from crossfade_serving.model import Identity

LATENCY_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram, in seconds."""


class _Series(NamedTuple):
    requests: Counter
    errors: Counter
    rejected: Counter
    empty: Counter
    seconds: Histogram


class _Outcomes(NamedTuple):
    sessions: Counter
    plays: Counter
    rejected: Counter


class ServingMetrics:
    """The server's metrics in a registry of their own."""

    def __init__(self) -> None:
        # Half as many series; a restart is visible in the process start time.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        labels = ("arm", "abucket")
        self._requests = Counter("crossfade_serving_requests", "Inference requests.", labels, registry=registry)
        self._errors = Counter(
            "crossfade_serving_errors", "Inference requests the server or the model failed.", labels, registry=registry
        )
        self._rejected = Counter(
            "crossfade_serving_rejected_requests",
            "Inference requests that were malformed or for another model.",
            labels,
            registry=registry,
        )
        self._empty = Counter(
            "crossfade_serving_empty_results", "Answers without any result.", labels, registry=registry
        )
        self._seconds = Histogram(
            "crossfade_serving_request_duration_seconds",
            "Time from the request's headers to its encoded answer.",
            ("arm",),
            buckets=LATENCY_BOUNDS,
            registry=registry,
        )
        self._sessions = Counter("crossfade_serving_sessions", "Reported sessions.", labels, registry=registry)
        self._plays = Counter("crossfade_serving_plays", "Plays in reported sessions.", labels, registry=registry)
        self._rejected_outcomes = Counter(
            "crossfade_serving_rejected_outcomes", "Reports that were malformed.", labels, registry=registry
        )
        self.in_flight = Gauge(
            "crossfade_serving_requests_in_flight", "Inference requests being answered.", registry=registry
        )
        self.ready = Gauge("crossfade_serving_ready", "1 while the readiness probe succeeds.", registry=registry)
        self.warmups = Counter(
            "crossfade_serving_warmup_inferences", "Inferences run before the server was ready.", registry=registry
        )
        self._info = Gauge(
            "crossfade_serving_model_info",
            "The model that is served.",
            ("model", "version", "digest"),
            registry=registry,
        )
        self._series: dict[Assignment, _Series] = {}
        self._outcomes: dict[Assignment, _Outcomes] = {}

    def identify(self, identity: Identity) -> None:
        """Publish which model is served."""
        self._info.labels(identity.name, identity.version, identity.digest).set(1)

    def of(self, assignment: Assignment) -> _Series:
        """Return the series of an assignment, creating them on first sight."""
        series = self._series.get(assignment)
        if series is None:
            series = _Series(
                self._requests.labels(*assignment),
                self._errors.labels(*assignment),
                self._rejected.labels(*assignment),
                self._empty.labels(*assignment),
                self._seconds.labels(assignment.arm),
            )
            self._series[assignment] = series
        return series

    def outcomes_of(self, assignment: Assignment) -> _Outcomes:
        """Return the series of reported outcomes of an assignment, creating them on first sight."""
        series = self._outcomes.get(assignment)
        if series is None:
            counters = (self._sessions, self._plays, self._rejected_outcomes)
            series = self._outcomes[assignment] = _Outcomes(*(counter.labels(*assignment) for counter in counters))
        return series
