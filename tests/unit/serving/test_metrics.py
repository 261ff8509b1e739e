"""The metrics' names and series."""

from __future__ import annotations

from prometheus_client import generate_latest

from crossfade_serving.labels import Assignment
from crossfade_serving.metrics import ServingMetrics
from crossfade_serving.model import Identity


def test_all_counters_of_an_assignment_start_together_at_zero() -> None:
    metrics = ServingMetrics()
    metrics.of(Assignment("stable", "3")).requests.inc()
    labels = {"arm": "stable", "abucket": "3"}
    values = {
        name: metrics.registry.get_sample_value(f"crossfade_serving_{name}_total", labels)
        for name in ("requests", "errors", "rejected_requests", "empty_results")
    }
    assert values == {"requests": 1.0, "errors": 0.0, "rejected_requests": 0.0, "empty_results": 0.0}


def test_the_model_is_an_info_metric() -> None:
    metrics = ServingMetrics()
    metrics.identify(Identity("ranker", "v1", "sha256:ab"))
    labels = {"model": "ranker", "version": "v1", "digest": "sha256:ab"}
    assert metrics.registry.get_sample_value("crossfade_serving_model_info", labels) == 1.0


def test_no_series_of_creation_times() -> None:
    metrics = ServingMetrics()
    metrics.of(Assignment("stable", "3"))
    assert b"_created" not in generate_latest(metrics.registry)
