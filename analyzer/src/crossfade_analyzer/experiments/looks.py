"""When a look is due, and what is found at it. Pure functions of the evidence; what is found is stored and decides.

Success and non-inferiority are tested once, at the end, except always-valid ones; harm and quality at every look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

from crossfade_analyzer.contract import ExperimentArm, ExperimentMetric, ExperimentRole, Method
from crossfade_analyzer.experiments.fold import Fold, Stored
from crossfade_analyzer.experiments.measure import Measured, measure
from crossfade_analyzer.experiments.records import Excluded, Look, Reading
from crossfade_analyzer.experiments.study import SHOWN, sign_of
from crossfade_analyzer.statistics.experiments import always_valid, monitoring
from crossfade_analyzer.statistics.experiments.contrast import Pair
from crossfade_analyzer.statistics.refusals import CannotJudge
from crossfade_analyzer.statistics.scientific import normal_quantile, student_quantile

COMPLETE, MAX_RUNTIME, STOPPED, PLANNED = "complete", "maxRuntime", "stopped", "planned"
_LEAST_FRACTION = 1e-3
_DIGITS = 6


@dataclass(frozen=True)
class Due:
    """A look to be taken: its planned number, and whether and why it is the last. `again`: at the windows of the last
    look, because other time is excluded now."""

    number: int
    final: bool
    cause: str
    again: bool = False


def progress(fold: Fold) -> float:
    """Share of the planned information that was reached, of the metric that is furthest behind; at most 1."""
    if fold.planned is None or not fold.windows:
        return 0.0
    return min(
        (_reached(fold, number, metric) for number, _, metric in fold.study.comparisons if metric.role in SHOWN),
        default=0.0,
    )


def _reached(fold: Fold, number: int, metric: ExperimentMetric) -> float:
    target = fold.planned.targets.get(metric.name) if fold.planned else None
    found = measure(fold, number, metric, fold.windows, fold.excluded).pair
    if target is None or isinstance(found, CannotJudge):
        return 0.0
    return min(found.information / target.information, 1.0)


def clock(fold: Fold) -> float:
    """How far the plan has come, 0 to 1: by information, but not faster than the shortest run time, nor slower than
    the longest one: harm is looked for in time also where information hardly grows."""
    design = fold.study.design
    shortest, longest = design.min_runtime_seconds * 1000, design.max_runtime_seconds * 1000
    reached = progress(fold)
    return max(min(reached, fold.elapsed / shortest) if shortest > 0 else reached, min(fold.elapsed / longest, 1.0))


def due(fold: Fold, *, stopped: bool, exhausted: bool) -> Due | None:
    """The look to be taken now, if any. `stopped`: nobody is sent to the arms any more and all of it was counted;
    `exhausted`: the longest run time is over."""
    last = fold.looks[-1] if fold.looks else None
    if last is not None and fold.exclusions_since_look and (last.final or not (stopped or exhausted)):
        return Due(last.number, last.final, last.cause, again=True)
    if fold.final:
        return None
    if stopped or exhausted:
        return Due(_number(fold, 1.0), True, STOPPED if stopped else MAX_RUNTIME)
    return _planned(fold, last)


def _planned(fold: Fold, last: Look | None) -> Due | None:
    design = fold.study.design
    if not fold.windows:
        return None
    if design.method is Method.ALWAYS_VALID:
        new = fold.planned is not None and (last is None or last.windows < len(fold.windows))
        return Due(len(fold.windows), False, PLANNED) if new else None
    now = clock(fold)
    if now >= 1:
        return Due(_number(fold, 1.0), True, COMPLETE)
    number = _number(fold, now) if design.method is Method.GROUP_SEQUENTIAL else 0
    return Due(number, False, PLANNED) if number > (last.number if last else 0) else None


def _number(fold: Fold, now: float) -> int:
    method = fold.study.design.method
    if method is Method.ALWAYS_VALID:
        return len(fold.windows)
    planned = fold.study.design.looks if method is Method.GROUP_SEQUENTIAL else 1
    return int(now * planned + 1e-9)


def take(fold: Fold, asked: Due) -> Look:
    """The look itself."""
    last = fold.looks[-1] if fold.looks else None
    again = last if asked.again else None
    windows = fold.windows[: again.windows] if again else fold.windows
    fraction = again.fraction if again else round(clock(fold), _DIGITS)
    past = [look for look in _effective(fold) if look.windows < len(windows)]
    taking = _Taking(fold, asked, windows, max(fraction, _LEAST_FRACTION), past)
    anything_excluded = any(one.excluded(group, fold.excluded) for one in windows for group in one.counted.ends)
    return Look(
        number=asked.number,
        final=asked.final,
        cause=asked.cause,
        windows=len(windows),
        fraction=max(fraction, _LEAST_FRACTION),
        included=taking.readings(fold.excluded, changed=fold.exclusions_since_look),
        everything=taking.readings(Excluded(), changed=False, everything=True) if anything_excluded else None,
    )


def _effective(fold: Fold) -> list[Look]:
    """Looks in order; of those at the same windows the latest."""
    by_windows = {look.windows: look for look in fold.looks}
    return [by_windows[windows] for windows in sorted(by_windows)]


class _Taking:
    """One look at `windows`, given the looks before it."""

    def __init__(self, fold: Fold, asked: Due, windows: Sequence[Stored], fraction: float, past: list[Look]) -> None:
        self._fold, self._asked, self._windows, self._past = fold, asked, windows, past
        self._study = fold.study
        self._time = 1.0 if asked.final else fraction

    def readings(self, excluded: Excluded, *, changed: bool, everything: bool = False) -> tuple[Reading, ...]:
        return tuple(
            self._reading(number, arm, metric, excluded, changed=changed, everything=everything)
            for number, arm, metric in self._study.comparisons
        )

    def _reading(
        self,
        number: int,
        arm: ExperimentArm,
        metric: ExperimentMetric,
        excluded: Excluded,
        *,
        changed: bool,
        everything: bool,
    ) -> Reading:
        found = measure(self._fold, number, metric, self._windows, excluded)
        tested = self._tested(arm, metric, found, self._judged(arm, metric, everything))
        if self._study.design.method is Method.FIXED_HORIZON or not self._past:
            return tested
        if changed:
            shown, harmed = self._recomputed(number, metric, excluded)
        else:
            shown, harmed = self._established(arm, metric, everything)
        return _with(tested, shown, harmed)

    def _tested(
        self, arm: ExperimentArm, metric: ExperimentMetric, found: Measured, before: list[monitoring.Judged]
    ) -> Reading:
        reading = Reading(arm.name, metric.name, found.control, found.treated)
        pair = found.pair
        if isinstance(pair, CannotJudge):
            return replace(reading, refusal=pair.reason.value, sentence=pair.sentence)
        z, bound = self._show(metric, pair)
        now = monitoring.Judged(self._time, pair.information, _size(reading))
        harm_z, harm_bound = harm_score(metric, pair), self._harm_bound(metric, pair, before, now)
        if isinstance(z, CannotJudge):
            reading = replace(reading, refusal=z.reason.value, sentence=z.sentence)
            z = bound = None
        relative, relative_se = pair.relative() or (None, None)
        return replace(
            reading,
            difference=pair.difference,
            se=sqrt(pair.variance),
            reach=self._reach(metric, pair, bound, harm_bound),
            relative=relative,
            relative_se=relative_se,
            information=pair.information,
            explained=pair.explained,
            z=z,
            bound=bound,
            harm_z=harm_z,
            harm_bound=harm_bound,
            shown=z is not None and bound is not None and z >= bound,
            harmed=harm_bound is not None and harm_z >= harm_bound,
        )

    def _show(self, metric: ExperimentMetric, pair: Pair) -> tuple[float | CannotJudge | None, float | None]:
        """z of what the role must show and its bound; nothing before the end of a design that looks once."""
        always = self._study.design.method is Method.ALWAYS_VALID
        if metric.role not in SHOWN or not (always or self._asked.final):
            return None, None
        return show_score(metric, pair), self._bound(metric, pair, self._study.alpha(metric))

    def _harm_bound(
        self, metric: ExperimentMetric, pair: Pair, before: list[monitoring.Judged], now: monitoring.Judged
    ) -> float | None:
        """Of a group sequential design alpha is spent by the shared clock; how its looks hang together is the
        metric's own affair."""
        alpha = self._study.alpha_harm / (2 if metric.role is ExperimentRole.QUALITY else 1)
        if self._study.design.method is not Method.GROUP_SEQUENTIAL:
            return self._bound(metric, pair, alpha)
        return monitoring.bound_now(self._study.spending, alpha, [*before, now])

    def _judged(self, arm: ExperimentArm, metric: ExperimentMetric, everything: bool) -> list[monitoring.Judged]:
        """The looks before at which a comparison was judged; those that refused spent nothing."""
        seen = ((look.fraction, _of(look, arm, metric, everything)) for look in self._past)
        return [
            monitoring.Judged(time, found.information, _size(found))
            for time, found in seen
            if found is not None and found.information is not None
        ]

    def _bound(self, metric: ExperimentMetric, pair: Pair, alpha: float) -> float | None:
        if self._study.design.method is not Method.ALWAYS_VALID:
            return round(normal_quantile(1 - alpha), _DIGITS)
        target = self._fold.planned.targets.get(metric.name) if self._fold.planned else None
        if target is None:
            return None
        return round(always_valid.halfwidth_one_sided(1.0, pair.information, target.information, alpha), _DIGITS)

    def _reach(
        self, metric: ExperimentMetric, pair: Pair, bound: float | None, harm_bound: float | None
    ) -> float | None:
        """Half width of the interval in standard errors, at the level of the test that decides."""
        if self._study.design.method is Method.ALWAYS_VALID or not self._asked.final:
            return bound if bound is not None else harm_bound
        return student_quantile(1 - self._study.alpha(metric), pair.df)

    def _established(self, arm: ExperimentArm, metric: ExperimentMetric, everything: bool) -> tuple[bool, bool]:
        """What the look before had established."""
        found = _of(self._past[-1], arm, metric, everything)
        return (found.shown, found.harmed) if found else (False, False)

    def _recomputed(self, number: int, metric: ExperimentMetric, excluded: Excluded) -> tuple[bool, bool]:
        """The same, had the time that is excluded now been excluded at every look. Bounds stay as they were."""
        shown = harmed = False
        arm = self._study.arms[number]
        for look in self._past:
            used = next(r for r in look.included if (r.treatment, r.metric) == (arm.name, metric.name))
            pair = measure(self._fold, number, metric, self._fold.windows[: look.windows], excluded).pair
            if isinstance(pair, CannotJudge):
                continue
            score = show_score(metric, pair) if used.bound is not None else None
            shown |= isinstance(score, float) and used.bound is not None and score >= used.bound
            harmed |= used.harm_bound is not None and harm_score(metric, pair) >= used.harm_bound
        return shown, harmed


