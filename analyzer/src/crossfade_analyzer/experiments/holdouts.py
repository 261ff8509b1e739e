"""What all launches of a holdout's time add up to: users who stayed on the revision of its beginning against the rest.

Read once, at its end, from the routers' and the Metrics' counters; fixed horizon, variance between analysis buckets.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from crossfade_analyzer.calibration import HISTORY_MS, calibrate
from crossfade_analyzer.contract import (
    ArmCounts,
    ExperimentMetric,
    Fault,
    HoldoutDifference,
    HoldoutMetric,
    HoldoutReading,
    HoldoutRequest,
    HoldoutState,
    MetricKind,
)
from crossfade_analyzer.experiments import history
from crossfade_analyzer.experiments.fold import Table, counts_of, sums, table
from crossfade_analyzer.experiments.reader import TAIL
from crossfade_analyzer.experiments.records import milliseconds
from crossfade_analyzer.experiments.study import scale_of
from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources.once import Once
from crossfade_analyzer.sources.raw import RawSource
from crossfade_analyzer.sources.readings import router_selector
from crossfade_analyzer.statistics.experiments.comparison import Comparison
from crossfade_analyzer.statistics.experiments.holdout import holdout
from crossfade_analyzer.statistics.refusals import CannotJudge

HELD_OUT, REST = 0, 1
INSTANTS = 1_000
"""At which counters are read. What a process counts after the last of them before its end is lost, of both alike."""


def read(source: RawSource, request: HoldoutRequest, now_ms: int) -> HoldoutReading:
    """The reading, or a sentence why there is none."""
    try:
        return _read(Once(source), request, now_ms)
    except EvidenceFault as fault:
        return HoldoutReading(state=HoldoutState.CANNOT_JUDGE, message=fault.finding.message, until=request.until)


def _read(source: RawSource, request: HoldoutRequest, now_ms: int) -> HoldoutReading:
    until = milliseconds(request.until)
    end = min(now_ms, until)
    labels = (request.held_out_label, request.rest_label)
    held_out = router_selector(request.endpoint, history.labelled(labels[:1]), ("requests",))
    seen = history.traffic(source, held_out, round(request.history_seconds * 1000), end, INSTANTS)
    if len(seen) < 2:
        return HoldoutReading(
            state=HoldoutState.CANNOT_JUDGE,
            message=f"the routers of {request.endpoint} counted no requests of held-out users until then: see that the "
            "holdout has its slice, that Prometheus scrapes the routers, and that it keeps samples as long as holdouts "
            "last",
            until=request.until,
        )
    at = history.points(seen[0], end, INSTANTS)
    counted = history.requests(source, request.endpoint, history.labelled(labels), at)
    reading = HoldoutReading(
        state=HoldoutState.NOT_YET,
        message=f"the holdout is compared once, at its end, {request.until:%Y-%m-%d %H:%M} UTC: whoever looks earlier, "
        "and acts on what is seen, is wrong more often than the interval says",
        since=datetime.fromtimestamp(seen[0] / 1000, UTC),
        until=request.until,
        requests_held_out=sum(counted[HELD_OUT]),
        requests_rest=sum(counted[REST]),
    )
    if now_ms < until:
        return reading
    metrics = tuple(_metric(source, request, metric, labels, at) for metric in request.metrics)
    message = f"users outside the holdout against those in it, {float(1 - request.alpha):.0%} intervals"
    return reading.model_copy(update={"state": HoldoutState.READ, "message": message, "metrics": metrics})


def _metric(
    source: RawSource, request: HoldoutRequest, metric: ExperimentMetric, labels: Sequence[str], at: Sequence[int]
) -> HoldoutMetric:
    try:
        found = _counts(source, request, metric, labels, at)
    except EvidenceFault as fault:
        return HoldoutMetric(metric=metric.name, message=fault.finding.message)
    held_out, rest = (sums(metric, found, arm) for arm in (HELD_OUT, REST))
    ends = datetime.fromtimestamp(at[-1] / 1000, UTC)
    result = holdout(held_out, rest, float(request.alpha), now=ends, until=ends)
    shown = HoldoutMetric(metric=metric.name, held_out=_arm(metric, found, HELD_OUT), rest=_arm(metric, found, REST))
    if isinstance(result, CannotJudge):
        return shown.model_copy(update={"message": result.sentence})
    if isinstance(result.relative, CannotJudge):
        return shown.model_copy(update={"absolute": _difference(result.absolute), "message": result.relative.sentence})
    return shown.model_copy(update={"absolute": _difference(result.absolute), "relative": _difference(result.relative)})


def _counts(
    source: RawSource, request: HoldoutRequest, metric: ExperimentMetric, labels: Sequence[str], at: Sequence[int]
) -> Table:
    """Numerator and denominator per arm and bucket."""
    bound = _bound(source, request, at) if metric.kind is MetricKind.LATENCY else None
    span = history.counted(source, request.endpoint, metric, history.labelled(labels, metric), bound, at)
    pair = span.whole()
    return table(pair, pair[1])


def _bound(source: RawSource, request: HoldoutRequest, at: Sequence[int]) -> str:
    """The router's bound nearest to everybody's p90 on the day before: chosen without looking at what is compared."""
    bounds, label = request.latency_bounds, request.rest_label
    chosen = calibrate(source, request.endpoint, label, bounds, at[0] - HISTORY_MS, at[0]) if bounds else None
    if chosen is None:
        why = "too few requests were counted on the day before the holdout" if bounds else "the router has none"
        text = f"no bound of the latency could be chosen: {why}"
        raise EvidenceFault(Fault.NOTHING_SCRAPED_YET, text)
    return chosen.nearest_to(TAIL)


def _arm(metric: ExperimentMetric, found: Table, arm: int) -> ArmCounts:
    events, total = counts_of(found, arm)
    return ArmCounts(events=events, total=total, value=events / (total * scale_of(metric)) if total else None)


def _difference(found: Comparison) -> HoldoutDifference:
    return HoldoutDifference(value=found.estimate, lower=found.ci[0], upper=found.ci[1])
