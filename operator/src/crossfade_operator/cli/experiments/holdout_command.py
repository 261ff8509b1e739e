"""`holdout`: what all launches of a holdout's time add up to, once it is over."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from crossfade_analyzer.contract import (
    Direction,
    ExperimentMetric,
    ExperimentRole,
    HoldoutDifference,
    HoldoutMetric,
    HoldoutReading,
    HoldoutRequest,
    HoldoutState,
    MetricKind,
)
from crossfade_operator.api.metric import MetricSpec
from crossfade_operator.api.modelendpoint import Holdout, ModelEndpointSpec
from crossfade_operator.cli.analyzer import Analyzer
from crossfade_operator.cli.experiments.seen import parsed
from crossfade_operator.cli.flags import Verbs, analyzer_flag, output_flag
from crossfade_operator.cli.names import ENDPOINT, METRIC, named
from crossfade_operator.cli.paint import Paint
from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.session import Session
from crossfade_operator.cli.text import moment, paragraph, percent, percents, table, wrapped
from crossfade_operator.cli.values import Obj
from crossfade_operator.core.planning import BUILT_IN, source_of

EXIT_NO_READING = 4


def add(verbs: Verbs) -> None:
    """holdout."""
    parser = verbs.add("holdout", "what all launches of a holdout's time add up to, once it is over", _holdout)
    parser.add_argument("name", help="endpoint/NAME")
    analyzer_flag(parser)
    output_flag(parser, "the reading")


def _holdout(session: Session, options: argparse.Namespace) -> int:
    cluster, name = session.cluster, named(options.name, (ENDPOINT,), ENDPOINT).name
    spec = parsed(ModelEndpointSpec, cluster.get(ENDPOINT, name), "spec")
    if spec.holdout is None:
        raise Problem(
            f"{name} has no holdout: everybody gets every launch, so nobody is left to compare with.",
            "give it one for a quarter, spec.holdout {slice, until}, and leave it in the spec when it is over",
        )
    asked = question(f"{cluster.namespace}/{name}", spec, spec.holdout, cluster.select(METRIC))
    reading = Analyzer(cluster, options.analyzer).holdout(asked)
    if options.output:
        session.give(reading.model_dump(mode="json", by_alias=True, exclude_none=True), options.output)
    else:
        session.say(page(f"{cluster.namespace}/{name}", spec.holdout, reading, session.paint, session.wide))
    return 0 if reading.state is HoldoutState.READ else EXIT_NO_READING


def question(endpoint: str, spec: ModelEndpointSpec, holdout: Holdout, metrics: Sequence[Obj]) -> HoldoutRequest:
    """The router's metrics and every Metric of the namespace."""
    return HoldoutRequest(
        endpoint=endpoint,
        until=holdout.until,
        metrics=(*_built_in(), *(_metric(obj) for obj in metrics)),
        latency_bounds=tuple(str(bound) for bound in spec.router.latency_bounds),
    )


def _built_in() -> Iterator[ExperimentMetric]:
    for name, kind in sorted(BUILT_IN.items()):
        yield ExperimentMetric(name=name, kind=kind, role=ExperimentRole.QUALITY)


def _metric(obj: Obj) -> ExperimentMetric:
    spec = parsed(MetricSpec, obj, "spec")
    return ExperimentMetric(
        name=obj["metadata"]["name"],
        kind=MetricKind(spec.type.value),
        role=ExperimentRole.QUALITY,
        direction=Direction(spec.direction.value),
        source=source_of(spec),
        grows_with_time=spec.grows_with_time,
    )


def page(name: str, holdout: Holdout, reading: HoldoutReading, paint: Paint, wide: int) -> list[str]:
    """For a person."""
    lines = [f"{paint(name, 'bold')} · holdout of {holdout.slice}"]
    for title, text in _facts(reading):
        lines += wrapped(f"  {title:<11}", text, wide, indent=13)
    if reading.state is not HoldoutState.READ:
        return [*lines, "", *paragraph(f"{reading.message[:1].upper()}{reading.message[1:]}.", wide)]
    rows = [(one.metric, *_values(one), _effect(one)) for one in reading.metrics]
    lines += ["", paint("the rest against the held out", "bold") + ", 95% intervals, each metric for itself"]
    lines += table(("METRIC", "HELD OUT", "REST", "DIFFERENCE"), rows, wide)
    for one in reading.metrics:
        lines += wrapped(f"  {one.metric}: ", one.message, wide) if one.message else []
    return lines


def _facts(reading: HoldoutReading) -> Iterator[tuple[str, str]]:
    if reading.since is not None:
        yield "since", moment(reading.since)
    yield "until", moment(reading.until)
    if reading.requests_held_out:
        yield "requests", f"held out {reading.requests_held_out:,} · rest {reading.requests_rest:,}"


def _values(one: HoldoutMetric) -> list[str]:
    """The router's own metrics are shares of requests, others have units of their own."""
    shares = one.metric in BUILT_IN
    found = [arm.value if arm else None for arm in (one.held_out, one.rest)]
    return ["-" if value is None else percent(value) if shares else f"{value:.4g}" for value in found]


def _effect(one: HoldoutMetric) -> str:
    """Relative to the held out where that can be told, else in the metric's own units."""
    if one.relative is not None:
        middle, lower, upper = percents(*_three(one.relative), signed=True)
        return f"{middle} [{lower}, {upper}]"
    if one.absolute is not None:
        middle, lower, upper = (f"{value:+.3g}" for value in _three(one.absolute))
        return f"{middle} [{lower}, {upper}]"
    return "-"


def _three(found: HoldoutDifference) -> tuple[float, float, float]:
    return found.value, found.lower, found.upper
