"""Checks of the comparison itself: each passes, or says what is wrong and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from math import sqrt

from crossfade_analyzer.contract import Check, CheckName, ExperimentMetric, ExperimentRole, ExperimentType, Method
from crossfade_analyzer.experiments.fold import Fold, Stored, Table, group_of, sums
from crossfade_analyzer.experiments.measure import before_of
from crossfade_analyzer.experiments.records import ROUTER, Excluded, Look
from crossfade_analyzer.experiments.selftest import SPLIT_TOLERANCE, split_errors, tested
from crossfade_analyzer.experiments.study import sign_of
from crossfade_analyzer.statistics import split
from crossfade_analyzer.statistics.arithmetic import threshold
from crossfade_analyzer.statistics.experiments.contrast import pair
from crossfade_analyzer.statistics.experiments.monitoring import correlation_gap
from crossfade_analyzer.statistics.experiments.stability import Halves, stability
from crossfade_analyzer.statistics.refusals import CannotJudge
from crossfade_analyzer.statistics.scientific import normal_quantile
from crossfade_analyzer.statistics.split import StickySplit

MIN_COVERED = 0.9
# Tightest about here; any number is valid, and it must not come from the data.
_SPLIT_PLANNED = 10_000
_MIN_SKEW_MS, _SKEW_SHARE = 60_000, 0.02


def checks(fold: Fold) -> tuple[Check, ...]:
    """All that apply to the evidence so far."""
    if not fold.windows:
        return ()
    look = fold.looks[-1] if fold.looks else None
    found = [
        *_sample_ratio(fold),
        *_fallback(fold),
        *_missing(fold),
        *_start_skew(fold),
        *_pre_exposure(fold),
        *_quality(fold, look),
    ]
    if look is not None and look.final:
        found += [*_stability(fold, look), *_correlation(fold)]
    if fold.study.design.type is ExperimentType.AA:
        found += _self_test(fold)
    return tuple(found)


def _sample_ratio(fold: Fold) -> Iterator[Check]:
    """Sticky users: the split is judged between buckets, at every window, at srm_alpha over all treatments."""
    alpha = fold.study.design.srm_alpha / len(fold.study.treatments)
    tuning = split.tuning(_SPLIT_PLANNED, alpha)
    for number, arm in enumerate(fold.study.treatments, start=1):
        process = _split(fold.requests(), number, fold.study.nominal(number))
        if not process.requests:
            continue
        alarm = process.log_e(tuning) >= threshold(alpha)
        shown = (
            f"{arm.name} got {process.observed:.2%} of its own and control's requests, of nominal {process.nominal:.2%}"
        )
        yield Check(
            name=CheckName.SAMPLE_RATIO,
            arm=arm.name,
            passed=not alarm,
            message=f"{shown}, so the arms cannot be compared; check that every router runs the same table and that "
            "clients do not retry into one arm, then begin a new run"
            if alarm
            else shown,
        )


def _split(requests: Table, number: int, nominal: Decimal) -> StickySplit:
    process = StickySplit(requests.shape[1])
    process.add((tuple(map(int, requests[0])), tuple(map(int, requests[number]))), nominal)
    return process


def _fallback(fold: Fold) -> Iterator[Check]:
    limit = float(fold.study.design.max_fallback_rate)
    windows = [one for one in fold.windows if not one.excluded(ROUTER, fold.excluded)]
    for number, arm in enumerate(fold.study.arms):
        requests = sum(int(one.requests[number].sum()) for one in windows)
        fallbacks = sum(one.counted.fallbacks[number] for one in windows)
        rate = fallbacks / requests if requests else 0.0
        passed = rate <= limit
        yield Check(
            name=CheckName.FALLBACK,
            arm=arm.name,
            passed=passed,
            message=f"{rate:.2%} of {arm.name}'s requests were answered by another revision, at most {limit:.2%} may be"
            + ("" if passed else "; its effect is diluted by as much: mend it, or plan for more, and begin a new run"),
        )


def _missing(fold: Fold) -> Iterator[Check]:
    for metric in fold.study.design.metrics:
        group = group_of(metric)
        spans = [(one.counted.begins[group], one.counted.ends[group]) for one in _counted(fold, metric, group)]
        covered = sum(end - begin for begin, end in spans) / fold.elapsed if fold.elapsed else 0.0
        passed = covered >= MIN_COVERED
        yield Check(
            name=CheckName.MISSING_DATA,
            passed=passed,
            message=f"{metric.name}: {covered:.1%} of the run time was counted"
            + ("" if passed else f", less than {MIN_COVERED:.0%}; what is missing may differ between arms"),
        )


def _counted(fold: Fold, metric: ExperimentMetric, group: str) -> Iterator[Stored]:
    return (one for one in fold.windows if metric.name in one.tables and group in one.counted.ends)


def _start_skew(fold: Fold) -> Iterator[Check]:
    first = fold.windows[0].counted.first
    seen = [at for at in first if at is not None]
    if len(seen) < 2:
        return
    skew = max(seen) - min(seen)
    allowed = max(_MIN_SKEW_MS, round(fold.study.design.min_runtime_seconds * 1000 * _SKEW_SHARE))
    passed = skew <= allowed
    late = fold.study.arms[max(range(len(first)), key=lambda arm: first[arm] or 0)].name
    yield Check(
        name=CheckName.START_SKEW,
        passed=passed,
        message=f"All arms were first seen with requests within {skew / 1000:.0f} s"
        if passed
        else f"{late} was first seen {skew / 1000:.0f} s after the first arm, so it was compared over another time; "
        "begin a new run once all arms are ready",
    )


def _pre_exposure(fold: Fold) -> Iterator[Check]:
    """Were the arms different already before anything differed? Tested once."""
    limit = normal_quantile(1 - fold.study.alpha_harm / 2)
    for number, arm, metric in fold.study.comparisons:
        before = before_of(fold, metric)
        if before is None:
            continue
        found = pair(sums(metric, before, 0), sums(metric, before, number))
        if isinstance(found, CannotJudge):
            continue
        passed = abs(found.z()) < limit
        yield Check(
            name=CheckName.PRE_EXPOSURE_BIAS,
            arm=arm.name,
            passed=passed,
            message=f"{metric.name}: {arm.name} and control were {'alike' if passed else 'different'} before the start "
            f"(z {found.z():.2f})" + ("" if passed else "; draw new positions for the arms and begin a new run"),
        )


def _quality(fold: Fold, look: Look | None) -> Iterator[Check]:
    named = {m.name for m in fold.study.design.metrics if m.role is ExperimentRole.QUALITY}
    for reading in look.included if look else ():
        if reading.metric in named and reading.refusal is None:
            what = "differs from control; find out why before the result is used" if reading.harmed else "is as control"
            yield Check(
                name=CheckName.QUALITY,
                arm=reading.treatment,
                passed=not reading.harmed,
                message=f"{reading.metric}: {reading.treatment} {what}",
            )


def _stability(fold: Fold, look: Look) -> Iterator[Check]:
    """Does the effect last? Blocks only when the late half alone is significantly worse."""
    windows = fold.windows[: look.windows]
    middle = fold.since + (windows[-1].counted.end - fold.since) / 2
    halves = [[w for w in windows if w.counted.end <= middle], [w for w in windows if w.counted.end > middle]]
    for number, arm, metric in fold.study.comparisons:
        if metric not in fold.study.lasting or not all(halves):
            continue
        found = (
            stability(
                _halves(fold, metric, halves, 0),
                _halves(fold, metric, halves, number),
                fold.study.alpha_harm,
                lower_is_better=sign_of(metric) < 0,
            )
            if _enough(fold, metric, halves, number)
            else None
        )
        if found is None or isinstance(found, CannotJudge):
            continue
        change = f"{metric.name}: {arm.name}'s effect changed by {found.change.estimate:.3g} in the second half"
        yield Check(
            name=CheckName.STABILITY,
            arm=arm.name,
            passed=not found.blocks,
            message=change + (", in which it is worse than control" if found.blocks else ""),
        )


def _halves(fold: Fold, metric: ExperimentMetric, halves: Sequence[list[Stored]], arm: int) -> Halves:
    first, second = (sums(metric, fold.total(metric, half, fold.excluded), arm) for half in halves)
    return Halves(first, second)


def _enough(fold: Fold, metric: ExperimentMetric, halves: Sequence[list[Stored]], number: int) -> bool:
    """Both halves were counted and vary in both arms."""
    for half in halves:
        found = fold.total(metric, half, fold.excluded)
        if not all(found[1][arm].any() for arm in (0, number)):
            return False
        if isinstance(pair(sums(metric, found, 0), sums(metric, found, number)), CannotJudge):
            return False
    return True


def _correlation(fold: Fold) -> Iterator[Check]:
    """Sequential bounds rest on independent increments; told, not held against the result."""
    by_windows = {look.windows: look for look in fold.looks}
    if fold.study.design.method is Method.FIXED_HORIZON or len(by_windows) < 2:
        return
    early, late = (fold.windows[:windows] for windows in (min(by_windows), max(by_windows)))
    for number, arm, metric in fold.study.comparisons:
        sides = [
            tuple(sums(metric, fold.total(metric, windows, Excluded()), side) for side in (0, number))
            for windows in (early, late)
        ]
        gap = correlation_gap((sides[0][0], sides[0][1]), (sides[1][0], sides[1][1]))
        if not isinstance(gap, CannotJudge):
            passed = gap.harmless
            yield Check(
                name=CheckName.CORRELATION_GAP,
                arm=arm.name,
                passed=passed,
                blocking=False,
                message=f"{metric.name}, {arm.name}: the first and the last look are correlated by {gap.value:+.2f} "
                f"against independent increments, of which {gap.noise:.2f} may be chance"
                + ("" if passed else "; bounds of earlier looks may be too low"),
            )


def _self_test(fold: Fold) -> list[Check]:
    found = tested(fold)
    if found is None:
        return []
    allowed = found.nominal + 3 * sqrt(found.nominal * (1 - found.nominal) / found.tests) + 0.01
    wrong = found.false_positive_rate > allowed
    worst = max(split_errors(fold), key=lambda one: abs(one.z) if one.error > SPLIT_TOLERANCE else 0.0)
    uneven = worst.error > SPLIT_TOLERANCE and abs(worst.z) > 4
    return [
        Check(
            name=CheckName.FALSE_POSITIVE_RATE,
            passed=not wrong,
            message=f"Equal arms were called different in {found.false_positive_rate:.2%} of {found.tests} tests, "
            f"nominal {found.nominal:.2%}" + ("; results of this endpoint overstate what they show" if wrong else ""),
        ),
        Check(
            name=CheckName.SPLIT_ACCURACY,
            passed=not uneven,
            message=f"The split is within {found.split_error:.2%} of the nominal one"
            + ("; look at the routers' tables before trusting any experiment here" if uneven else ""),
        ),
    ]
