"""What the metrics say, and that a deleted object's series end."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest
from prometheus_client.exposition import generate_latest

from crossfade_analyzer.contract import MetricResult, Role, Verdict
from crossfade_operator.ports.cluster import Key
from crossfade_operator.telemetry import DECLARED, PrometheusTelemetry


@pytest.fixture
def telemetry() -> PrometheusTelemetry:
    return PrometheusTelemetry()


def text(telemetry: PrometheusTelemetry) -> str:
    return generate_latest(telemetry.registry).decode()


def result(name: str, log_e: str | None = "1.5") -> MetricResult:
    evidence = Decimal(log_e) if log_e else None
    return MetricResult(name=name, role=Role.GUARDRAIL, verdict=Verdict.UNDECIDED, message="", log_e=evidence)


def value(telemetry: PrometheusTelemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


RANKER = {"namespace": "recs", "rollout": "ranker"}


def test_a_rollout_is_in_one_phase_at_a_time(telemetry: PrometheusTelemetry) -> None:
    telemetry.rollout("recs", "ranker", phase="Initializing", reason="CandidateStarting", share=0)
    telemetry.rollout("recs", "ranker", phase="Progressing", reason="Analyzing", share=0.1)
    phases = [line for line in text(telemetry).splitlines() if line.startswith("crossfade_rollout_phase{")]
    assert phases == [
        'crossfade_rollout_phase{namespace="recs",phase="Progressing",reason="Analyzing",rollout="ranker"} 1.0'
    ]
    assert value(telemetry, "crossfade_rollout_slice_ratio", **RANKER) == 0.1


def test_a_change_of_state_is_logged_once(telemetry: PrometheusTelemetry, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            telemetry.rollout("recs", "ranker", phase="Holding", reason="MetricsUnavailable", share=0.1)
    assert caplog.messages == ["ModelRollout recs/ranker is Holding: MetricsUnavailable"]


def test_evidence_is_shown_by_metric_and_one_no_longer_used_falls_away(telemetry: PrometheusTelemetry) -> None:
    telemetry.evaluation("recs", "ranker", "Undecided", [result("latency"), result("empty", "2")])
    telemetry.evaluation("recs", "ranker", "Harmful", [result("latency", "5.25"), result("none", None)])
    log_e = "crossfade_rollout_metric_log_e"
    assert value(telemetry, log_e, **RANKER, metric="latency") == 5.25
    assert value(telemetry, log_e, **RANKER, metric="empty") is None
    assert value(telemetry, log_e, **RANKER, metric="none") is None
    assert value(telemetry, "crossfade_rollout_verdicts_total", **RANKER, verdict="Harmful") == 1


def test_nothing_of_a_deleted_rollout_is_left_and_its_neighbour_stays(telemetry: PrometheusTelemetry) -> None:
    for name in ("ranker", "other"):
        telemetry.rollout("recs", name, phase="Progressing", reason="Analyzing", share=0.1)
        telemetry.evaluation("recs", name, "Proven", [result("latency")])
        telemetry.decision("recs", name, action="Advance", reason="StepProven")
    telemetry.rollout_gone("recs", "ranker")
    assert 'rollout="ranker"' not in text(telemetry)
    assert 'rollout="other"' in text(telemetry)


def test_nothing_of_a_deleted_endpoint_is_left(telemetry: PrometheusTelemetry) -> None:
    telemetry.routers(Key("recs", "web"), generation=7, ready=2, confirmed=1, rejected=3)
    assert value(telemetry, "crossfade_routers_confirmed", namespace="recs", endpoint="web") == 1
    telemetry.endpoint_gone(Key("recs", "web"))
    assert 'endpoint="web"' not in text(telemetry)


def test_telling_of_the_end_of_what_was_never_seen_is_fine(telemetry: PrometheusTelemetry) -> None:
    telemetry.rollout_gone("recs", "never")
    telemetry.endpoint_gone(Key("recs", "never"))


def test_calls_and_reconciles_are_counted_with_their_time(telemetry: PrometheusTelemetry) -> None:
    telemetry.reconciled("endpoint", "Conflict", 0.3)
    telemetry.queued("endpoint", 4)
    telemetry.api_call("PATCH", "deployments", "409", 0.02)
    telemetry.analyzer_call("evaluations", "unavailable", 10.0)
    telemetry.router_call("ok")
    telemetry.apply_skipped("services")
    telemetry.watch_restarted("pods", "expired")
    telemetry.leading(True)
    assert value(telemetry, "crossfade_reconciles_total", controller="endpoint", outcome="Conflict") == 1
    assert value(telemetry, "crossfade_workqueue_depth", controller="endpoint") == 4
    seconds = "crossfade_api_request_duration_seconds_sum"
    assert value(telemetry, seconds, verb="PATCH", resource="deployments") == 0.02
    assert value(telemetry, "crossfade_leader") == 1


def test_one_that_stands_by_shows_no_states_that_another_may_have_changed(telemetry: PrometheusTelemetry) -> None:
    telemetry.leading(True)
    telemetry.rollout("recs", "ranker", phase="Progressing", reason="Analyzing", share=0.1)
    telemetry.routers(Key("recs", "web"), generation=7, ready=2, confirmed=1, rejected=3)
    telemetry.decision("recs", "ranker", action="Advance", reason="StepProven")
    telemetry.leading(False)
    assert value(telemetry, "crossfade_route_generation", namespace="recs", endpoint="web") is None
    assert "crossfade_rollout_phase{" not in text(telemetry)
    assert "crossfade_rollout_decisions_total{" in text(telemetry)
    telemetry.rollout("recs", "ranker", phase="Promoted", reason="UpToDate", share=0)
    assert 'phase="Promoted"' in text(telemetry)


@pytest.mark.parametrize("declared", DECLARED, ids=lambda declared: declared.name)
def test_names_follow_the_conventions(declared: object) -> None:
    kind, name = declared.kind.__name__, declared.name  # type: ignore[attr-defined]
    assert name.startswith("crossfade_")
    assert name.endswith("_total") == (kind == "Counter")
    assert name.endswith("_seconds") == (kind == "Histogram")
    assert declared.help.endswith(".")  # type: ignore[attr-defined]
