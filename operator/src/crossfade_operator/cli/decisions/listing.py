"""Decisions in a table: newest first, one line each, the reason in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from crossfade_operator.cli.decisions.view import Decision
from crossfade_operator.cli.paint import Paint, columns, width
from crossfade_operator.cli.text import cut

_ENOUGH = 30
"""Columns that a reason needs to say something."""

_STYLES = {
    "Promote": ("green", "bold"),
    "Ship": ("green", "bold"),
    "Rollback": ("red", "bold"),
    "Abort": ("red",),
    "Invalidate": ("red",),
}


def table(decisions: Sequence[Decision], paint: Paint, columns_wide: int | None, *, namespaces: bool) -> list[str]:
    """One line per decision under a header, cut to so many columns; whole for None. A narrow one has no column BY."""
    rows: list[tuple[str, ...]] = [("WHEN (UTC)", "DECISION", "ACTION", "BY")]
    rows += [_row(decision, paint, namespaces=namespaces) for decision in decisions]
    left = _left(rows, columns_wide)
    if left is not None and left < _ENOUGH:
        rows = [row[:-1] for row in rows]
        left = max(_left(rows, columns_wide) or 0, 10)
    texts = ["WHY", *(why(decision) for decision in decisions)]
    return columns([(*row, cut(text, left)) for row, text in zip(rows, texts, strict=True)])


def _left(rows: Sequence[tuple[str, ...]], columns_wide: int | None) -> int | None:
    """Columns that are left for the reason."""
    return None if columns_wide is None else columns_wide - max(map(width, columns([(*row, "|") for row in rows]))) + 1


def why(decision: Decision) -> str:
    """What makes it worth a second look first, then its reason."""
    marks = [f"DISSENT {note.reviewer}" for note in decision.dissent]
    marks += [f"AGAINST {decision.recommendation or 'the rule'}"] if decision.against else []
    said = decision.rationale or decision.message or decision.reason
    return f"{', '.join(marks)}: {said}" if marks else said


def _row(decision: Decision, paint: Paint, *, namespaces: bool) -> tuple[str, ...]:
    when = f"{decision.at.astimezone(UTC):%Y-%m-%d %H:%M}" if decision.at else "-"
    name = f"{decision.namespace}/{decision.name}" if namespaces else decision.name
    return when, name, paint(decision.action, *_STYLES.get(decision.action, ())), decision.actor
