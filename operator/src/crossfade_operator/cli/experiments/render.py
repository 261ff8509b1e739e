"""Experiments as text: a table for many, a page for one, a line for what changed. Pure: the time is an argument."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from crossfade_operator.api.metric import BUILT_IN
from crossfade_operator.api.quantities import Duration
from crossfade_operator.cli.experiments.view import EXPOSED, Arm, Check, Experiment, Result
from crossfade_operator.cli.paint import Paint
from crossfade_operator.cli.text import blocks, fitting, percents, short, span, table, wrapped
from crossfade_operator.core.experiment.reasons import Reason

_PHASE_STYLES = {
    "Running": ("cyan",),
    "Approved": ("cyan",),
    "InReview": ("yellow",),
    "Interrupted": ("yellow", "bold"),
    "Stopped": ("yellow",),
    "Decided": ("green",),
    "Invalid": ("red", "bold"),
}
_VERDICT_STYLES = {
    "Superior": ("green", "bold"),
    "NonInferior": ("green",),
    "Inferior": ("red", "bold"),
    "Different": ("red", "bold"),
    "CannotJudge": ("yellow",),
}
_RECOMMENDATION_STYLES = {"Ship": ("green", "bold"), "Abort": ("red", "bold"), "Discuss": ("yellow", "bold")}


def listing(
    experiments: Sequence[Experiment], paint: Paint, now: datetime, wide: int | None, *, namespaces: bool
) -> list[str]:
    """One line per experiment, under a header; in `wide` columns the less telling ones are left out."""
    header = ("NAME", "ENDPOINT", "PHASE", "SLICE", "LOOK", "PROGRESS", "RECOMMENDS", "REASON", "AGE")
    rows = [(("NAMESPACE",) if namespaces else ()) + header]
    for experiment in experiments:
        recommends = experiment.recommendation or "-"
        row = (
            experiment.name,
            experiment.endpoint,
            paint(experiment.phase, *_PHASE_STYLES.get(experiment.phase, ())),
            experiment.slice or "-",
            _looks(experiment) or "-",
            experiment.progress or "-",
            paint(recommends, *_RECOMMENDATION_STYLES.get(recommends, ())),
            experiment.reason or "-",
            span(now - experiment.created) if experiment.created else "-",
        )
        rows.append(((experiment.namespace,) if namespaces else ()) + row)
    return fitting(rows, wide, ("REASON", "AGE", "ENDPOINT"))


def page(experiment: Experiment, paint: Paint, now: datetime, wide: int) -> list[str]:
    """Everything about one experiment, at most `wide` columns where words can be wrapped."""
    treatments = list(dict.fromkeys(result.treatment for result in experiment.results))
    return blocks(
        (
            _head(experiment, paint, now, wide),
            _arms(experiment, paint, wide),
            *(_evidence(experiment, treatment, paint, wide) for treatment in treatments),
            _checks(experiment, paint, wide),
            _next(experiment, paint, wide),
        )
    )


def line(experiment: Experiment, now: datetime) -> str:
    """What `watch` prints where lines cannot be redrawn."""
    look = f"look {_looks(experiment)}" if experiment.look else ""
    parts = (
        f"{now.astimezone():%H:%M:%S}",
        f"{experiment.namespace}/{experiment.name}",
        experiment.phase,
        " ".join(part for part in (look, experiment.progress or "") if part),
        experiment.recommendation or "",
        _reason(experiment),
    )
    return "  ".join(part for part in parts if part)


def advice(experiment: Experiment) -> tuple[str, tuple[str, ...]]:
    """What it waits for, and the commands for what can be done now."""
    name, namespace = f"exp/{experiment.name}", f" -n {experiment.namespace}"
    do = f"kubectl crossfade {{}} {name}{namespace}"
    decide = f"{do.format('decide')} ship|abort -m 'why'"
    match experiment.phase:
        case "Draft":
            return "It is a draft: nobody is in it.", (do.format("plan"), do.format("start"))
        case "InReview":
            return "It starts when its design is approved and its checks pass.", (
                do.format("plan"),
                do.format("approve"),
                f"{do.format('request-changes')} -m 'what'",
            )
        case "Approved":
            return "It starts when its arms are ready, its slice is granted and every router sends users there.", ()
        case "Running":
            return "It runs until its design is complete; looking at it does not spoil it.", (do.format("stop"),)
        case "Interrupted":
            return "It goes on by itself when its evidence can be read again; what was collected stays valid.", ()
        case "Stopped":
            return f"It waits for {experiment.decision_maker or 'a person'} to decide.", (
                decide,
                f"{do.format('dissent')} -m 'why'",
            )
        case "Decided":
            return "It is decided.", (do.format("explain"), do.format("archive"))
        case "Invalid":
            return "Its results must not be used. Mend the cause, then count spec.run up for a new run.", ()
    return "", (do.format("explain"),)


def meaning(experiment: Experiment) -> str:
    """What the reason means, in the words of the reference, unless the message says the same."""
    sentence = Reason.meaning(experiment.reason)
    return sentence if sentence != experiment.message else ""


def effect(result: Result) -> str:
    """Treatment against control, with its interval: `+1.8% [-0.2%, +3.9%]`, or the two values where the difference
    cannot be told in relation to control's."""
    if result.relative is None:
        return "-" if result.value is None else _values(result)
    ends = [end for end in (result.lower, result.upper) if end is not None]
    middle, *shown = percents(result.relative, *ends, signed=True)
    return f"{middle} {_interval(result, shown)}" if shown else middle


