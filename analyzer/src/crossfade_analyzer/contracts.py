"""Can a metric's series be used? Asked when a Metric is declared, long before a rollout depends on it."""

from __future__ import annotations

from collections.abc import Callable

from crossfade_analyzer.contract import ContractReport, Fault, HistogramSource, MetricSource
from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources import histograms
from crossfade_analyzer.sources.own import metric_group, series_of
from crossfade_analyzer.sources.raw import RawSource
from crossfade_analyzer.sources.readings import BUCKETS, usable_bucket
from crossfade_analyzer.sources.selectors import check_source
from crossfade_analyzer.sources.survey import survey

_LOOK_BACK_MS = 600_000


def check_contract(source: RawSource, metric: MetricSource, now_ms: Callable[[], int]) -> ContractReport:
    """Whether a metric's selectors parse, its series exist, are fresh, and carry arm and analysis bucket."""
    try:
        check_source(metric)
        now = now_ms()
        found = survey(source, metric_group("metric", metric), now - _LOOK_BACK_MS, now)
        for selector in series_of(metric):
            _check_labels(source, selector, metric, found.now)
        if isinstance(metric, HistogramSource):
            _check_bound(source, metric, found.now)
    except EvidenceFault as error:
        finding = error.finding
        return ContractReport(holds=False, reason=finding.reason, fault=finding.fault, message=finding.message)
    what = (
        f"The histogram is fresh and labelled, with the bound {metric.above}"
        if isinstance(metric, HistogramSource)
        else "Both counters are fresh and labelled"
    )
    return ContractReport(holds=True, message=f"{what}, from {len(found.targets)} targets")


def _check_bound(source: RawSource, metric: HistogramSource, at_ms: int) -> None:
    """What was scraped last, of each arm and bucket, tells apart what is above the bound."""
    patience = round(metric.freshness_seconds * 1000)
    series = source.raw(histograms.all_and_within(metric), at_ms - patience, at_ms)
    histograms.refuse_without_bound(source, histograms.as_counters(series, metric), metric, at_ms)


def _check_labels(source: RawSource, selector: str, metric: MetricSource, at_ms: int) -> None:
    for label in (metric.arm_label, metric.bucket_label):
        query = f"group by ({label}) ({selector})"
        values = {labels.get(label, "") for labels, _ in source.instant(query, at_ms).values}
        usable = (
            {value for value in values if value} if label == metric.arm_label else set(filter(usable_bucket, values))
        )
        if values - usable:
            strange = sorted(values - usable)[0]
            what = f"{label}={strange!r}" if strange else f"no label {label!r}"
            wanted = "an arm" if label == metric.arm_label else f"0 to {BUCKETS - 1}, `none` or `forced`"
            raise EvidenceFault(
                Fault.RELABELLED,
                f"series of `{selector}` have {what}, where {wanted} is needed; the model server copies it from the "
                "request headers x-arm and x-abucket",
            )
