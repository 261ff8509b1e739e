"""Metrics of one's own from histograms, classic and native, in a real Prometheus: exact counts, or a refusal."""

from __future__ import annotations

import itertools
import time
from decimal import Decimal

import pytest

from crossfade_analyzer.contract import (
    Arm,
    Evaluation,
    Fault,
    HistogramSource,
    MetricKind,
    MetricPlan,
    MetricResult,
    Reason,
    Role,
)
from crossfade_analyzer.contracts import check_contract
from crossfade_analyzer.experiments import history
from crossfade_analyzer.sources.readings import Arms
from tests.fakes.experiments import PLAYS
from tests.fakes.exporter import Exporter
from tests.fakes.native import NativeExporter
from tests.fakes.requests import ERRORS, own_metric
from tests.integration.analyzer.conftest import Rollout

FAST, SLOW = 0.2, 0.4
LE = ("0.1", "0.25", "0.5", "+Inf")


class Classic(Exporter):
    """Observes into a classic histogram; `bounds` by arm, for those that lack some."""

    def __init__(self) -> None:
        super().__init__()
        self.bounds = {"stable": LE, "candidate": LE}

    def observe(self, name: str, values: list[float], **labels: str) -> None:
        with self.guard:
            for le in self.bounds[labels["arm"]]:
                self.add(f"{name}_bucket", sum(value <= float(le) for value in values), le=le, **labels)


def metric(selector: str, above: str = "0.25") -> MetricPlan:
    source = HistogramSource(histogram=selector, above=Decimal(above), freshness_seconds=5)
    return MetricPlan(name="slow", kind=MetricKind.COUNT, role=Role.DETERIORATION, source=source)


def answer(model: Classic | NativeExporter, fast: int = 3, slow: int = 1) -> None:
    """In each bucket of each arm; the candidate is twice as often slow."""
    with model.guard:
        for bucket, (name, times) in itertools.product(range(100), (("stable", 1), ("candidate", 2))):
            values = [FAST] * fast + [SLOW] * slow * times
            model.observe("model_seconds", values, arm=name, abucket=str(bucket))


@pytest.fixture(params=[Classic, NativeExporter])
def model(request: pytest.FixtureRequest, rollout: Rollout) -> Classic | NativeExporter:
    made: Classic | NativeExporter = request.param()
    answer(made)  # before anybody is exposed
    rollout.serve(made)
    rollout.scrape()
    rollout.prometheus.scraped(*rollout.served)
    rollout.since = time.time_ns() // 1_000_000
    return made


def selector(model: Exporter, rollout: Rollout) -> str:
    name = "model_seconds" if isinstance(model, NativeExporter) else "model_seconds_bucket"
    return f'{name}{{job="{rollout.job}"}}'


def slow(seen: Evaluation) -> MetricResult:
    return next(one for one in seen.metrics if one.name == "slow")


def counted(rollout: Rollout, events: tuple[int, int], totals: tuple[int, int]) -> Evaluation:
    """Wait for exactly so many observations, control's and the candidate's, of which `events` were above the bound."""

    def pairs(seen: Evaluation) -> tuple[tuple[int, int], ...]:
        both = slow(seen).control, slow(seen).candidate
        return tuple((arm.events, arm.total) for arm in both if arm)

    wanted = tuple(zip(events, totals, strict=True))
    return rollout.until(f"{wanted} events of observations", lambda seen: pairs(seen) == wanted)


def go(rollout: Rollout, model: Classic | NativeExporter, times: int) -> None:
    for _ in range(times):
        answer(model)
        rollout.go(1)


def fault_of(rollout: Rollout, model: Classic | NativeExporter, own: MetricPlan) -> Evaluation:
    """Wait until the metric is found at fault, under traffic."""
    rollout.metrics = (ERRORS, own)
    rollout.prometheus.scraped(*rollout.served)
    go(rollout, model, 2)
    return rollout.until("a fault", lambda e: e.fault is not None)


def test_what_is_above_the_bound_is_counted_exactly(rollout: Rollout, model: Classic | NativeExporter) -> None:
    rollout.metrics = (ERRORS, metric(selector(model, rollout)))
    rollout.prometheus.scraped(*rollout.served)
    go(rollout, model, 3)
    counted(rollout, (300, 600), (1200, 1500))
    go(rollout, model, 2)
    counted(rollout, (500, 1000), (2000, 2500))


