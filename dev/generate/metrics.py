"""`docs/reference/metrics.md`: both controllers' metrics, from their declarations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crossfade_operator import telemetry, telemetry_experiments
from crossfade_operator.telemetry import PROCESS, Declared

PATH = "docs/reference/metrics.md"

INTRODUCTION = """\
# Metrics of the controllers

Generated from `operator/src/crossfade_operator/telemetry.py` and `telemetry_experiments.py`; do not edit. Served as
Prometheus text at `/metrics` on port 8080, by the active controller and by one that stands by (its `crossfade_leader`
is 0). The process metrics of the Prometheus client (`process_*`) are there too.
"""


def files() -> dict[str, str]:
    """The one page."""
    serving = [one for one in telemetry.DECLARED if one not in PROCESS]
    learning = [one for one in telemetry_experiments.DECLARED if one not in PROCESS]
    lines = [
        INTRODUCTION,
        *_table("The serving controller", serving),
        *_table("The learning controller", learning),
        *_table("Both, of themselves", PROCESS),
    ]
    return {PATH: "\n".join(lines)}


def _table(title: str, declared: Sequence[Declared]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| metric | kind | labels | meaning |"
    yield "|---|---|---|---|"
    for one in declared:
        labels = ", ".join(f"`{label}`" for label in one.labels) or "–"
        yield f"| `{one.name}` | {one.kind.__name__.lower()} | {labels} | {one.help} |"
    yield ""
