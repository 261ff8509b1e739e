"""Raw histograms as pairs of counters: all observations, and those up to a bound.

A classic histogram is such counters already, told apart by the label `le`. A native one is read as if it were: where
one of its buckets with observations lies on both sides of the bound, nobody knows how many are above it, and it is
refused instead of being interpolated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from crossfade_analyzer.contract import Fault, HistogramSource
from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources.raw import Histogram, RawSource, Series
from crossfade_analyzer.sources.samples import described
from crossfade_analyzer.sources.selectors import one_of
from crossfade_analyzer.statistics import native_histogram

_ALL = "+Inf"
_NAME = re.compile(r"^[a-zA-Z_:][a-zA-Z0-9_:]*")


def is_native(source: HistogramSource) -> bool:
    """Whether the selector names a native histogram; a classic one's buckets are called `<name>_bucket`."""
    name = _NAME.match(source.histogram)
    return name is None or not name[0].endswith("_bucket")


def all_of(source: HistogramSource) -> str:
    """The series that count every observation."""
    return source.histogram if is_native(source) else _with(source.histogram, f'le="{_ALL}"')


def all_and_within(source: HistogramSource) -> str:
    """Those, and the series that count observations up to the bound."""
    if is_native(source):
        return source.histogram
    return _with(source.histogram, f"le=~{one_of((_ALL, *_spellings(source)))}")


def expressions(source: HistogramSource) -> tuple[str, str]:
    """PromQL of the observations up to the bound, and of all of them. A native histogram's are interpolated: for
    plans, never for evidence."""
    if is_native(source):
        total = f"histogram_count({source.histogram})"
        return f"histogram_fraction(-Inf, {source.above}, {source.histogram}) * {total}", total
    return _with(source.histogram, f"le=~{one_of(_spellings(source))}"), all_of(source)


def counts_all(labels: Mapping[str, str]) -> bool:
    """Whether a counter counts every observation, and not those up to the bound only."""
    return labels.get("le") == _ALL


def as_counters(
    series: Iterable[Series], source: HistogramSource, mine: Callable[[Mapping[str, str]], bool] = lambda labels: True
) -> tuple[Series, ...]:
    """Native histograms as counters, told apart by `le` as a classic one's; those of a classic one as they are.

    Only what is `mine` by its labels is counted up to the bound: what others expose may have no such bound. Raises
    `EvidenceFault`: not the kind of histogram that the selector names, or a bucket of mine has the bound inside.
    """
    if not is_native(source):
        return tuple(series)
    return tuple(counter for one in series for counter in _counters(one, source, within=mine(one.labels)))


def _counters(series: Series, source: HistogramSource, *, within: bool) -> Iterator[Series]:
    if series.samples:
        raise EvidenceFault(
            Fault.NOT_A_COUNTER,
            f"{described(series.labels)} is no native histogram; of a classic one give the buckets, "
            f"`{_NAME.sub(lambda name: name[0] + '_bucket', source.histogram)}`",
        )
    yield Series({**series.labels, "le": _ALL}, tuple((at, seen.count) for at, seen in series.histograms))
    if within:
        counts = tuple((at, _within(series, seen, source)) for at, seen in series.histograms)
        yield Series({**series.labels, "le": str(source.above)}, counts)


def _within(series: Series, seen: Histogram, source: HistogramSource) -> float:
    found = native_histogram.within(seen.buckets, float(source.above))
    if isinstance(found, native_histogram.Straddling):
        raise EvidenceFault(
            Fault.BOUND_MISSING,
            f"{described(series.labels)} has a bucket from {found.lower:.6g} to {found.upper:.6g}, so how many of its "
            f"observations are above {source.above} is not known; give `above` one of those two, "
            "or let the histogram keep more buckets",
        )
    return found


def refuse_without_bound(
    source: RawSource, series: Iterable[Series], metric: HistogramSource, at_ms: int | None = None
) -> None:
    """Refuse series that count every observation and have no partner for those up to the bound: all of their
    observations would seem to be above it."""
    kept = [one.labels for one in series]
    bounded = {_but_le(labels) for labels in kept if not counts_all(labels)}
    alone = next((labels for labels in kept if counts_all(labels) and _but_le(labels) not in bounded), None)
    if alone is not None:
        known = source.instant(f"group by (le) ({metric.histogram})", at_ms).values
        bounds = sorted({float(labels["le"]) for labels, _ in known if labels.get("le", _ALL) != _ALL})
        raise EvidenceFault(
            Fault.BOUND_MISSING,
            f"{described(alone)} has no bucket with the bound {metric.above}; give `above` a bound that every arm's "
            f"histogram has (seen: {', '.join(f'{bound:g}' for bound in bounds) or 'none'})",
        )


def _but_le(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(item for item in labels.items() if item[0] != "le")


def _with(selector: str, matcher: str) -> str:
    """A selector with one more matcher."""
    if not selector.endswith("}"):
        return f"{selector}{{{matcher}}}"
    inner = selector[:-1].rstrip()
    comma = "" if inner.endswith(("{", ",")) else ","
    return f"{inner}{comma}{matcher}}}"


def _spellings(source: HistogramSource) -> set[str]:
    """The bound as exporters write it: 2500000, 2500000.0, 2.5e+06."""
    bound = source.above.normalize()
    digits = "".join(map(str, bound.as_tuple().digits))
    mantissa = f"{digits[0]}.{digits[1:]}".rstrip(".")
    return {format(bound, "f"), repr(float(bound)), f"{mantissa}e{bound.adjusted():+03d}"}
