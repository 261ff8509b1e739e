"""Metrics of one's own, per arm and analysis bucket: from a pair of counters, or from a histogram and a bound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import sub

from crossfade_analyzer.contract import Fault, HistogramSource, MetricKind, MetricSource
from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources import histograms
from crossfade_analyzer.sources.raw import RawSource, Series
from crossfade_analyzer.sources.readings import MICRO, Arms, Cells, at_most, cells, keep_ours, refuse_missing_arm
from crossfade_analyzer.sources.samples import Window, described
from crossfade_analyzer.sources.survey import Group, Keep, Survey, read


@dataclass(frozen=True)
class PairCounts:
    """Numerator and denominator of a metric, per arm and bucket."""

    events: Cells
    total: Cells


def metric_group(name: str, source: MetricSource) -> Group:
    """The targets that expose a metric."""
    return Group(name, series_of(source), round(source.freshness_seconds * 1000))


def series_of(source: MetricSource) -> tuple[str, ...]:
    """Selectors of the series that a metric needs, each of which has every arm and bucket."""
    if isinstance(source, HistogramSource):
        return (histograms.all_of(source),)
    return source.numerator, source.denominator


def read_metric(
    source: RawSource, found: Survey, window: Window, metric: MetricSource, kind: MetricKind, arms: Arms
) -> PairCounts:
    """Read a metric's numerator and denominator within a window. A Mean's numerator is in micro-units."""
    if isinstance(metric, HistogramSource):
        return _read_histogram(source, found, window, metric, arms)
    scale = MICRO if kind is MetricKind.MEAN else 1
    keep = _counters_of(arms)
    total = read(source, metric.denominator, found, window, keep)
    refuse_missing_arm(total, arms, f"`{metric.denominator}`")
    return PairCounts(cells(read(source, metric.numerator, found, window, keep, scale), arms), cells(total, arms))


def _read_histogram(
    source: RawSource, found: Survey, window: Window, metric: HistogramSource, arms: Arms
) -> PairCounts:
    """All observations and those up to the bound are read in one query, so that both are of the same scrapes."""
    ours = keep_ours(arms)

    def keep(series: tuple[Series, ...], found: Survey, window: Window) -> tuple[Series, ...]:
        kept = ours(histograms.as_counters(series, metric, arms.counts), found, window)
        histograms.refuse_without_bound(source, kept, metric, window.end)
        return kept

    items = read(source, histograms.all_and_within(metric), found, window, keep)
    everything = [item for item in items if histograms.counts_all(item.labels)]
    refuse_missing_arm(everything, arms, f"`{metric.histogram}`")
    total = cells(everything, arms)
    within = cells((item for item in items if not histograms.counts_all(item.labels)), arms)
    return PairCounts(above(total, within), total)


def above(total: Cells, within: Cells) -> Cells:
    """The observations above a bound, from all of them and those up to it."""
    return tuple(tuple(map(sub, *rows)) for rows in zip(total, at_most(total, within), strict=True))


def _counters_of(arms: Arms) -> Keep:
    ours = keep_ours(arms)

    def keep(series: tuple[Series, ...], found: Survey, window: Window) -> tuple[Series, ...]:
        _refuse_histograms(series)
        return ours(series, found, window)

    return keep


def _refuse_histograms(series: Iterable[Series]) -> None:
    for one in series:
        if one.histograms:
            raise EvidenceFault(
                Fault.NOT_A_COUNTER,
                f"{described(one.labels)} is a native histogram, where a counter is needed; "
                "give it as `histogram`, and as `above` the bound beyond which its observations count",
            )
