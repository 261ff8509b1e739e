"""Every fault of the evidence, in a real Prometheus that really has it: a reason of its own, never a pass or a zero."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crossfade_analyzer.contract import Evaluation, Fault, Reason, Verdict
from tests.fakes.exporter import Exporter
from tests.fakes.requests import ERRORS, own_metric
from tests.integration.analyzer.conftest import Rollout
from tests.integration.analyzer.prometheus_server import PrometheusServer


def refused(rollout: Rollout, fault: Fault, reason: Reason) -> Evaluation:
    """Wait for the fault to be seen. While it lasts there is no further look, and nothing was ever counted that
    nobody sent."""
    seen = rollout.until(f"fault {fault}", lambda e: e.fault is not None)
    assert (seen.verdict, seen.fault, seen.reason) == (Verdict.CANNOT_JUDGE, fault, reason), seen.message
    rollout.prometheus.scraped(next(one for one in rollout.served if not one.exporter.failing))
    again = rollout.ask()
    assert (again.fault, again.look, again.requests) == (fault, seen.look, seen.requests)
    assert again.requests.control <= rollout.sent["stable"]
    assert again.requests.candidate <= rollout.sent["candidate"]
    return seen


def put(rollout: Rollout, value: float | str) -> None:
    labels = {"arm": "stable", "abucket": "5", "model_endpoint": rollout.endpoint, "served": "old"}
    rollout.routers[0].put("envoy_crossfade_requests", value, **labels)


def test_missing_no_series_at_all(rollout: Rollout) -> None:
    seen = rollout.ask(endpoint="recs/nobody", subject="nobody")
    assert (seen.verdict, seen.fault, seen.reason) == (
        Verdict.CANNOT_JUDGE,
        Fault.NO_SERIES,
        Reason.METRICS_UNAVAILABLE,
    )


def test_stale_a_router_that_does_not_answer(rollout: Rollout) -> None:
    rollout.begun()
    rollout.routers[1].failing = True
    seen = refused(rollout, Fault.TARGET_DOWN, Reason.METRICS_UNAVAILABLE)
    assert rollout.served[1].address in seen.message


def test_stale_all_targets_forgotten(rollout: Rollout) -> None:
    rollout.begun()
    rollout.prometheus.scrape(rollout.job)
    deadline_probe = rollout.serve(Exporter())  # something that is scraped tells that time passes
    rollout.prometheus.scrape("heartbeat", deadline_probe.address)
    rollout.served = [deadline_probe]
    refused(rollout, Fault.STALE, Reason.METRICS_UNAVAILABLE)


def test_partial_one_arm_was_never_counted(rollout: Rollout) -> None:
    rollout.users("stable", 9)
    rollout.prometheus.scraped(*rollout.served, times=3)
    seen = rollout.ask()
    assert (seen.fault, seen.reason) == (Fault.ARM_MISSING, Reason.INSUFFICIENT_DATA)


def test_partial_one_arm_of_one_router_is_gone(rollout: Rollout) -> None:
    rollout.begun()
    rollout.routers[1].change(
        lambda _, labels, value: None if labels["arm"] == "candidate" else value, "envoy_crossfade_requests"
    )
    refused(rollout, Fault.VANISHED, Reason.METRICS_UNAVAILABLE)


def test_partial_one_router_of_two_exposes_nothing(rollout: Rollout) -> None:
    rollout.begun()
    rollout.routers[1].change(lambda *_: None, "envoy_crossfade_requests")
    refused(rollout, Fault.VANISHED, Reason.METRICS_UNAVAILABLE)


@pytest.mark.parametrize("value", ["NaN", "+Inf"])
def test_not_a_number(rollout: Rollout, value: str) -> None:
    rollout.begun()
    put(rollout, value)
    refused(rollout, Fault.NOT_A_NUMBER, Reason.CONTRACT_BROKEN)


def test_not_an_integer(rollout: Rollout) -> None:
    rollout.begun()
    put(rollout, 100_000.5)
    refused(rollout, Fault.NOT_AN_INTEGER, Reason.CONTRACT_BROKEN)


def test_negative(rollout: Rollout) -> None:
    rollout.begun()
    put(rollout, -4)
    refused(rollout, Fault.NEGATIVE, Reason.CONTRACT_BROKEN)


def test_decreasing_without_a_restart(rollout: Rollout) -> None:
    rollout.routers[0].started -= 3600
    rollout.begun()
    put(rollout, 1)
    refused(rollout, Fault.DECREASING, Reason.CONTRACT_BROKEN)


def test_reset_by_a_restart_is_counted_from_zero(rollout: Rollout) -> None:
    before = rollout.begun().requests
    rollout.prometheus.scraped(*rollout.served)
    before = rollout.ask().requests
    rollout.routers[0].restart()
    rollout.go(1)
    seen = rollout.until("the restart is counted", lambda e: e.requests.candidate > before.candidate + 100)
    assert (seen.requests.control - before.control, seen.requests.candidate - before.candidate) == (1800, 200)


@pytest.mark.parametrize("label", ["arm", "abucket"])
def test_relabelled_so_that_arms_or_buckets_cannot_be_told(rollout: Rollout, label: str) -> None:
    rollout.begun()
    rollout.scrape(relabel={"regex": label, "action": "labeldrop"})
    refused(rollout, Fault.RELABELLED, Reason.CONTRACT_BROKEN)


def test_relabelled_so_that_the_endpoint_is_lost(rollout: Rollout) -> None:
    rollout.begun()
    rollout.scrape(relabel={"regex": "model_endpoint", "action": "labeldrop"})
    refused(rollout, Fault.VANISHED, Reason.METRICS_UNAVAILABLE)


def test_duplicated_by_a_second_job(rollout: Rollout) -> None:
    rollout.begun()
    rollout.prometheus.scrape(f"{rollout.job}-again", rollout.served[0].address)
    seen = refused(rollout, Fault.DUPLICATED, Reason.CONTRACT_BROKEN)
    assert f"{rollout.job}-again" in seen.message
    rollout.prometheus.scrape(f"{rollout.job}-again")


def test_samples_with_timestamps_of_their_own(rollout: Rollout) -> None:
    rollout.begun()
    rollout.routers[0].stamps = True
    refused(rollout, Fault.OWN_TIMESTAMPS, Reason.CONTRACT_BROKEN)


def test_late_scrape_is_waited_for_and_loses_nothing(rollout: Rollout) -> None:
    rollout.begun()
    rollout.prometheus.scraped(*rollout.served)
    before = rollout.ask().requests
    rollout.served[1].delay = 0.7
    rollout.go(3)
    seen = rollout.until("all is counted", lambda e: e.requests.candidate == before.candidate + 600)
    assert seen.requests.control == before.control + 5400


def test_a_fault_that_is_mended_loses_nothing(rollout: Rollout) -> None:
    rollout.begun()
    rollout.prometheus.scraped(*rollout.served)
    before = rollout.ask().requests
    rollout.scrape(relabel={"regex": "arm", "action": "labeldrop"})
    refused(rollout, Fault.RELABELLED, Reason.CONTRACT_BROKEN)
    rollout.go(2)
    rollout.scrape()
    seen = rollout.until("all is counted", lambda e: e.fault is None and e.requests.candidate > before.candidate)
    assert (seen.requests.control - before.control, seen.requests.candidate - before.candidate) == (3600, 400)


def test_own_metric_that_is_missing_keeps_from_judging_only_itself(rollout: Rollout) -> None:
    rollout.metrics = (ERRORS, own_metric())
    rollout.prometheus.scraped(*rollout.served)
    rollout.go()
    seen = rollout.ask()
    assert (seen.verdict, seen.fault, seen.look) == (Verdict.CANNOT_JUDGE, Fault.NO_SERIES, 1)


StartPrometheus = Callable[..., PrometheusServer]


def test_prometheus_down_and_back(own_prometheus: StartPrometheus, tmp_path: Path) -> None:
    server = own_prometheus()
    rollout = Rollout(server, tmp_path)
    try:
        rollout.begun()
        rollout.prometheus.scraped(*rollout.served)
        before = rollout.ask()
        server.stop()
        down = rollout.ask()
        rollout.users("candidate", 1)
        server.start()
        counted = before.requests.candidate + 200
        back = rollout.until("looks again", lambda e: e.fault is None and e.requests.candidate >= counted)
    finally:
        rollout.close()
    assert (down.verdict, down.fault, down.look) == (Verdict.CANNOT_JUDGE, Fault.PROMETHEUS_UNREACHABLE, before.look)
    assert (back.requests.candidate, back.requests.control) == (counted, before.requests.control)


def test_prometheus_that_hangs_is_a_time_out(own_prometheus: StartPrometheus, tmp_path: Path) -> None:
    server = own_prometheus()
    rollout = Rollout(server, tmp_path, timeout=1.0)
    try:
        rollout.begun()
        server.suspend()
        hung = rollout.ask()
        server.resume()
    finally:
        rollout.close()
    assert (hung.verdict, hung.fault) == (Verdict.CANNOT_JUDGE, Fault.PROMETHEUS_TIMEOUT)


def test_a_query_over_prometheus_limit_is_refused(own_prometheus: StartPrometheus, tmp_path: Path) -> None:
    rollout = Rollout(own_prometheus("--query.max-samples=300"), tmp_path)
    try:
        rollout.prometheus.scraped(*rollout.served)
        rollout.go()
        seen = rollout.ask()
    finally:
        rollout.close()
    assert (seen.verdict, seen.fault) == (Verdict.CANNOT_JUDGE, Fault.PROMETHEUS_REFUSED)
    assert "too many samples" in seen.message
