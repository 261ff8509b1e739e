"""What would an experiment take? From the endpoint's real traffic of the last days, before anything is started."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from typing import Any

from crossfade_analyzer.calibration import calibrate
from crossfade_analyzer.contract import (
    ExperimentMetric,
    ExperimentPlan,
    ExperimentPlanRequest,
    ExperimentRole,
    Fault,
    MetricKind,
    PlannedMetric,
    Reachable,
)
from crossfade_analyzer.contracts import check_contract
from crossfade_analyzer.experiments import history
from crossfade_analyzer.experiments.fold import sums, table
from crossfade_analyzer.experiments.mock import sample_of_control
from crossfade_analyzer.experiments.reader import TAIL
from crossfade_analyzer.experiments.study import SHOWN, Study, problems, study_of
from crossfade_analyzer.experiments.targets import MIN_UNITS, baseline, deviation_of, inflation, reachable, target
from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources.once import Once
from crossfade_analyzer.sources.raw import RawSource
from crossfade_analyzer.sources.readings import Cells, router_selector
from crossfade_analyzer.statistics.experiments.comparison import BucketSums
from crossfade_analyzer.statistics.experiments.contrast import ArmValue, linear
from crossfade_analyzer.statistics.experiments.cuped import PairedValues
from crossfade_analyzer.statistics.plan import MIN_BUCKETS
from crossfade_analyzer.statistics.refusals import InvalidPlan

DAY_MS = 86_400_000
WEEK = 7


@dataclass(frozen=True)
class Past:
    """One metric's past traffic as one arm, as two halves, and how much of it the arms would have had."""

    first: BucketSums
    second: BucketSums
    days: float
    share: float

    @property
    def whole(self) -> BucketSums:
        pairs = zip(self.first.x, self.second.x, strict=True), zip(self.first.y, self.second.y, strict=True)
        x, y = (tuple(a + b for a, b in pair) for pair in pairs)
        return BucketSums(x, y)

    @property
    def units_per_day(self) -> float:
        return sum(self.whole.x) / self.days * self.share

    def explained(self) -> float:
        """Share of a bucket's variance that its own past explains: r^2 between the halves."""
        if not (sum(self.first.x) and sum(self.second.x)):
            return 0.0
        rows = [linear(half, sum(half.y) / sum(half.x)) for half in (self.first, self.second)]
        r = PairedValues(rows[1], rows[0]).correlation()
        return r * r if r > 0 else 0.0


@dataclass
class _Findings:
    refusals: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def plan(source: RawSource, request: ExperimentPlanRequest, now_ms: int) -> ExperimentPlan:
    """The plan, with every reason why it would not work. Never raises for what is wrong with traffic or metrics."""
    found = _Findings(list(problems(request.design, request.arms)))
    if found.refusals:
        return _refused(found)
    try:
        study = study_of(request.design, request.arms)
    except InvalidPlan as error:
        return _refused(_Findings([str(error)]))
    traffic = _Mocked(study) if study.design.mock else _Traffic(Once(source), request, study, now_ms)
    try:
        traffic.look(found)
    except EvidenceFault as fault:
        found.refusals.append(fault.finding.message)
        return _refused(found)
    metrics = tuple(_planned(study, metric, traffic, found) for metric in study.design.metrics)
    return _whole(study, request, metrics, traffic, found)


def _refused(found: _Findings) -> ExperimentPlan:
    return ExperimentPlan(feasible=False, refusals=tuple(found.refusals), notes=tuple(found.notes), metrics=())


def _whole(
    study: Study,
    request: ExperimentPlanRequest,
    metrics: tuple[PlannedMetric, ...],
    traffic: _Traffic | _Mocked,
    found: _Findings,
) -> ExperimentPlan:
    longest, shortest = (s / 86_400 for s in (study.design.max_runtime_seconds, study.design.min_runtime_seconds))
    timed = [one for one in metrics if one.days is not None]
    needed = max((one.days or 0.0 for one in timed), default=0.0)
    if needed > longest:
        slowest = max(timed, key=lambda one: one.days or 0.0)
        found.refusals.append(_too_long(slowest, needed, longest, float(request.slice)))
    days = max(needed, shortest)
    whole = ceil(days / WEEK) * WEEK if days >= WEEK else max(ceil(days), 1)
    return ExperimentPlan(
        feasible=not found.refusals,
        refusals=tuple(found.refusals),
        notes=tuple(found.notes),
        history_from=traffic.start,
        history_until=traffic.end,
        requests_per_day=traffic.requests_per_day,
        required_sample=max((one.required_sample or 0 for one in metrics), default=0) or None,
        days=whole if timed else None,
        metrics=metrics,
    )


