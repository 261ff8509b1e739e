"""Reads an experiment's windows from Prometheus; what is wrong with one metric is noted and leaves the others alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from crossfade_analyzer.calibration import HISTORY_MS, Calibration, calibrate
from crossfade_analyzer.contract import ExperimentMetric, MetricKind
from crossfade_analyzer.experiments import history
from crossfade_analyzer.experiments.fold import Fold, group_of
from crossfade_analyzer.experiments.records import ROUTER, Before, Counted
from crossfade_analyzer.experiments.study import ROUTER_KINDS, Study
from crossfade_analyzer.faults import EvidenceFault, Finding
from crossfade_analyzer.sources.own import metric_group, read_metric
from crossfade_analyzer.sources.raw import RawSource
from crossfade_analyzer.sources.readings import (
    Arms,
    AssignedCounts,
    Cells,
    first_requests,
    read_assigned,
    router_group,
)
from crossfade_analyzer.sources.samples import Window
from crossfade_analyzer.sources.selectors import check_source
from crossfade_analyzer.sources.survey import Survey, survey

# The tail whose bound an experiment's latency is judged at: p90 moves with many causes and needs no huge samples.
TAIL = 0.1
_FIRST_SEEN_MS = 600_000

Found = TypeVar("Found")
Pair = tuple[Cells, Cells | None]


class Reader(Protocol):
    """Where an experiment's counts come from. `findings`: what was wrong, by metric."""

    findings: dict[str, Finding]

    def newest(self, fold: Fold) -> int:
        """The newest instant (ms) up to which all arms were counted. Raises `EvidenceFault`."""

    def counted_at(self, at_ms: int) -> bool:
        """Whether a window may end there: everything that counts was read shortly before."""

    def window(self, fold: Fold, end: int) -> Counted:
        """What was counted since the last window up to `end`. Raises `EvidenceFault`."""

    def calibration(self, fold: Fold) -> Calibration | None:
        """The latency bound that is to be judged, once it can be chosen."""

    def baseline(self, fold: Fold, metric: ExperimentMetric) -> tuple[Cells, Cells] | None:
        """A metric's counts before the start in stable, as one arm; `None` when there are none."""

    def before(self, fold: Fold) -> Before | None:
        """The arms' own labelled counts before the start; `None` when there are none."""