def _values(result: Result) -> str:
    """`0.64% against 0.61%`: the router's own metrics are shares of requests, others have units of their own."""
    value, control = result.value or 0.0, result.control or 0.0
    ends = [end for end in (result.lower, result.upper) if end is not None]
    if result.metric in BUILT_IN:
        both, shown = percents(value, control), percents(*ends, signed=True) if ends else []
    else:
        both, shown = [f"{number:.4g}" for number in (value, control)], [f"{end:+.3g}" for end in ends]
    told = " against ".join(both)
    return f"{told} {_interval(result, shown)}" if shown else told


def _interval(result: Result, ends: Sequence[str]) -> str:
    lower = ends[0] if result.lower is not None else "-∞"
    return f"[{lower}, {ends[-1] if result.upper is not None else '+∞'}]"


def _head(experiment: Experiment, paint: Paint, now: datetime, wide: int) -> list[str]:
    title = paint(f"{experiment.namespace}/{experiment.name}", "bold")
    lines = [f"{title} · experiment on {experiment.endpoint} · owner {experiment.owner}"]
    for name, text in _facts(experiment, paint, now):
        if text:
            lines += wrapped(f"  {name:<11}", text, wide, indent=13)
    return lines


def _facts(experiment: Experiment, paint: Paint, now: datetime) -> Iterator[tuple[str, str]]:
    yield "phase", paint(experiment.phase, *_PHASE_STYLES.get(experiment.phase, ())) + _looked(experiment)
    yield "reason", _reason(experiment)
    yield "meaning", meaning(experiment)
    yield "", "" if experiment.settled else paint("The controller has not seen the newest change yet.", "yellow")
    yield "hypothesis", experiment.hypothesis
    kind = "an A/A comparison" if experiment.type == "AA" else ""
    dry = "a dry run: no pods, no users" if experiment.dry_run else ""
    share = f"{experiment.slice} of the users {'in' if experiment.phase in EXPOSED else 'asked for'}"
    run = f"run {experiment.run}" if experiment.run > 1 else ""
    yield "slice", " · ".join(part for part in (share, run, kind, dry) if part)
    yield "time", _time(experiment, now)
    yield "design", short(experiment.design_hash) if experiment.design_hash else ""
    yield "decides", experiment.decision_maker
    kept = " · ".join(part for part in (experiment.decision, experiment.outcome) if part)
    yield "decision" if experiment.decision else "so far", kept