def _too_long(slowest: PlannedMetric, needed: float, longest: float, share: float) -> str:
    wider = share * needed / longest
    slice_needed = f"a slice of {wider:.1%}" if wider <= 1 else "more traffic than the endpoint has"
    effect = f"an effect of {slowest.reachable.absolute:.3g}" if slowest.reachable else "a larger effect"
    return (
        f"{slowest.metric} needs {needed:.1f} days at this slice, and maxRuntime is {longest:.1f} days: ask for "
        f"{slice_needed}, look for {effect} (in the metric's units) instead, or allow more time"
    )


class _Unplannable(Exception):
    """A metric cannot be planned with; the message says what to do."""


def _planned(study: Study, metric: ExperimentMetric, traffic: _Traffic | _Mocked, found: _Findings) -> PlannedMetric:
    named = {"metric": metric.name, "revision": metric.revision, "role": metric.role}
    try:
        past, series = traffic.past(metric)
        return PlannedMetric(**named, **_numbers(study, metric, past), holds=True, series_per_arm=series)
    except EvidenceFault as error:
        found.refusals.append(f"{metric.name}: {error.finding.message}")
        return PlannedMetric(**named, holds=False, fault=error.finding.fault, message=error.finding.message)
    except _Unplannable as error:
        found.refusals.append(f"{metric.name}: {error}")
        return PlannedMetric(**named, holds=False, message=str(error), series_per_arm=series)


def _numbers(study: Study, metric: ExperimentMetric, past: Past) -> dict[str, Any]:
    """What a metric takes, or `_Unplannable`."""
    value = _baseline(metric, past)
    deviation, explained = deviation_of(value, sum(past.whole.x)), past.explained()
    numbers = {
        "message": _said(study, metric, explained),
        "baseline": value.value,
        "deviation": deviation,
        "units_per_day": past.units_per_day,
        "alpha": study.alpha(metric),
        "cuped_r2": explained,
    }
    if metric.role not in SHOWN:
        return numbers
    aim = target(study, metric, value.value, deviation, "stable")
    if aim is None or aim.sample is None:
        asked = "mde" if metric.role is ExperimentRole.SUCCESS else "margin"
        raise _Unplannable(f"the {asked} is relative, and the metric is {value.value:g} now: give an absolute one")
    kept = 1 - explained if study.design.pre_period_seconds else 1.0
    needed = ceil(aim.sample * kept)
    within = past.units_per_day * study.design.max_runtime_seconds / 86_400
    least = reachable(study, metric, within, deviation) * kept**0.5
    return {
        **numbers,
        "beta": study.beta,
        "inflation": inflation(study, metric),
        "required_sample": needed,
        "days": needed / past.units_per_day,
        "reachable": Reachable(absolute=least, relative=least / abs(value.value) if value.value else None),
    }


def _baseline(metric: ExperimentMetric, past: Past) -> ArmValue:
    if (thin := _thin(past)) is not None:
        raise _Unplannable(thin)
    value = baseline(metric, past.whole)
    constant = isinstance(value, ArmValue) and not value.variance > 0
    if not isinstance(value, ArmValue) or (constant and metric.role in SHOWN):
        raise _Unplannable("nothing of it varies between users: look whether it counts what it should")
    return value


def _thin(past: Past) -> str | None:
    """Why there is too little traffic to plan with."""
    units, carrying = sum(past.whole.x), sum(1 for x in past.whole.x if x)
    if units < MIN_UNITS:
        return f"only {units:.0f} units were counted in the time looked at, of {MIN_UNITS:,} needed; wait for traffic"
    if carrying < MIN_BUCKETS:
        return f"only {carrying} analysis buckets carry traffic, of {MIN_BUCKETS} needed: too few users to compare"
    return None


def _said(study: Study, metric: ExperimentMetric, explained: float) -> str:
    what = "tested once, at the end" if study.design.method != "AlwaysValid" else "tested at every window"
    if metric.role not in SHOWN:
        sign = "a difference" if metric.role is ExperimentRole.QUALITY else "harm"
        what = f"followed for {sign}; it needs no sample of its own"
    if study.design.pre_period_seconds:
        return f"{what}; a labelled pre-period is expected to explain {explained:.0%} of the variance"
    return what