class PrometheusReader:
    """Reads one evaluation's windows."""

    def __init__(self, source: RawSource, study: Study, now_ms: int, freshness_ms: int) -> None:
        self._source, self._study, self._now, self._freshness = source, study, now_ms, freshness_ms
        self._endpoint = study.design.endpoint
        self._arms = history.arms_of(study.arms)
        self._surveys: dict[str, Survey] = {}
        self.findings: dict[str, Finding] = {}

    def newest(self, fold: Fold) -> int:
        start = min(fold.ends.get(ROUTER, fold.since), self._now)
        group = router_group(self._endpoint, self._arms, self._freshness)
        self._surveys[ROUTER] = survey(self._source, group, start, self._now)
        return self._surveys[ROUTER].cut

    def counted_at(self, at_ms: int) -> bool:
        return _scraped(self._surveys[ROUTER], at_ms, self._freshness)

    def window(self, fold: Fold, end: int) -> Counted:
        window = Window(fold.ends.get(ROUTER, fold.since), end, fold.since)
        bounds = (fold.bound,) if fold.bound else ()
        routers = self._surveys[ROUTER]
        read, window = self._skipping(
            fold, window, lambda w: read_assigned(self._source, routers, w, self._endpoint, self._arms, bounds)
        )
        counts = _router_metrics(self._study, read, fold.bound)
        begins, ends = {ROUTER: window.start}, {ROUTER: window.end}
        for metric in self._study.design.metrics:
            own = self._noted(fold, metric, end) if metric.kind not in ROUTER_KINDS else None
            if own is not None:
                counts[metric.name], part = own
                begins[metric.name], ends[metric.name] = part.start, part.end
        return Counted(
            number=len(fold.windows) + 1,
            start=fold.until,
            end=end,
            begins=begins,
            ends=ends,
            requests=read.requests,
            fallbacks=read.fallbacks,
            counts=counts,
            first=() if fold.windows else self._first(fold, end),
        )

    def _first(self, fold: Fold, end: int) -> tuple[int | None, ...]:
        until = min(end, fold.since + _FIRST_SEEN_MS)
        return first_requests(self._source, self._endpoint, self._arms, fold.since, until)

    def _noted(self, fold: Fold, metric: ExperimentMetric, end: int) -> tuple[Pair, Window] | None:
        try:
            return self._own(fold, metric, end)
        except EvidenceFault as fault:
            self.findings[metric.name] = fault.finding
            return None

    def _own(self, fold: Fold, metric: ExperimentMetric, end: int) -> tuple[Pair, Window] | None:
        """A metric's counts and the time they are of; `None` when nothing new was scraped yet."""
        source = metric.source
        assert source is not None  # noqa: S101
        check_source(source)
        start = fold.ends.get(group_of(metric), fold.since)
        group = metric_group(metric.name, source)
        if metric.name not in self._surveys:
            self._surveys[metric.name] = survey(self._source, group, start, self._now)
        found = self._surveys[metric.name]
        part = Window(start, min(end, found.cut), fold.since)
        if part.end <= part.start or not _scraped(found, part.end, group.freshness_ms):
            return None
        arms = history.arms_of(self._study.arms, metric)
        read, part = self._skipping(
            fold, part, lambda w: read_metric(self._source, found, w, source, metric.kind, arms)
        )
        self.findings.pop(metric.name, None)
        return (read.events, read.total), part

    @staticmethod
    def _skipping(fold: Fold, window: Window, read: Callable[[Window], Found]) -> tuple[Found, Window]:
        """Read a window; where that cannot be done and time of it is excluded, only what follows the exclusion."""
        try:
            return read(window), window
        except EvidenceFault:
            over = [end for start, end, _ in fold.excluded.ranges if start < window.end and window.start < end]
            if not over or max(over) >= window.end:
                raise
            later = Window(max(over), window.end, max(over))
            return read(later), later

    def calibration(self, fold: Fold) -> Calibration | None:
        """From stable's last day, else from control's first windows, which then are not tested for latency."""
        bounds = self._study.design.latency_bounds
        control = self._study.arms[0].label
        spans = [(history.STABLE, fold.since - HISTORY_MS, fold.since)] if not fold.windows else []
        spans += [(control, fold.since, fold.until)] if fold.windows else []
        for label, start, end in spans:
            found = calibrate(self._source, self._endpoint, label, bounds, start, end)
            if found is not None:
                bound = found.nearest_to(TAIL)
                return Calibration((bound,), found.requests, found.slower, start, end)
        return None

    def baseline(self, fold: Fold, metric: ExperimentMetric) -> tuple[Cells, Cells] | None:
        arms = history.stable_arm(metric)
        return self._counted_before(fold, metric, arms, fold.since - HISTORY_MS)

    def _counted_before(
        self, fold: Fold, metric: ExperimentMetric, arms: Arms, start: int
    ) -> tuple[Cells, Cells] | None:
        if metric.kind is MetricKind.LATENCY and fold.bound is None:
            return None
        at = history.points(start, fold.since)
        try:
            x, n = history.counted(self._source, self._endpoint, metric, arms, fold.bound, at).whole()
        except EvidenceFault:
            return None
        return (x, n) if all(map(any, n)) else None

    def before(self, fold: Fold) -> Before | None:
        start = fold.since - round(self._study.design.pre_period_seconds * 1000)
        counts: dict[str, Pair] = {}
        for metric in self._study.design.metrics:
            found = self._counted_before(fold, metric, history.arms_of(self._study.arms, metric), start)
            if found is not None:
                counts[metric.name] = found
        if not counts:
            return None
        at = history.points(start, fold.since)
        return Before(start, fold.since, history.requests(self._source, self._endpoint, self._arms, at), counts)


def _router_metrics(study: Study, read: AssignedCounts, bound: str | None) -> dict[str, Pair]:
    counts: dict[str, Pair] = {}
    for metric in study.design.metrics:
        if metric.kind is MetricKind.ERROR_RATE:
            counts[metric.name] = (read.errors, None)
        elif metric.kind is MetricKind.LATENCY and bound is not None:
            counts[metric.name] = (read.slower[bound], None)
    return counts


def _scraped(found: Survey, at_ms: int, freshness_ms: int) -> bool:
    """Whether every target that was there at an instant was scraped shortly before it."""
    for target in found.targets:
        last = target.last_scrape(at_ms)
        if target.live and last is not None and at_ms - last > target.patience_ms(freshness_ms):
            return False
    return True