def _looked(experiment: Experiment) -> str:
    if not experiment.look and not experiment.progress:
        return ""
    look = f" · look {_looks(experiment)}" if experiment.look else ""
    return look + (f" · {experiment.progress} of the planned information" if experiment.progress else "")


def _looks(experiment: Experiment) -> str:
    if not experiment.look:
        return ""
    return f"{experiment.look} of {experiment.looks_planned}" if experiment.looks_planned else str(experiment.look)


def _reason(experiment: Experiment) -> str:
    return f"{experiment.reason}: {experiment.message}" if experiment.message else experiment.reason


def _time(experiment: Experiment, now: datetime) -> str:
    bounds = f"{experiment.min_runtime} to {experiment.max_runtime}"
    if experiment.started is None:
        return f"runs for {bounds}"
    if experiment.stopped is not None:
        return f"ran for {span(experiment.stopped - experiment.started)}"
    ends = experiment.started + Duration(experiment.max_runtime)
    parts = [f"runs for {span(now - experiment.started)} of {bounds}", f"ends in {span(ends - now)} at the latest"]
    if experiment.next_look:
        until = experiment.next_look - now
        parts.append(f"next look in {span(until)}" if until > timedelta() else "a look is due")
    return " · ".join(parts)


def _arms(experiment: Experiment, paint: Paint, wide: int) -> list[str]:
    if not experiment.arms:
        return []
    header = ("ARM", "ROLE", "SLICE", "PODS", "REVISION", "MODEL")
    return [paint("arms", "bold"), *table(header, [_arm(arm) for arm in experiment.arms], wide)]


def _arm(arm: Arm) -> tuple[str, ...]:
    pods = f"{arm.ready} of {arm.replicas}" if arm.revision else "-"
    return (
        arm.name,
        arm.role,
        arm.slice or "-",
        pods,
        arm.revision or "-",
        short(arm.model) if arm.model else arm.wanted,
    )


def _evidence(experiment: Experiment, treatment: str, paint: Paint, wide: int) -> list[str]:
    results = [result for result in experiment.results if result.treatment == treatment]
    recommends = experiment.recommendation
    title = f"{paint('evidence', 'bold')} · {treatment} against control"
    if recommends:
        title += f" · recommends {paint(recommends, *_RECOMMENDATION_STYLES.get(recommends, ()))}"
    bounds = {use.metric.split("@")[0]: use.bound for use in experiment.uses}
    header = ("METRIC", "ROLE AND BOUND", "VERDICT", "EFFECT", "IN")
    rows = [
        (
            result.metric,
            f"{result.role} {bounds.get(result.metric.split('@')[0], '')}".strip(),
            paint(result.verdict or "-", *_VERDICT_STYLES.get(result.verdict, ())),
            effect(result),
            result.progress or "-",
        )
        for result in results
    ]
    lines = [title, *table(header, rows, wide)]
    for result in results:
        if result.message:
            lines += wrapped(f"  {result.metric}: ", result.message, wide)
    return lines


def _checks(experiment: Experiment, paint: Paint, wide: int) -> list[str]:
    return [paint("checks", "bold"), *check_lines(experiment.checks, wide)] if experiment.checks else []


def check_lines(checks: Iterable[Check], wide: int) -> list[str]:
    """Each check with how it came out: only what forbids the use of a result shouts."""
    lines: list[str] = []
    for check in checks:
        came_out = "passed" if check.passed else "FAILED" if check.blocking else "warns"
        said = f": {check.message}" if check.message else ""
        lines += wrapped(f"  {came_out:<6}  ", check.name + said, wide, indent=10)
    return lines


def _next(experiment: Experiment, paint: Paint, wide: int) -> list[str]:
    waits, commands = advice(experiment)
    if not waits and not commands:
        return []
    return [
        paint("next", "bold"),
        *(wrapped("  ", waits, wide, indent=2) if waits else ()),
        *(f"    {c}" for c in commands),
    ]
