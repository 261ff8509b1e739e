"""What does an experiment say? Read what is new, append it as windows, look when a look is due. Begin here.

    survey routers -> choose the latency bound, plan (once) -> read each window -> append -> look if due -> rule

An evaluation may be repeated, also at the same time and by two processes: an entry is appended once or not at all.
After the last look nothing is added but exclusions, and looks at the same windows without what they exclude.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from crossfade_analyzer.contract import ExperimentEvaluation, ExperimentRequest, Fault, Method, MetricKind
from crossfade_analyzer.experiments.fold import Fold, refold, sums, table
from crossfade_analyzer.experiments.looks import due, take
from crossfade_analyzer.experiments.mock import MockReader
from crossfade_analyzer.experiments.reader import PrometheusReader, Reader
from crossfade_analyzer.experiments.records import Counted, Excluded, Planned, Target, milliseconds, opening
from crossfade_analyzer.experiments.rules import judge
from crossfade_analyzer.experiments.study import SHOWN, Study, study_of
from crossfade_analyzer.experiments.targets import baseline, deviation_of, target
from crossfade_analyzer.faults import EvidenceFault, Finding
from crossfade_analyzer.snapshots import Entry, Kind, link
from crossfade_analyzer.sources.raw import RawSource
from crossfade_analyzer.sources.targets import moment
from crossfade_analyzer.statistics.experiments.comparison import BucketSums
from crossfade_analyzer.statistics.refusals import CannotJudge
from crossfade_analyzer.store.evidence import Evidence
from crossfade_analyzer.subjects import Folds, Locks, begun_anew_when_overtaken, refuse_changed

_WINDOWS_AT_ONCE = 60
GRACE_MS = 900_000
"""How long an experiment that is over waits for its last counts before it is judged without them."""


class ExperimentEvaluator:
    """Evaluates experiments against one source and one store. Calls `on_window` and `on_look` for each appended."""

    def __init__(
        self,
        source: RawSource,
        store: Evidence,
        now_ms: Callable[[], int],
        freshness_ms: int = 60_000,
        remembered: int = 16,
        on_window: Callable[[], object] = lambda: None,
        on_look: Callable[[ExperimentEvaluation], object] = lambda _: None,
    ) -> None:
        self._source, self._store, self._now = source, store, now_ms
        self._freshness, self._on_window, self._on_look = freshness_ms, on_window, on_look
        self._folds = Folds(store, refold, remembered)
        self._locks = Locks()

    def evaluate(self, request: ExperimentRequest) -> ExperimentEvaluation:
        """Take what windows and looks can be taken, and judge all evidence of the subject.

        Raises `PlanChanged`, `InvalidPlan`, and the store's `StoreUnavailable`. Whatever is wrong with the metrics is
        part of the answer instead.
        """
        study = study_of(request.design, request.arms)
        with self._locks.of(request.subject):
            return begun_anew_when_overtaken(self._folds, request.subject, lambda: self._evaluate(request, study))

    def _evaluate(self, request: ExperimentRequest, study: Study) -> ExperimentEvaluation:
        fold = self._opened(request)
        reader = self._reader(request, study)
        found: list[Finding] = []
        self._exclude(request, fold)
        everything_taken = True
        if not fold.final:
            try:
                everything_taken = self._observe(request, fold, reader)
            except EvidenceFault as fault:
                found.append(fault.finding)
        self._look(request, fold, grace_ms=GRACE_MS if everything_taken else None)
        return judge(fold, () if fold.final else found, {} if fold.final else reader.findings)

    def _opened(self, request: ExperimentRequest) -> Fold:
        body = opening(request)
        fold = self._folds.get(request.subject)
        if fold is None:
            self._store.append(link(request.subject, Kind.OPENED, body, None))
            fold = self._folds.get(request.subject)
            assert fold is not None  # noqa: S101
        refuse_changed(fold.opened, body)
        return fold

    def _reader(self, request: ExperimentRequest, study: Study) -> Reader:
        if study.design.mock is not None:
            return MockReader(study, request.subject, self._now())
        return PrometheusReader(self._source, study, self._now(), self._freshness)

    def _append(self, fold: Fold, kind: Kind, body: dict[str, object]) -> Entry:
        """Append an entry and take it in; a fold that cannot follow its store is made anew."""
        entry = link(fold.opened.subject, kind, body, fold.last)
        try:
            self._store.append(entry)
            fold.add(entry)
        except BaseException:
            self._folds.forget(fold.opened.subject)
            raise
        return entry

    def _exclude(self, request: ExperimentRequest, fold: Fold) -> None:
        asked = Excluded.asked(request.exclusions)
        if asked != fold.excluded:
            self._append(fold, Kind.EXCLUSIONS, asked.body())

    def _observe(self, request: ExperimentRequest, fold: Fold, reader: Reader) -> bool:
        """Take what windows and looks can be taken; `False` when there were more than are taken at once."""
        over = self._over(request, fold)
        newest = min(reader.newest(fold), over)
        self._calibrate(fold, reader)
        self._plan(fold, reader)
        for _ in range(_WINDOWS_AT_ONCE):
            end = self._next_end(fold, reader, newest, over)
            if end is None or fold.final:
                return True
            self._take(fold, reader, end, self._farthest(fold, end, newest, over))
            self._calibrate(fold, reader)
            self._plan(fold, reader)
            self._look(request, fold)
        return False

    @staticmethod
    def _over(request: ExperimentRequest, fold: Fold) -> int:
        """When the last window ends, ms."""
        longest = fold.since + round(request.design.max_runtime_seconds * 1000)
        return min(longest, milliseconds(request.stopped_at)) if request.stopped_at else longest

    def _next_end(self, fold: Fold, reader: Reader, newest: int, over: int) -> int | None:
        """Where the next window ends: an interval after the last one, or later while nothing was scraped."""
        interval = round(fold.study.design.interval_seconds * 1000)
        end = fold.until + interval
        while end <= newest and not reader.counted_at(end):
            end += interval
        if end <= newest:
            return end
        return over if newest >= over > fold.until else None

    @staticmethod
    def _farthest(fold: Fold, end: int, newest: int, over: int) -> int:
        """The latest instant up to which one window could reach."""
        interval = round(fold.study.design.interval_seconds * 1000)
        return over if newest >= over else end + (newest - end) // interval * interval

    def _take(self, fold: Fold, reader: Reader, end: int, farthest: int) -> None:
        """Append the window up to `end`; where that cannot be read, one that reaches as far as possible: what is wrong
        in the middle of it may have been mended since, and counters lose nothing. So does the first one where nobody
        came at first, else the experiment would wait for ever for users of its first interval."""
        try:
            counted = reader.window(fold, end)
        except EvidenceFault:
            if farthest <= end:
                raise
            counted = reader.window(fold, farthest)
        if not fold.windows and _nobody_came(counted) and counted.end < farthest:
            counted = reader.window(fold, farthest)
        if not fold.windows and _nobody_came(counted):
            raise EvidenceFault(
                Fault.NOTHING_SCRAPED_YET,
                f"no request was counted since {moment(fold.since)}, the start, by two scrapes",
            )
        self._append(fold, Kind.WINDOW, counted.body())
        self._on_window()

    def _calibrate(self, fold: Fold, reader: Reader) -> None:
        needed = any(metric.kind is MetricKind.LATENCY for metric in fold.study.design.metrics)
        if needed and fold.bound is None:
            chosen = reader.calibration(fold)
            if chosen is not None:
                self._append(fold, Kind.BOUNDS, chosen.body())

    def _plan(self, fold: Fold, reader: Reader) -> None:
        """Fix what looks aim at: from stable's history if there is one, else from control's first windows."""
        if fold.planned is not None:
            return
        targets: dict[str, Target] = {}
        always = fold.study.design.method is Method.ALWAYS_VALID
        for metric in fold.study.design.metrics:
            found = self._target(fold, reader, metric.name)
            if found is not None:
                targets[metric.name] = found
            elif metric.role in SHOWN or always:
                return
        before = reader.before(fold) if fold.study.design.pre_period_seconds else None
        self._append(fold, Kind.PLAN, Planned(targets, before).body())

    def _target(self, fold: Fold, reader: Reader, name: str) -> Target | None:
        metric = next(m for m in fold.study.design.metrics if m.name == name)
        source, arm = "stable", None
        if not fold.windows:
            counts = reader.baseline(fold, metric)
            arm = sums(metric, table(counts, counts[1]), 0) if counts else None
        else:
            source = "control"
            found = fold.total(metric, fold.windows, fold.excluded)
            arm = sums(metric, found, 0) if found[1][0].any() else None
        return _target_of(fold.study, name, arm, source) if arm else None

    def _look(self, request: ExperimentRequest, fold: Fold, grace_ms: int | None = None) -> None:
        """Take the look that is due, with what is judged at it. `grace_ms`: how long after its end an experiment is
        judged without counts that still cannot be read; `None`: not yet, more are being read."""
        reached = fold.until if grace_ms is None else max(fold.until, self._now() - grace_ms)
        longest = fold.since + round(request.design.max_runtime_seconds * 1000)
        stopped = request.stopped_at is not None and reached >= milliseconds(request.stopped_at)
        asked = due(fold, stopped=stopped, exhausted=reached >= longest)
        if asked is None:
            return
        entry = link(fold.opened.subject, Kind.LOOK, take(fold, asked).body(), fold.last)
        try:
            fold.add(entry)
            judged = judge(fold)
            self._store.append(replace(entry, result=judged.model_dump_json(by_alias=True)))
        except BaseException:
            self._folds.forget(fold.opened.subject)  # it is ahead of the store now
            raise
        self._on_look(judged)


def _target_of(study: Study, name: str, arm: BucketSums, source: str) -> Target | None:
    metric = next(m for m in study.design.metrics if m.name == name)
    value = baseline(metric, arm)
    if value is None or isinstance(value, CannotJudge) or not value.variance > 0:
        return None
    return target(study, metric, value.value, deviation_of(value, sum(arm.x)), source)


def _nobody_came(counted: Counted) -> bool:
    return not any(map(any, counted.requests))