class _Traffic:
    """The endpoint's stable traffic in Prometheus."""

    def __init__(self, source: RawSource, request: ExperimentPlanRequest, study: Study, now_ms: int) -> None:
        self._source, self._request, self._study, self._now = source, request, study, now_ms
        self._endpoint = study.design.endpoint
        self._at: list[int] = []
        self._bound: str | None = None
        self.start: datetime | None = None
        self.end: datetime | None = None
        self.requests_per_day: float | None = None

    def look(self, found: _Findings) -> None:
        """Find out since when there is traffic. Raises `EvidenceFault` when there is none."""
        asked = round(self._request.history_seconds * 1000)
        stable = history.stable_arm(label=self._request.stable_label)
        seen = history.traffic(self._source, router_selector(self._endpoint, stable, ("requests",)), asked, self._now)
        if len(seen) < 2:
            raise EvidenceFault(
                Fault.NO_SERIES,
                f"the routers of {self._endpoint} counted no requests of {self._request.stable_label!r} in the time "
                "looked at; send it traffic, and check that Prometheus scrapes the routers",
            )
        self._at = history.points(seen[0], self._now)
        self.start, self.end = (datetime.fromtimestamp(at / 1000, UTC) for at in (seen[0], self._now))
        if self._now - seen[0] < asked * 0.95:
            found.notes.append(
                f"Only {(self._now - seen[0]) / DAY_MS:.2f} days of traffic were found of the "
                f"{asked / DAY_MS:.2f} asked for; a plan from less than a week knows no weekdays"
            )
        counted = history.requests(self._source, self._endpoint, stable, self._at)
        self.requests_per_day = sum(map(sum, counted)) / self._days
        self._choose_bound(found)

    @property
    def _days(self) -> float:
        return (self._at[-1] - self._at[0]) / DAY_MS

    def _choose_bound(self, found: _Findings) -> None:
        if not any(metric.kind is MetricKind.LATENCY for metric in self._study.design.metrics):
            return
        label, bounds = self._request.stable_label, self._study.design.latency_bounds
        chosen = calibrate(self._source, self._endpoint, label, bounds, self._at[0], self._at[-1])
        if chosen is not None:
            self._bound = chosen.nearest_to(TAIL)
            found.notes.append(f"Latency is the share of requests slower than {self._bound}, the bound nearest to p90")

    def past(self, metric: ExperimentMetric) -> tuple[Past, int]:
        """A metric's traffic and how many series it has per arm. Raises `EvidenceFault`: its contract does not hold."""
        if metric.source is not None:
            report = check_contract(self._source, metric.source, lambda: self._now)
            if not report.holds:
                raise EvidenceFault(report.fault or Fault.NO_SERIES, report.message)
        if metric.kind is MetricKind.LATENCY and self._bound is None:
            raise EvidenceFault(Fault.NOTHING_SCRAPED_YET, "too few requests to choose a latency bound from; wait")
        arms = history.stable_arm(metric, self._request.stable_label)
        counted = history.counted(self._source, self._endpoint, metric, arms, self._bound, self._at)
        _, denominator = history.selectors(self._endpoint, metric, arms, self._bound)
        found = self._source.instant(denominator, self._now).values
        series = sum(1 for labels, _ in found if arms.index(labels) is not None)
        return Past(
            _sums(metric, counted.first), _sums(metric, counted.second), self._days, float(self._request.slice)
        ), series


class _Mocked:
    """A dry run's made-up traffic: one day of control's."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self.start: datetime | None = None
        self.end: datetime | None = None
        self.requests_per_day: float | None = None

    def look(self, found: _Findings) -> None:
        found.notes.append("The design has mock values: this plan is for made-up traffic")
        self._halves = [sample_of_control(self._study, part, DAY_MS // 2) for part in ("first", "second")]
        assert self._study.design.mock is not None  # noqa: S101
        self.requests_per_day = float(self._study.design.mock.requests_per_minute) * 1440

    def past(self, metric: ExperimentMetric) -> tuple[Past, int]:
        first, second = (_sums(metric, half[metric.name]) for half in self._halves)
        return Past(first, second, float(self._study.share(0)), 1.0), len(first.x)


def _sums(metric: ExperimentMetric, counts: tuple[Cells, Cells]) -> BucketSums:
    return sums(metric, table(counts, counts[1]), 0)
