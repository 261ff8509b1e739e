"""Experiments over a real Prometheus: faults that are really there, kill -9, and evidence that outlives Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from crossfade_analyzer.contract import (
    ExperimentEvaluation,
    ExperimentState,
    Fault,
    Method,
    MetricVerdict,
    Recommendation,
)
from crossfade_analyzer.experiments.evaluator import ExperimentEvaluator
from crossfade_analyzer.experiments.records import Counted
from crossfade_analyzer.snapshots import Entry, Kind
from tests.fakes.experiments import ERRORS, PLAYS, SUBJECT, design, experiment
from tests.integration.analyzer.conftest import Rollout
from tests.integration.analyzer.prometheus_server import PrometheusServer
from tests.integration.analyzer.service_process import Service, run


class Running:
    """A control and a treatment behind two routers, counted in windows of two seconds."""

    def __init__(self, rollout: Rollout) -> None:
        self.rollout = rollout
        self.sent = [0, 0]
        self.evaluator = ExperimentEvaluator(
            rollout.source, rollout.store, lambda: time.time_ns() // 1_000_000, freshness_ms=5_000
        )
        self.fields: dict[str, Any] = {
            "endpoint": rollout.endpoint,
            "method": Method.GROUP_SEQUENTIAL,
            "interval_seconds": 2.0,
            "min_runtime_seconds": 20.0,
            "max_runtime_seconds": 600.0,
        }

    def users(self, each: int = 3, errors: int = 0, served: str = "treatment-1") -> None:
        for router in self.rollout.routers:
            with router.guard:
                for bucket in range(100):
                    more = bucket % 2
                    self.sent[0] += each + more
                    self.sent[1] += each + more
                    router.served("new-ranker.control", bucket, each + more, served="control-1")
                    router.served("new-ranker.treatment", bucket, each + more, errors, served=served)

    def go(self, scrapes: int = 3, **traffic: Any) -> None:
        for _ in range(scrapes):
            self.users(**traffic)
            self.rollout.prometheus.scraped(*(s for s in self.rollout.served if not s.exporter.failing))

    def request(self, **fields: Any) -> Any:
        made = {name: fields.pop(name) for name in ("metrics", "min_runtime_seconds") if name in fields}
        return experiment(self.rollout.since, design=design(**{**self.fields, **made}), **fields)

    def ask(self, **fields: Any) -> ExperimentEvaluation:
        return self.evaluator.evaluate(self.request(**fields))

    def until(self, what: str, done: Callable[[ExperimentEvaluation], bool], **fields: Any) -> ExperimentEvaluation:
        deadline = time.monotonic() + 60
        while not done(seen := self.ask(**fields)):
            assert time.monotonic() < deadline, f"{what}: last answer: {seen}"
            self.rollout.prometheus.scraped(next(s for s in self.rollout.served if not s.exporter.failing))
        return seen

    def entries(self) -> list[Entry]:
        return list(self.rollout.store.chain(SUBJECT))

    def counted(self) -> list[int]:
        windows = [Counted.of(e.content()) for e in self.entries() if e.kind is Kind.WINDOW]
        return [sum(sum(w.requests[arm]) for w in windows) for arm in (0, 1)]


@pytest.fixture
def running(rollout: Rollout) -> Running:
    made = Running(rollout)
    rollout.prometheus.scraped(*rollout.served)  # counting begins at the first scrape after the start
    made.go(4)
    made.until("the first window", lambda e: e.windows > 0)
    return made


def refused(running: Running, fault: Fault, **fields: Any) -> None:
    """The fault is told, entries stay as they were, and nothing was counted that nobody sent."""
    seen = running.until(f"fault {fault}", lambda e: e.fault is not None, **fields)
    assert (seen.state, seen.fault) == (ExperimentState.CANNOT_JUDGE, fault), seen.message
    assert seen.recommendation is not Recommendation.SHIP
    before = running.entries()
    running.rollout.prometheus.scraped(next(s for s in running.rollout.served if not s.exporter.failing))
    running.ask(**fields)
    assert running.entries()[: len(before)] == before
    assert all(counted <= sent for counted, sent in zip(running.counted(), running.sent, strict=True))


def test_a_router_that_does_not_answer_is_waited_for_and_loses_nothing(running: Running) -> None:
    running.rollout.routers[1].failing = True
    refused(running, Fault.TARGET_DOWN)
    running.rollout.routers[1].failing = False
    running.go(2)
    seen = running.until("all is counted", lambda e: e.fault is None and running.counted() == running.sent)
    assert [arm.requests for arm in seen.arms] == running.sent


@pytest.mark.parametrize("label", ["arm", "abucket"])
def test_a_label_that_was_renamed_upstream_is_a_broken_contract(running: Running, label: str) -> None:
    running.rollout.scrape(relabel={"regex": label, "action": "labeldrop"})
    refused(running, Fault.RELABELLED)
    running.rollout.scrape()
    running.go(2)
    running.until("all is counted", lambda e: e.fault is None and running.counted() == running.sent)


def test_a_counter_that_is_gone_is_missing_and_not_zero(running: Running) -> None:
    running.rollout.routers[1].change(
        lambda _, labels, value: None if labels["arm"].endswith("treatment") else value, "envoy_crossfade_requests"
    )
    refused(running, Fault.VANISHED)


def test_a_restarted_router_counts_from_zero(running: Running) -> None:
    running.until("all is counted", lambda _: running.counted() == running.sent)
    running.rollout.routers[0].restart()
    running.go(2)
    running.until("the restart is counted", lambda e: e.fault is None and running.counted() == running.sent)


def test_a_value_that_is_no_number_is_a_broken_contract(running: Running) -> None:
    labels = {"arm": "new-ranker.control", "abucket": "5", "model_endpoint": running.rollout.endpoint}
    running.rollout.routers[0].put("envoy_crossfade_requests", "NaN", served="control-1", **labels)
    refused(running, Fault.NOT_A_NUMBER)


def test_a_metric_of_ones_own_that_does_not_exist_keeps_from_judging(running: Running) -> None:
    running.go(1)
    metrics, subject = (ERRORS, PLAYS), "Experiment/own"
    seen = running.until("fault", lambda e: e.fault is not None, metrics=metrics, subject=subject)
    assert seen.fault is Fault.NO_SERIES
    assert {m.metric: m.verdict for m in seen.metrics}["plays"] is MetricVerdict.CANNOT_JUDGE


def test_prometheus_that_hangs_or_dies_leaves_the_evidence_as_it_is(
    own_prometheus: Callable[..., PrometheusServer], tmp_path: Path
) -> None:
    server = own_prometheus()
    rollout = Rollout(server, tmp_path, timeout=1.0)
    running = Running(rollout)
    rollout.prometheus.scraped(*rollout.served)
    running.go(4)
    running.until("the first window", lambda e: e.windows > 0)
    before = running.entries()
    server.suspend()
    assert running.ask().fault is Fault.PROMETHEUS_TIMEOUT
    server.resume()
    server.stop()
    assert running.ask().fault is Fault.PROMETHEUS_UNREACHABLE
    assert running.entries()[: len(before)] == before
    server.start()
    running.go(3)
    running.until("all is counted", lambda e: e.fault is None and running.counted() == running.sent)
    assert running.entries()[: len(before)] == before
    rollout.close()


@pytest.fixture
def service(rollout: Rollout, tmp_path: Path) -> Iterator[Service]:
    made = Service(rollout.prometheus.url, rollout.store_url, tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.mark.timeout(600)
def test_a_service_that_was_killed_goes_on_to_the_end_and_its_evidence_verifies_anywhere(
    rollout: Rollout, service: Service, tmp_path: Path
) -> None:
    running = Running(rollout)
    rollout.prometheus.scraped(*rollout.served)

    def ask() -> ExperimentEvaluation:
        body = running.request(min_runtime_seconds=10.0).model_dump_json(by_alias=True, exclude_none=True)
        answer = service.post("/v1/experiments/evaluations", body)
        assert answer.status_code == 200, answer.text
        return ExperimentEvaluation.model_validate_json(answer.content)

    for turn in range(60):
        running.go(1)
        if turn == 3:
            service.kill()
            service.start()
        seen = ask()
        if seen.final:
            break
    assert (seen.final, seen.recommendation) == (True, Recommendation.SHIP), seen
    path = tmp_path / "evidence.json"
    path.write_bytes(httpx.get(f"{service.url}/v1/evidence/{seen.digest}", timeout=30).content)
    service.kill()
    elsewhere = run("verify", str(path), store="sqlite:////nonexistent/evidence.db")
    assert (elsewhere.returncode, "Ship by experiment@1" in elsewhere.stdout) == (0, True), elsewhere
