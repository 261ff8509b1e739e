"""How is a candidate doing? Read what is new, append it as looks, judge. The page to read first.

    survey routers -> choose latency bounds (once) -> read each new window -> append looks -> rule

An evaluation may be repeated, also at the same time and by two processes: a look is appended once or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from crossfade_analyzer.calibration import HISTORY_MS, calibrate
from crossfade_analyzer.contract import Evaluation, EvaluationRequest, Fault, MetricKind
from crossfade_analyzer.contract import MetricPlan as Metric
from crossfade_analyzer.faults import EvidenceFault, Finding
from crossfade_analyzer.fold import ROUTER, Fold, key_of, rollout_plan
from crossfade_analyzer.rules import RULE, judge
from crossfade_analyzer.snapshots import Entries, Kind, Snapshot, link, opening
from crossfade_analyzer.sources.own import metric_group, read_metric
from crossfade_analyzer.sources.raw import RawSource
from crossfade_analyzer.sources.readings import (
    Arms,
    Cells,
    RouterCounts,
    read_router,
    router_group,
)
from crossfade_analyzer.sources.samples import Window
from crossfade_analyzer.sources.selectors import check_source
from crossfade_analyzer.sources.survey import Survey, survey
from crossfade_analyzer.sources.targets import moment
from crossfade_analyzer.store.evidence import Evidence
from crossfade_analyzer.subjects import Folds, Locks, begun_anew_when_overtaken, refuse_changed, refuse_other_kind
from crossfade_analyzer.windows import Span, StepAt, spans


class Evaluator:
    """Evaluates subjects against one source and one store. Keeps the states of the `remembered` latest subjects
    and calls `on_look` for every look appended."""

    def __init__(
        self,
        source: RawSource,
        store: Evidence,
        now_ms: Callable[[], int],
        freshness_ms: int = 60_000,
        remembered: int = 64,
        on_look: Callable[[], object] = lambda: None,
    ) -> None:
        self._source, self._store, self._now = source, store, now_ms
        self._freshness, self._on_look = freshness_ms, on_look
        self._folds = Folds(store, refold, remembered)
        self._locks = Locks()

    def evaluate(self, request: EvaluationRequest) -> Evaluation:
        """Take what looks can be taken, and judge all evidence of the subject.

        Raises `PlanChanged`, the engine's `InvalidPlan`, and the store's `StoreUnavailable`. Whatever is wrong with
        the metrics is part of the answer instead.
        """
        rollout_plan(request.plan, ())
        with self._locks.of(request.subject):
            return begun_anew_when_overtaken(self._folds, request.subject, lambda: self._evaluate(request))

    def _evaluate(self, request: EvaluationRequest) -> Evaluation:
        fold = self._opened(request)
        found: list[Finding] = []
        by_metric: dict[str, Finding] = {}
        try:
            fold, by_metric = self._observe(request, fold)
        except EvidenceFault as fault:
            found.append(fault.finding)
            fold = self._folds.get(request.subject) or fold
        return judge(fold, request.step.index, found, by_metric)

    def _opened(self, request: EvaluationRequest) -> Fold:
        """The subject's fold; opened now if this is its first evaluation."""
        body = opening(request, RULE)
        fold = self._folds.get(request.subject)
        if fold is None:
            self._store.append(link(request.subject, Kind.OPENED, body, None))
            fold = self._folds.get(request.subject)
            assert fold is not None  # noqa: S101
        refuse_changed(fold.opened, body)
        return fold

    def _observe(self, request: EvaluationRequest, fold: Fold) -> tuple[Fold, dict[str, Finding]]:
        earliest = fold.since + round(request.plan.warmup_seconds * 1000)
        if self._now() < earliest:
            raise EvidenceFault(
                Fault.WARMING_UP, f"warming up until {moment(earliest)}: nothing before counts, in any arm"
            )
        arms = Arms((request.control, request.candidate))
        group = router_group(request.plan.endpoint, arms, self._freshness)
        start = fold.ends.get(ROUTER, earliest)
        routers = survey(self._source, group, min(start, self._now()), self._now())
        fold = self._calibrated(request, fold, routers.cut)
        metrics = [metric for metric in request.plan.metrics if metric.source is not None]
        reader = _Reader(self._source, request, self._now(), routers)
        step = _step_of(request)
        shortest = round(request.plan.interval_seconds * 500)
        for span in spans(fold.progress, earliest, step, routers.cut, shortest):
            self._take(request.subject, fold, reader, span, metrics)
        return fold, reader.findings

    def _take(self, subject: str, fold: Fold, reader: _Reader, span: Span, metrics: list[Metric]) -> None:
        """Read one window and append it as a look, with what was judged from it."""
        snapshot = reader.look(fold, span, metrics)
        if fold.progress is None and not any(map(any, snapshot.requests)):
            raise EvidenceFault(
                Fault.NOTHING_SCRAPED_YET,
                f"no request was counted since {moment(span.window.floor)}, the first exposure, by two scrapes",
            )
        entry = link(subject, Kind.LOOK, snapshot.body(), fold.last)
        try:
            fold.add(entry)
            kept = replace(entry, result=judge(fold, snapshot.step).model_dump_json(by_alias=True))
            self._store.append(kept)
            self._on_look()
        except BaseException:
            self._folds.forget(subject)  # it is ahead of the store now
            raise

    def _calibrated(self, request: EvaluationRequest, fold: Fold, cut: int) -> Fold:
        """Choose the latency bounds if the plan needs some and control's traffic already allows it."""
        needed = any(metric.kind is MetricKind.LATENCY for metric in request.plan.metrics)
        if not needed or fold.bounds:
            return fold
        plan = request.plan
        history = (fold.since - HISTORY_MS, fold.since)
        first_looks = (fold.since, fold.progress.end if fold.progress else fold.since)
        for start, end in (history, first_looks):
            if start < end <= cut or end == fold.since:
                chosen = calibrate(self._source, plan.endpoint, request.control.label, plan.latency_bounds, start, end)
                if chosen is not None:
                    self._store.append(link(request.subject, Kind.BOUNDS, chosen.body(), fold.last))
                    self._folds.forget(request.subject)
                    return self._folds.get(request.subject) or fold
        return fold


