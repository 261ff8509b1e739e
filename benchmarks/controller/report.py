"""Figures as Markdown, and their place in a document."""

from __future__ import annotations

import os
import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path


def load_average() -> float:
    """Processes that ran or wanted to, averaged over the last minute."""
    return os.getloadavg()[0]


def spread(seconds: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f}-{max(seconds):.2f})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; the first column holds names."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def write(document: Path, name: str, text: str) -> None:
    """Replace what lies between the marks `<!-- NAME -->` and `<!-- /NAME -->` of the document.

    Raises `ValueError` when it has no such marks: what is around the figures is written by hand.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    before = document.read_text() if document.exists() else ""
    if not pattern.search(before):
        raise ValueError(
            f"{document} has no place for these figures: add the lines {begin} and {end} where they belong"
        )
    document.write_text(pattern.sub(lambda _: f"{begin}\n{text}{end}", before))
