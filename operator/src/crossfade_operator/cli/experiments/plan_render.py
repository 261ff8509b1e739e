"""A plan as text. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from crossfade_analyzer.contract import ExperimentPlan, PlannedMetric, Reachable
from crossfade_operator.cli.experiments.planning import Ledger, Planned
from crossfade_operator.cli.paint import Paint
from crossfade_operator.cli.text import blocks, item, listed, paragraph, percent, several, short, span, table, wrapped


def page(plan: Planned, paint: Paint, wide: int) -> list[str]:
    """What it takes, what is free, who has said what, and what to do."""
    return blocks(
        (
            _head(plan, paint, wide),
            _metrics(plan, paint, wide),
            _ledger(plan.ledger, paint, wide) if plan.ledger else [],
            _reviews(plan, paint, wide),
            _points("what keeps it from starting", plan.obstacles, paint, wide),
            _points("worth knowing", (*plan.warnings, *(plan.analysis.notes if plan.analysis else ())), paint, wide),
            _next(plan, paint),
        )
    )


def _head(plan: Planned, paint: Paint, wide: int) -> list[str]:
    experiment = plan.experiment
    title = paint(f"{experiment.namespace}/{experiment.name}", "bold")
    lines = [f"{title} · plan of an experiment on {experiment.endpoint}"]
    for name, text in _facts(plan):
        lines += wrapped(f"  {name:<11}", text, wide, indent=13)
    return lines


def _facts(plan: Planned) -> Iterator[tuple[str, str]]:
    experiment, analysis = plan.experiment, plan.analysis
    yield "hypothesis", experiment.hypothesis
    yield "design", f"{short(plan.design_hash)} · {_method(plan)} · run {experiment.run}"
    arms = listed([arm.name for arm in experiment.arms])
    yield "slice", f"{experiment.slice} of the users for {arms} together"
    yield "runs", f"{experiment.min_runtime} to {experiment.max_runtime}"
    if analysis is None:
        yield "takes", f"not known: {plan.unknown}"
        return
    yield "takes", _takes(analysis)
    if analysis.requests_per_day is not None:
        yield "traffic", f"{_count(analysis.requests_per_day)} requests a day of {experiment.endpoint}'s stable users"
    yield "start", _start(plan)


def _method(plan: Planned) -> str:
    looks = plan.experiment.looks_planned
    return f"{plan.experiment.method}, {several(looks, 'look')}" if looks else plan.experiment.method


def _takes(analysis: ExperimentPlan) -> str:
    if analysis.required_sample is None or analysis.days is None:
        return "not known: too little traffic was seen to tell"
    longest = max((metric.days for metric in analysis.metrics if metric.days is not None), default=1.0)
    time = several(analysis.days, "day") if longest >= 1 else _time(longest)
    return f"about {time}: {_count(analysis.required_sample)} units over all arms"


def _time(days: float) -> str:
    return f"{days:.1f}d" if days >= 1 else span(timedelta(days=days))


def _start(plan: Planned) -> str:
    if not plan.can_start:
        count = len(plan.obstacles) + bool(plan.changes_asked)
        return f"no: {several(count, 'thing')} {'keep' if count > 1 else 'keeps'} it from starting"
    missing = plan.reviewing.missing
    if plan.analysis and not plan.analysis.feasible:
        return "it could start, and would end without enough evidence: see below"
    return f"when {several(missing, 'more approval')} {'are' if missing > 1 else 'is'} given" if missing else "yes"


def _metrics(plan: Planned, paint: Paint, wide: int) -> list[str]:
    uses = {use.metric.partition("@")[0]: use for use in plan.experiment.uses}
    if plan.analysis is None:
        short_header = ("METRIC", "ROLE AND BOUND", "CONTRACT")
        unplanned = [
            (name, f"{use.role} {use.bound}".strip(), plan.contracts.get(name, "the router's own"))
            for name, use in uses.items()
        ]
        return [paint("metrics", "bold"), *table(short_header, unplanned, wide)]
    header = ("METRIC", "ROLE AND BOUND", "CONTRACT", "NEEDS", "TIME", "REACHES")
    planned = [
        (
            metric.metric,
            f"{metric.role} {uses[metric.metric].bound if metric.metric in uses else ''}".strip(),
            "holds" if metric.holds else paint("broken", "red", "bold"),
            _count(metric.required_sample) if metric.required_sample is not None else "-",
            _time(metric.days) if metric.days is not None else "-",
            _reaches(metric.reachable),
        )
        for metric in plan.analysis.metrics
    ]
    lines = [paint("metrics", "bold"), *table(header, planned, wide)]
    for metric in plan.analysis.metrics:
        lines += _remarks(metric, wide)
    return lines


def _remarks(metric: PlannedMetric, wide: int) -> list[str]:
    return wrapped(f"  {metric.metric}: ", metric.message, wide) if metric.message else []


def _reaches(reachable: Reachable | None) -> str:
    """The smallest effect that would be found with the planned power."""
    if reachable is None:
        return "-"
    return percent(reachable.relative) if reachable.relative is not None else f"{reachable.absolute:.4g} abs."


def _ledger(ledger: Ledger, paint: Paint, wide: int) -> list[str]:
    title = f"{paint('ledger', 'bold')} · {ledger.asked} asked, {ledger.free} free for it"
    rows = [(holder.name, holder.arm, holder.share) for holder in ledger.holders]
    rows += [("stable's floor", "stable", ledger.floor)]
    said = paragraph(f"All experiments of the endpoint together may hold {ledger.most}.", wide)
    return [title, *table(("HOLDER", "FOR", "SHARE"), rows, wide), *said]


def _reviews(plan: Planned, paint: Paint, wide: int) -> list[str]:
    found = plan.reviewing
    more = f", {found.missing} more needed" if found.missing else ""
    given = f"{len(found.approvals)} of {several(found.needed, 'approval')} that count{more}"
    lines = [f"{paint('reviews', 'bold')} · {given if found.needed else 'none needed'}"]
    for one in found.said:
        counts = " (does not count: one's own)" if _is_own(plan, one.reviewer, one.verdict) else ""
        lines += item(f"{one.verdict} by {one.reviewer}{counts}" + (f": {one.reason}" if one.reason else ""), wide)
    return lines


def _is_own(plan: Planned, reviewer: str, verdict: str) -> bool:
    own = (plan.experiment.owner, plan.experiment.decision_maker)
    return verdict == "Approve" and reviewer in own and reviewer not in plan.reviewing.approvals


def _points(title: str, said: tuple[str, ...], paint: Paint, wide: int) -> list[str]:
    return [paint(title, "bold"), *(line for text in said for line in item(text, wide))] if said else []


def _next(plan: Planned, paint: Paint) -> list[str]:
    experiment = plan.experiment
    if not experiment.uid:
        return [paint("next", "bold"), "    kubectl apply -f FILE"]
    if experiment.phase not in ("Draft", "InReview") or not plan.can_start:
        return []
    verb = "start" if experiment.desired != "Running" else "approve" if plan.reviewing.missing else "watch"
    return [paint("next", "bold"), f"    kubectl crossfade {verb} exp/{experiment.name} -n {experiment.namespace}"]


def _count(number: float) -> str:
    return f"{number:,.0f}"