def _step_of(request: EvaluationRequest) -> StepAt:
    step = request.step
    return StepAt(step.index, step.share, round(step.started_at.timestamp() * 1000), step.shifting)


class _Reader:
    """Reads one look's counts; what is wrong with a single metric is noted and leaves the others alone."""

    def __init__(self, source: RawSource, request: EvaluationRequest, now: int, routers: Survey) -> None:
        self._source, self._request, self._now, self._routers = source, request, now, routers
        self._surveys: dict[str, Survey] = {}
        self.findings: dict[str, Finding] = {}

    def look(self, fold: Fold, span: Span, metrics: list[Metric]) -> Snapshot:
        plan = self._request.plan
        arms = Arms((self._request.control, self._request.candidate))
        window = fold.window_of(ROUTER, span.window)
        read = read_router(self._source, self._routers, window, plan.endpoint, arms, fold.bounds)
        counts = _router_metrics(plan.metrics, read)
        ends = {ROUTER: window.end}
        for metric in metrics:
            try:
                own = self._own(metric, fold, span.window)
            except EvidenceFault as fault:
                self.findings[metric.name] = fault.finding
                continue
            if own is not None:
                counts[metric.name], ends[metric.name] = own
        return Snapshot(
            look=fold.looks + 1,
            step=span.step.index,
            share=span.step.share,
            shifting=span.step.shifting,
            start=window.start,
            end=window.end,
            floor=window.floor,
            requests=read.requests,
            counts=counts,
            ends=ends,
        )

    def _own(self, metric: Metric, fold: Fold, window: Window) -> tuple[tuple[Cells, Cells | None], int] | None:
        """A metric's counts and up to when they go; `None` when nothing new was scraped yet."""
        source = metric.source
        assert source is not None  # noqa: S101
        check_source(source)
        whole = fold.window_of(metric.name, window)
        if metric.name not in self._surveys:
            group = metric_group(metric.name, source)
            self._surveys[metric.name] = survey(self._source, group, whole.start, self._now)
        found = self._surveys[metric.name]
        part = Window(whole.start, min(whole.end, found.cut), whole.floor)
        if part.end <= part.start:
            return None
        arms = Arms((self._request.control, self._request.candidate), source.arm_label, source.bucket_label)
        read = read_metric(self._source, found, part, source, metric.kind, arms)
        return (read.events, read.total), part.end


def _router_metrics(metrics: tuple[Metric, ...], read: RouterCounts) -> dict[str, tuple[Cells, Cells | None]]:
    """Who fails to answer is found by the error rate, and then is not late as well. Without it, he is late."""
    counts: dict[str, tuple[Cells, Cells | None]] = {}
    failures_count = any(metric.kind is MetricKind.ERROR_RATE for metric in metrics)
    slower = read.answered_slower if failures_count else read.slower
    of = read.answered if failures_count and read.answered != read.requests else None
    for metric in metrics:
        if metric.kind is MetricKind.ERROR_RATE:
            counts[metric.name] = (read.errors, None)
        elif metric.kind is MetricKind.LATENCY:
            counts |= {key_of(metric, bound): (cells, of) for bound, cells in slower.items()}
    return counts


def refold(store: Entries, subject: str, through: int | None = None) -> Fold | None:
    """A subject's fold from the store alone, up to an entry's number; `None` when it has no entries."""
    opened = next(store.chain(subject, through=0), None)
    if opened is None:
        return None
    refuse_other_kind(opened, RULE)
    chosen = store.of_kind(subject, Kind.BOUNDS, through)
    fold = Fold.opened_by(opened, tuple(chosen.content()["bounds"]) if chosen else ())
    fold.catch_up(store.chain(subject, after=0, through=through))
    return fold
