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


class Place:
    """What lies between the lines `<!-- NAME -->` and `<!-- /NAME -->` of a document; around it people write.

    Raises `ValueError` when the document has no such lines, so that nothing is measured in vain.
    """

    def __init__(self, document: Path, name: str) -> None:
        self._document = document
        self._begin, self._end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        self._pattern = re.compile(f"{re.escape(self._begin)}.*?{re.escape(self._end)}", re.DOTALL)
        if not document.exists() or not self._pattern.search(document.read_text()):
            raise ValueError(
                f"{document} has no place for these figures: "
                f"add the lines {self._begin.strip()} and {self._end} where they belong"
            )

    def fill(self, text: str) -> None:
        """Replace what was there."""
        filled = f"{self._begin}{text}{self._end}"
        self._document.write_text(self._pattern.sub(lambda _: filled, self._document.read_text()))