def _of(look: Look, arm: ExperimentArm, metric: ExperimentMetric, everything: bool) -> Reading | None:
    """A comparison's reading at a look."""
    readings = (look.everything or look.included) if everything else look.included
    return next((r for r in readings if (r.treatment, r.metric) == (arm.name, metric.name)), None)


def _size(reading: Reading) -> float:
    (_, control), (_, treated) = reading.control, reading.treated
    return control * treated / (control + treated)


def show_score(metric: ExperimentMetric, pair: Pair) -> float | CannotJudge:
    """z of superiority, or of non-inferiority within the margin."""
    if metric.role is ExperimentRole.SUCCESS or metric.margin is None:
        return pair.z(sign_of(metric))
    relative, absolute = metric.margin.relative, metric.margin.absolute
    return pair.z_within(
        sign_of(metric),
        relative=None if relative is None else float(relative),
        absolute=None if absolute is None else float(absolute),
    )


def harm_score(metric: ExperimentMetric, pair: Pair) -> float:
    """z of being worse; of being different for a Quality metric."""
    if metric.role is ExperimentRole.QUALITY:
        return abs(pair.z())
    return pair.z(-sign_of(metric))


def _with(reading: Reading, shown: bool, harmed: bool) -> Reading:
    return replace(reading, shown=reading.shown or shown, harmed=reading.harmed or harmed)
