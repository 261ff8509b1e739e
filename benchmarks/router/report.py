"""Medians with quartiles, as Markdown, and their place in a document."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.router.load import Result

MEASURES: dict[str, Callable[[Result], float]] = {
    "CPU per request": lambda result: result.cpu_us,
    "requests/s": lambda result: result.rps,
    "p50": lambda result: result.p50_us,
    "p99": lambda result: result.p99_us,
}
_ALIKE = 1.25
"""A pair counts when the plain slices before and after cost the same within this factor: else the machine changed."""


@dataclass(frozen=True)
class Count:
    """What was done under load, and what it cost clients."""

    name: str
    requests: int
    failed: int


@dataclass
class Ratios:
    """A variant against the plain Envoy, pair by pair."""

    name: str
    by_measure: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in MEASURES})
    dropped: int = 0

    def add(self, result: Result, before: Result, after: Result) -> None:
        """Compare a slice with its two neighbours, if these are alike."""
        if max(before.cpu_us, after.cpu_us) > _ALIKE * min(before.cpu_us, after.cpu_us):
            self.dropped += 1
            return
        for name, of in MEASURES.items():
            self.by_measure[name].append(of(result) / ((of(before) + of(after)) / 2))

    @property
    def kept(self) -> int:
        return len(next(iter(self.by_measure.values())))

    def cells(self) -> list[str]:
        return [self._cell(values) for values in self.by_measure.values()]

    @staticmethod
    def _cell(values: Sequence[float]) -> str:
        if len(values) < 2:
            return "too noisy"
        low, middle, high = statistics.quantiles(values, n=4)
        return f"×{middle:.2f} [{low:.2f}, {high:.2f}]"


def markdown(machine: str, plain: Sequence[Result], ratios: Sequence[Ratios], counts: Sequence[Count]) -> str:
    """The section's text."""
    base = [statistics.median(of(result) for result in plain) for of in MEASURES.values()]
    lines = [
        f"`python -m benchmarks.router`, {machine}, one worker, model servers that answer at once. Medians [quartiles]",
        "of interleaved pairs with a plain Envoy (one cluster, no metrics); smaller is better but for requests/s.",
        "",
        f"| variant | {' | '.join(MEASURES)} | pairs |",
        f"|---|{'---|' * (len(MEASURES) + 1)}",
        f"| plain Envoy | {base[0]:.0f} µs | {base[1]:,.0f} | {base[2] / 1000:.2f} ms | {base[3] / 1000:.2f} ms | |",
    ]
    for one in ratios:
        pairs = f"{one.kept} of {one.kept + one.dropped}"
        lines.append(f"| {one.name} | {' | '.join(one.cells())} | {pairs} |")
    lines += ["", "| under load | requests | failed |", "|---|---|---|"]
    lines += [f"| {one.name} | {one.requests:,} | {one.failed} |" for one in counts]
    return "\n".join(lines) + "\n"


def instructions_table(counted: Mapping[str, float], base: str) -> str:
    """The section's text."""
    lines = [
        "`python -m benchmarks.router instructions`: instructions of the worker thread per request, in user space,",
        "counted by callgrind. They hardly depend on how busy the machine is. 800 requests each, on 4 connections, to",
        "model servers that answer at once. Requests met none of nine latency bounds, except where the row says so.",
        "",
        "| variant | instructions per request | |",
        "|---|---|---|",
    ]
    for name, count in sorted(counted.items(), key=lambda one: one[1]):
        lines.append(f"| {name} | {count:,.0f} | ×{count / counted[base]:.2f} |")
    return "\n".join(lines) + "\n"


def write_section(document: Path, title: str, text: str) -> None:
    """Replace the section `## title`, or add it at the end."""
    before = document.read_text() if document.exists() else "# Performance\n"
    section = f"## {title}\n\n{text}"
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if pattern.search(before):
        after = pattern.sub(lambda _: f"{section}\n", before)
    else:
        after = f"{before.rstrip()}\n\n{section}"
    document.write_text(after.rstrip() + "\n")
