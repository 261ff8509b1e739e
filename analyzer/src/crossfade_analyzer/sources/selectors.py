"""PromQL series selectors: which ones a metric may use, and how ours are written."""

from __future__ import annotations

from collections.abc import Iterable

import promql_parser

from crossfade_analyzer.contract import Fault, HistogramSource, MetricSource
from crossfade_analyzer.faults import EvidenceFault


def quoted(value: str) -> str:
    """A PromQL string literal."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def one_of(values: Iterable[str]) -> str:
    """A PromQL regular expression literal that matches exactly one of `values`."""
    return quoted("|".join(_escaped(value) for value in sorted(set(values))))


def _escaped(value: str) -> str:
    return "".join(f"\\{character}" if character in r"\.+*?()|[]{}^$" else character for character in value)


def check_source(source: MetricSource) -> None:
    """Refuse a metric whose selectors cannot give raw counters by arm and analysis bucket.

    Raises `EvidenceFault` with a sentence that names the selector and says what to write instead.
    """
    free = source.arm_label, source.bucket_label
    if isinstance(source, HistogramSource):
        check_selector("histogram", source.histogram, (*free, "le"), named=True)
    else:
        check_selector("numerator", source.numerator, free)
        check_selector("denominator", source.denominator, free)


def check_selector(part: str, selector: str, free_labels: tuple[str, ...], *, named: bool = False) -> None:
    """Refuse anything but a plain vector selector that leaves `free_labels` alone; `named`: and begins with a name."""
    expression = _parsed(part, selector)
    if not isinstance(expression, promql_parser.VectorSelector):
        raise _not_a_selector(part, selector, f"it is a {_kind(expression)}")
    if expression.offset is not None or expression.at is not None:
        raise _not_a_selector(part, selector, "it has an offset or an @ instant")
    if named and (expression.name is None or expression.matchers.or_matchers):
        raise _not_a_selector(part, selector, "it does not begin with the name of one series, or has an `or`")
    matchers = [*expression.matchers.matchers, *(m for group in expression.matchers.or_matchers for m in group)]
    pinned = sorted({matcher.name for matcher in matchers} & set(free_labels))
    if pinned:
        raise EvidenceFault(
            Fault.PINNED_LABEL,
            f"the {part} selector `{selector}` pins the label {pinned[0]!r}, which must stay free because it tells "
            "arms, analysis buckets or bounds apart; drop that matcher",
        )


def _parsed(part: str, selector: str) -> object:
    try:
        return promql_parser.parse(selector)
    except ValueError as error:
        raise _not_a_selector(part, selector, f"it does not parse: {error}") from error


def _kind(expression: object) -> str:
    name = type(expression).__name__
    return {"Call": "function call", "AggregateExpr": "aggregation", "MatrixSelector": "range selector"}.get(name, name)


def _not_a_selector(part: str, selector: str, why: str) -> EvidenceFault:
    return EvidenceFault(
        Fault.NOT_A_SELECTOR,
        f"the {part} `{selector}` is not a plain series selector ({why}); give the raw counter, "
        'such as `empty_results_total{app="x"}`, without rate(), sum(), ranges or offsets',
    )
