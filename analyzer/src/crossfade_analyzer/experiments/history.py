"""Counts of a longer time from counter values at some instants: for plans and covariates, not for what is tested.

A series that began in between counts in full, a restarted one from zero; what a process counted between the last
instant and its end is lost, which a plan can bear.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crossfade_analyzer.contract import Arm, ExperimentArm, ExperimentMetric, HistogramSource, MetricKind
from crossfade_analyzer.experiments.study import scale_of
from crossfade_analyzer.sources import histograms
from crossfade_analyzer.sources.own import above
from crossfade_analyzer.sources.raw import RawSource, Series
from crossfade_analyzer.sources.readings import Arms, Cells, cells, router_selector
from crossfade_analyzer.sources.samples import Increment
from crossfade_analyzer.sources.selectors import check_source

POINTS = 25
SHORTEST_MS = 5_000
"""Less time than that holds no scrape for itself."""
STABLE = "stable"


@dataclass(frozen=True)
class Span:
    """Counts of one metric (numerator, denominator) over a stretch of time, as two halves."""

    first: tuple[Cells, Cells]
    second: tuple[Cells, Cells]

    def whole(self) -> tuple[Cells, Cells]:
        (a, b), (c, d) = self.first, self.second
        return _plus(a, c), _plus(b, d)


def arms_of(arms: Sequence[ExperimentArm], metric: ExperimentMetric | None = None) -> Arms:
    """The arms as their labels tell them apart, in the router's series or in a metric's own."""
    named = tuple(Arm(label=arm.label, revisions=arm.revisions) for arm in arms)
    source = metric.source if metric else None
    return Arms(named, source.arm_label, source.bucket_label) if source else Arms(named)


def stable_arm(metric: ExperimentMetric | None = None, label: str = STABLE) -> Arms:
    return labelled((label,), metric)


def labelled(labels: Sequence[str], metric: ExperimentMetric | None = None) -> Arms:
    """Arms by the labels that the router gives users, whoever answered them."""
    source = metric.source if metric else None
    named = tuple(Arm(label=label, revisions=("-",)) for label in labels)
    return Arms(named, source.arm_label, source.bucket_label) if source else Arms(named)


def points(start_ms: int, end_ms: int, count: int = POINTS) -> list[int]:
    """Instants from start to end, evenly, the last one exactly at the end."""
    step = max((end_ms - start_ms) // (count - 1), 1)
    return [end_ms - step * number for number in reversed(range(count))]


def traffic(source: RawSource, selector: str, asked_ms: int, end_ms: int, count: int = POINTS) -> list[int]:
    """The instants at which a selector had series: of the time asked for, or of its end where the beginning is bare."""
    found: list[int] = []
    present, length = f"group by (arm) ({selector})", asked_ms
    while length >= SHORTEST_MS:
        at = points(end_ms - length, end_ms, count)
        found = seen(source, present, at)
        if len(found) * 8 > len(at) or not found:
            break
        length //= 8
    return found


def seen(source: RawSource, query: str, at: Sequence[int]) -> list[int]:
    """Those of the instants at which the query gives something."""
    found = {instant for series in _at(source, query, at) for instant, _ in series.samples}
    return [instant for instant in at if instant in found]


def _at(source: RawSource, query: str, at: Sequence[int]) -> tuple[Series, ...]:
    return source.steps(query, at[0], at[-1], at[1] - at[0])


def counted(
    source: RawSource, endpoint: str, metric: ExperimentMetric, arms: Arms, bound: str | None, at: Sequence[int]
) -> Span:
    """A metric's counts per arm and bucket between the first and the last of `at`."""
    numerator, denominator = selectors(endpoint, metric, arms, bound)
    x = _halves(source, numerator, arms, at, scale_of(metric))
    n = _halves(source, denominator, arms, at, 1)
    if isinstance(metric.source, HistogramSource):  # its numerator counts what is not above the bound
        x = above(n[0], x[0]), above(n[1], x[1])
    return Span((x[0], n[0]), (x[1], n[1]))


def requests(source: RawSource, endpoint: str, arms: Arms, at: Sequence[int]) -> Cells:
    """The routers' requests per arm and bucket between the first and the last of `at`."""
    first, second = _halves(source, router_selector(endpoint, arms, ("requests",)), arms, at, 1)
    return _plus(first, second)


def selectors(endpoint: str, metric: ExperimentMetric, arms: Arms, bound: str | None) -> tuple[str, str]:
    """Numerator and denominator of a metric. Raises `EvidenceFault` for a source that cannot be used."""
    if metric.source is not None:
        check_source(metric.source)
        if isinstance(metric.source, HistogramSource):
            return histograms.expressions(metric.source)
        return metric.source.numerator, metric.source.denominator
    denominator = router_selector(endpoint, arms, ("requests",))
    if metric.kind is MetricKind.LATENCY:
        return router_selector(endpoint, arms, ("slower",), (bound,) if bound else ()), denominator
    return router_selector(endpoint, arms, ("errors",)), denominator


def _halves(source: RawSource, selector: str, arms: Arms, at: Sequence[int], scale: int) -> tuple[Cells, Cells]:
    middle = len(at) // 2
    items = list(_increments(source, selector, at, scale))
    first = [item for index, item in items if index <= middle]
    second = [item for index, item in items if index > middle]
    return cells(first, arms), cells(second, arms)


def _increments(source: RawSource, selector: str, at: Sequence[int], scale: int) -> Iterator[tuple[int, Increment]]:
    for series in _at(source, selector, at):
        before, values = 0.0, dict(series.samples)
        for index, instant in enumerate(at):
            value = values.get(instant, math.nan)
            if not math.isfinite(value):
                continue
            if index:
                yield index, Increment(series.labels, round((value - before if value >= before else value) * scale))
            before = value


def _plus(one: Cells, other: Cells) -> Cells:
    return tuple(tuple(a + b for a, b in zip(x, y, strict=True)) for x, y in zip(one, other, strict=True))
