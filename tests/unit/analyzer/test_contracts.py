"""Whether a metric's series can be used, asked before a rollout depends on it."""

from __future__ import annotations

import pytest

from crossfade_analyzer.contract import CounterSource, Fault, Reason
from crossfade_analyzer.contracts import check_contract
from tests.fakes.exporter import Exporter
from tests.fakes.prometheus import FakePrometheus

SOURCE = CounterSource(numerator="empty_total", denominator="answers_total")


BOTH = ("empty_total", "answers_total")


def world(arm: str | None = "stable", bucket: str | None = "7", names: tuple[str, ...] = BOTH) -> FakePrometheus:
    prometheus = FakePrometheus()
    server = Exporter(prometheus.seconds)
    labels = {name: value for name, value in (("arm", arm), ("abucket", bucket)) if value is not None}
    for name in names:
        server.add(name, 3, **labels)
    prometheus.target(server, "models")
    prometheus.scrape()
    return prometheus


@pytest.mark.parametrize("bucket", ["0", "99", "none", "forced"])
def test_labelled_and_fresh_counters_hold(bucket: str) -> None:
    prometheus = world(bucket=bucket)
    assert check_contract(prometheus, SOURCE, lambda: prometheus.now_ms).holds


BROKEN = {
    "no arm": (world(arm=None), Fault.RELABELLED),
    "no bucket": (world(bucket=None), Fault.RELABELLED),
    "a bucket beyond the last": (world(bucket="100"), Fault.RELABELLED),
    "no numerator": (world(names=("answers_total",)), Fault.NO_SERIES),
    "no series at all": (FakePrometheus(), Fault.NO_SERIES),
}


@pytest.mark.parametrize(("prometheus", "fault"), BROKEN.values(), ids=BROKEN)
def test_broken_contracts(prometheus: FakePrometheus, fault: Fault) -> None:
    report = check_contract(prometheus, SOURCE, lambda: prometheus.now_ms)
    assert (report.holds, report.fault) == (False, fault)


def test_stale_counters_are_unavailable_not_broken() -> None:
    prometheus = world()
    prometheus.now_ms += 200_000
    report = check_contract(prometheus, SOURCE, lambda: prometheus.now_ms)
    assert (report.fault, report.reason) == (Fault.STALE, Reason.METRICS_UNAVAILABLE)


def test_a_selector_that_is_none_asks_prometheus_nothing() -> None:
    prometheus = world()
    report = check_contract(prometheus, CounterSource(numerator="rate(a[5m])", denominator="b"), lambda: 0)
    assert (report.reason, report.fault) == (Reason.CONTRACT_BROKEN, Fault.NOT_A_SELECTOR)
    assert prometheus.queries == []
