"""Rollouts as text: a table for many, a page for one, a line for what changed. Pure: the time now is an argument."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from crossfade_operator.api.quantities import Duration
from crossfade_operator.cli.paint import Paint
from crossfade_operator.cli.rollouts.view import Decision, Metric, Rollout
from crossfade_operator.cli.text import blocks, fitting, span, wrapped
from crossfade_operator.cli.text import table as figures
from crossfade_operator.core.reasons import Reason

_PHASE_STYLES = {
    "Promoted": ("green",),
    "RolledBack": ("red", "bold"),
    "Refused": ("red", "bold"),
    "Progressing": ("cyan",),
    "Initializing": ("cyan",),
    "Holding": ("yellow",),
    "Paused": ("yellow",),
    "AwaitingApproval": ("yellow", "bold"),
}
_VERDICT_STYLES = {"Proven": ("green",), "Harmful": ("red", "bold"), "CannotJudge": ("yellow",)}
_ACTION_STYLES = {"Promote": ("green", "bold"), "Rollback": ("red", "bold"), "Advance": ("cyan",), "Start": ("cyan",)}
_DECISIONS_SHOWN = 8


def table(rollouts: Sequence[Rollout], paint: Paint, now: datetime, wide: int | None, *, namespaces: bool) -> list[str]:
    """One line per rollout, under a header; in `wide` columns the less telling ones are left out."""
    header = ("NAME", "ENDPOINT", "PHASE", "STEP", "SLICE", "STABLE", "CANDIDATE", "VERDICT", "REASON", "AGE")
    rows = [(("NAMESPACE",) if namespaces else ()) + header]
    for rollout in rollouts:
        row = (
            rollout.name,
            rollout.endpoint,
            paint(rollout.phase, *_PHASE_STYLES.get(rollout.phase, ())),
            _step(rollout),
            rollout.slice or "-",
            rollout.stable or "-",
            rollout.candidate or "-",
            paint(rollout.verdict or "-", *_VERDICT_STYLES.get(rollout.verdict or "", ())),
            rollout.reason or "-",
            span(now - rollout.created) if rollout.created else "-",
        )
        rows.append(((rollout.namespace,) if namespaces else ()) + row)
    return fitting(rows, wide, ("STABLE", "REASON", "CANDIDATE", "AGE", "ENDPOINT"))


def page(rollout: Rollout, paint: Paint, now: datetime, wide: int) -> list[str]:
    """Everything about one rollout, at most `wide` columns where words can be wrapped."""
    return blocks((_head(rollout, paint, now, wide), _evidence(rollout, paint, wide), _decisions(rollout, paint, wide)))


def line(rollout: Rollout, now: datetime) -> str:
    """What `watch` prints where lines cannot be redrawn."""
    where = f"step {_step(rollout)} {rollout.slice}".strip() if rollout.candidate else ""
    parts = (
        f"{now.astimezone():%H:%M:%S}",
        f"{rollout.namespace}/{rollout.name}",
        rollout.phase,
        where,
        rollout.verdict or "",
        f"{rollout.reason}: {rollout.message}" if rollout.message else rollout.reason,
    )
    return "  ".join(part for part in parts if part)


def advice(rollout: Rollout) -> str:
    """What the reason means and what to do, in the words of the reference."""
    return Reason.meaning(rollout.reason)


def _head(rollout: Rollout, paint: Paint, now: datetime, wide: int) -> list[str]:
    owner = f" · owner {rollout.owner}" if rollout.owner else ""
    title = f"{paint(f'{rollout.namespace}/{rollout.name}', 'bold')} · endpoint {rollout.endpoint}{owner}"
    rows = [(name, text) for name, text in _facts(rollout, paint, now) if text]
    lines = [title]
    for name, text in rows:
        lines += wrapped(f"  {name:<10}", text, wide)
    return lines


def _facts(rollout: Rollout, paint: Paint, now: datetime) -> Iterator[tuple[str, str]]:
    phase = paint(rollout.phase, *_PHASE_STYLES.get(rollout.phase, ()))
    progress = f" · step {_step(rollout)} · {rollout.slice} of the users" if rollout.candidate and rollout.step else ""
    yield "phase", phase + progress
    yield "reason", f"{rollout.reason}: {rollout.message}" if rollout.message else rollout.reason
    sentence = advice(rollout)
    yield "meaning", paint(sentence if sentence != rollout.message else "", "dim")
    yield "", "" if rollout.settled else paint("The controller has not seen the newest change yet.", "yellow")
    yield "stable", rollout.stable or "none yet"
    yield "candidate", _candidate(rollout, now)
    yield "failed", rollout.failed_revision if rollout.phase == "RolledBack" and rollout.failed_revision else ""
    yield "previous", _previous(rollout, now)
    for decision in rollout.reviews_due:
        how = f"kubectl crossfade approve|dissent decision/{decision} -n {rollout.namespace} -m 'why'"
        yield "review", f"{decision} was an emergency; another person has to review it: {how}"
    yield "pods", f"{rollout.ready_replicas} of {rollout.replicas} ready" if rollout.replicas else ""


def _candidate(rollout: Rollout, now: datetime) -> str:
    if not rollout.candidate:
        return ""
    parts = [rollout.candidate]
    if rollout.stage:
        parts.append(rollout.stage.lower())
    if rollout.step_started_at:
        held = f"step runs for {span(now - rollout.step_started_at)}"
        parts.append(f"{held} of {rollout.hold}, {_left(rollout, now)}" if rollout.hold else held)
    return " · ".join(parts)


def _left(rollout: Rollout, now: datetime) -> str:
    if not rollout.step_started_at or not rollout.hold:
        return ""
    left = rollout.step_started_at + Duration(rollout.hold) - now
    return f"{span(left)} left" if left > timedelta() else "hold is over"


def _previous(rollout: Rollout, now: datetime) -> str:
    if not rollout.previous or not rollout.previous_until or rollout.previous_until <= now:
        return ""
    return f"{rollout.previous} · can be restored for {span(rollout.previous_until - now)}"


def _evidence(rollout: Rollout, paint: Paint, wide: int) -> list[str]:
    if not rollout.metrics:
        return []
    verdict = rollout.verdict or "none yet"
    title = f"{paint('evidence', 'bold')} · verdict {paint(verdict, *_VERDICT_STYLES.get(verdict, ()))}"
    if rollout.looks:
        title += f" · {rollout.looks} looks"
    lines = [title]
    if rollout.requests:
        lines.append(f"  requests  {_requests(rollout)}")
    header = ("METRIC", "ROLE", "VERDICT", "STABLE", "CANDIDATE", "RATIO")
    lines += figures(header, [_metric_row(metric, paint) for metric in rollout.metrics], wide)
    for metric in rollout.metrics:
        if metric.message and metric.verdict != "Proven":
            lines += wrapped(f"  {metric.name}: ", metric.message, wide)
    return lines


def _requests(rollout: Rollout) -> str:
    control, candidate, in_step = rollout.requests or (0, 0, 0)
    wanted = f" of {rollout.min_requests:,} needed" if rollout.min_requests else ""
    return f"stable {control:,} · candidate {candidate:,} · in this step {in_step:,}{wanted}"


def _metric_row(metric: Metric, paint: Paint) -> tuple[str, ...]:
    verdict = paint(metric.verdict or "-", *_VERDICT_STYLES.get(metric.verdict, ()))
    return metric.name, metric.role, verdict, metric.control, metric.candidate, interval(metric)


def interval(metric: Metric) -> str:
    """Candidate over stable, with the interval that holds at all looks at once."""
    if metric.ratio is None:
        return "-"
    if metric.lower is None or metric.upper is None:
        return f"×{metric.ratio:.2f}"
    return f"×{metric.ratio:.2f} [{metric.lower:.2f}, {metric.upper:.2f}]"


def _decisions(rollout: Rollout, paint: Paint, wide: int) -> list[str]:
    if not rollout.decisions:
        return []
    shown = rollout.decisions[-_DECISIONS_SHOWN:]
    more = f" (last {len(shown)} of {len(rollout.decisions)})" if len(shown) < len(rollout.decisions) else ""
    lines = [paint("decisions", "bold") + more]
    for decision in shown:
        lines += _decision(decision, paint, wide)
    return lines


def _decision(decision: Decision, paint: Paint, wide: int) -> list[str]:
    when = f"{decision.at.astimezone():%H:%M:%S}" if decision.at else "-"
    action = paint(f"{decision.action:<9}", *_ACTION_STYLES.get(decision.action, ()))
    where = f"step {decision.step} · {decision.slice}" if decision.step else ""
    first = f"  {when}  {action} {decision.revision}  {where}".rstrip()
    why = f"{decision.reason}: {decision.message}" if decision.message else decision.reason
    evidence = f", evidence {decision.evidence[:15]}…" if decision.evidence else ""
    return [first, *wrapped("            ", f"{why} ({decision.by}{evidence})", wide)]


def _step(rollout: Rollout) -> str:
    return f"{rollout.step}/{rollout.steps}" if rollout.step and rollout.steps else "-"