def test_a_contract_holds_at_a_bound_and_names_the_bounds_otherwise(
    rollout: Rollout, model: Classic | NativeExporter
) -> None:
    def check(above: str) -> tuple[bool, Fault | None, str]:
        source = metric(selector(model, rollout), above).source
        assert source
        report = check_contract(rollout.source, source, lambda: time.time_ns() // 1_000_000)
        return report.holds, report.fault, report.message

    assert check("0.25") == (True, None, "The histogram is fresh and labelled, with the bound 0.25, from 1 targets")
    holds, fault, message = check("0.39")
    assert (holds, fault) == (False, Fault.BOUND_MISSING)
    for bound in ("0.1", "0.25", "0.5") if isinstance(model, Classic) else ("0.385553", "0.420448"):
        assert bound in message


@pytest.mark.parametrize("model", [Classic], indirect=True)
def test_counters_are_refused_as_a_native_histogram(rollout: Rollout, model: Classic) -> None:
    model.add("model_seconds", 1, arm="stable", abucket="1")
    seen = fault_of(rollout, model, metric(f'model_seconds{{job="{rollout.job}"}}'))
    assert (seen.fault, seen.reason) == (Fault.NOT_A_COUNTER, Reason.CONTRACT_BROKEN)
    assert "model_seconds_bucket" in slow(seen).message


@pytest.mark.parametrize("model", [NativeExporter], indirect=True)
def test_a_native_histogram_may_lose_resolution_as_long_as_the_bound_is_there(
    rollout: Rollout, model: NativeExporter
) -> None:
    rollout.metrics = (ERRORS, metric(selector(model, rollout), "0.3536"))  # 2^-1.5, a bound of schema 1 and finer
    rollout.prometheus.scraped(*rollout.served)
    go(rollout, model, 2)
    model.schema = 1
    go(rollout, model, 1)
    before = counted(rollout, (300, 600), (1200, 1500))
    model.schema = 0
    go(rollout, model, 1)
    seen = rollout.until("the bound is gone", lambda e: slow(e).reason is not None)
    assert slow(seen).reason == Fault.BOUND_MISSING
    assert (slow(seen).control, slow(seen).candidate) == (slow(before).control, slow(before).candidate)


@pytest.mark.parametrize("model", [Classic], indirect=True)
def test_an_arm_whose_histogram_lacks_the_bound_is_not_slow_but_unknown(rollout: Rollout, model: Classic) -> None:
    model.restart()
    model.bounds["candidate"] = ("0.1", "0.5", "+Inf")
    seen = fault_of(rollout, model, metric(selector(model, rollout)))
    assert (seen.fault, seen.reason) == (Fault.BOUND_MISSING, Reason.CONTRACT_BROKEN)
    assert 'arm="candidate"' in slow(seen).message


@pytest.mark.parametrize("model", [NativeExporter], indirect=True)
def test_a_native_histogram_is_refused_as_a_counter(rollout: Rollout, model: NativeExporter) -> None:
    name = selector(model, rollout)
    seen = fault_of(rollout, model, own_metric(numerator=name, denominator=name))
    assert seen.fault is Fault.NOT_A_COUNTER


def test_a_plan_sees_what_was_above_the_bound(rollout: Rollout, model: Classic | NativeExporter) -> None:
    begun = time.time_ns() // 1_000_000
    rollout.prometheus.scraped(*rollout.served)
    go(rollout, model, 3)
    rollout.prometheus.scraped(*rollout.served)
    own = PLAYS.model_copy(update={"source": metric(selector(model, rollout)).source, "kind": MetricKind.COUNT})
    arms = Arms(tuple(Arm(label=name, revisions=(name,)) for name in ("stable", "candidate")))
    at = history.points(begun, time.time_ns() // 1_000_000, 5)
    x, n = history.counted(rollout.source, rollout.endpoint, own, arms, None, at).whole()
    assert [sum(row) for row in x] == [300, 600]
    assert [sum(row) for row in n] == [1200, 1500]
