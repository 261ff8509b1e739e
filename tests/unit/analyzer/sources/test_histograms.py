"""Histograms as pairs of counters."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crossfade_analyzer.contract import Arm, Fault, HistogramSource, MetricKind
from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources import histograms
from crossfade_analyzer.sources.own import PairCounts, metric_group, read_metric
from crossfade_analyzer.sources.raw import Histogram, Series
from crossfade_analyzer.sources.readings import Arms
from crossfade_analyzer.sources.samples import Window
from crossfade_analyzer.sources.selectors import check_source
from crossfade_analyzer.sources.survey import survey
from tests.fakes.exporter import Exporter
from tests.fakes.prometheus import FakePrometheus

ARMS = Arms((Arm(label="stable", revisions=("a",)), Arm(label="candidate", revisions=("b",))))


def source(selector: str = "x_seconds_bucket", above: str = "0.25") -> HistogramSource:
    return HistogramSource(histogram=selector, above=Decimal(above))


@pytest.mark.parametrize(
    ("selector", "with_le"),
    [
        ("x_bucket", 'x_bucket{le="+Inf"}'),
        ("x_bucket{}", 'x_bucket{le="+Inf"}'),
        ('x_bucket{a="b"}', 'x_bucket{a="b",le="+Inf"}'),
        ('x_bucket {a="}", }', 'x_bucket {a="}",le="+Inf"}'),
    ],
)
def test_selectors_get_the_bound_whatever_is_in_them(selector: str, with_le: str) -> None:
    assert histograms.all_of(source(selector)) == with_le


@pytest.mark.parametrize(
    ("selector", "fault"),
    [
        ('{__name__="x_bucket"}', Fault.NOT_A_SELECTOR),
        ('x_bucket{a="b" or c="d"}', Fault.NOT_A_SELECTOR),
        ('x_bucket{le="0.25"}', Fault.PINNED_LABEL),
        ('x{arm="stable"}', Fault.PINNED_LABEL),
        ("rate(x_bucket[5m])", Fault.NOT_A_SELECTOR),
    ],
)
def test_selectors_that_cannot_be_used(selector: str, fault: Fault) -> None:
    with pytest.raises(EvidenceFault) as refused:
        check_source(source(selector))
    assert refused.value.finding.fault is fault


def read(exporter: Exporter, prometheus: FakePrometheus, metric: HistogramSource) -> PairCounts:
    prometheus.target(exporter, "models")
    begun = prometheus.now_ms
    prometheus.scrape()
    check_source(metric)
    found = survey(prometheus, metric_group("slow", metric), begun, prometheus.now_ms)
    return read_metric(prometheus, found, Window(begun, found.cut, begun), metric, MetricKind.COUNT, ARMS)


def answered(le: str, *, but: str = "", arms: tuple[str, ...] = ("stable", "candidate")) -> Exporter:
    """Each arm saw 10 in bucket 7, of which 6 are at most the bound; arm `but` does not have it."""
    made = Exporter(lambda: 0.0)
    for arm in arms:
        made.put("x_seconds_bucket", 10, le="+Inf", arm=arm, abucket="7")
        made.put("x_seconds_bucket", 2, le="0.1", arm=arm, abucket="7")
        if arm != but:
            made.put("x_seconds_bucket", 6, le=le, arm=arm, abucket="7")
    return made


@pytest.mark.parametrize(
    ("le", "above"),
    [
        ("0.25", "0.25"),
        ("1", "1"),
        ("1.0", "1"),
        ("1", "1.0"),
        ("1e-05", "0.00001"),
        ("2.5e-05", "0.000025"),
        ("0.5", "0.50"),
        ("1.234567e+06", "1234567"),
        ("1e+06", "1000000"),
    ],
)
def test_the_bound_is_found_however_it_is_written(le: str, above: str) -> None:
    prometheus = FakePrometheus()
    exporter = answered(le)
    exporter.now = prometheus.seconds
    exporter.started = prometheus.seconds() + 1
    counts = read(exporter, prometheus, source(above=above))
    assert [row[7] for row in counts.events] == [4, 4]
    assert [sum(row) for row in counts.total] == [10, 10]


def test_an_arm_without_the_bound_is_refused_with_the_bounds_there_are() -> None:
    with pytest.raises(EvidenceFault) as refused:
        read(answered("0.25", but="candidate"), FakePrometheus(), source())
    assert refused.value.finding.fault is Fault.BOUND_MISSING
    assert 'arm="candidate"' in str(refused.value)
    assert "seen: 0.1, 0.25" in str(refused.value)


def test_an_arm_without_observations_is_missing() -> None:
    with pytest.raises(EvidenceFault) as refused:
        read(answered("0.25", arms=("stable",)), FakePrometheus(), source())
    assert refused.value.finding.fault is Fault.ARM_MISSING


def test_a_native_histogram_becomes_two_counters() -> None:
    seen = Histogram(10.0, ((-1e-9, 1e-9, 1.0), (0.125, 0.25, 5.0), (0.25, 0.5, 4.0)))
    series = Series({"__name__": "x", "arm": "stable"}, (), ((1000, seen),))
    assert histograms.as_counters((series,), source("x")) == (
        Series({"__name__": "x", "arm": "stable", "le": "+Inf"}, ((1000, 10.0),)),
        Series({"__name__": "x", "arm": "stable", "le": "0.25"}, ((1000, 6.0),)),
    )


def test_what_others_expose_needs_no_bound() -> None:
    theirs = Series({"__name__": "x", "arm": "other"}, (), ((1000, Histogram(4.0, ((0.125, 0.5, 4.0),))),))
    (everything,) = histograms.as_counters((theirs,), source("x"), lambda labels: labels["arm"] == "stable")
    assert histograms.counts_all(everything.labels)


def test_a_native_bucket_on_both_sides_of_the_bound_is_refused() -> None:
    series = Series({"__name__": "x"}, (), ((1000, Histogram(4.0, ((0.25, 0.5, 4.0),))),))
    with pytest.raises(EvidenceFault, match=r"from 0.25 to 0.5, .* above 0.3 is not known") as refused:
        histograms.as_counters((series,), source("x", "0.3"))
    assert refused.value.finding.fault is Fault.BOUND_MISSING
