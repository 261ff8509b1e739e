"""Colours and columns for terminals; plain text everywhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Paint:
    """Colours text when `on`; says nothing by colour alone."""

    on: bool = False

    @classmethod
    def for_stream(cls, stream: TextIO) -> Paint:
        """On for a terminal that does not ask otherwise (NO_COLOR, TERM=dumb)."""
        wanted = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        return cls(on=stream.isatty() and wanted)

    def __call__(self, text: str, *styles: str) -> str:
        if not self.on or not styles or not text:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"


def width(text: str) -> int:
    """Columns that `text` takes, escapes left out."""
    return len(_ESCAPE.sub("", text))


def columns(rows: Sequence[Sequence[str]], *, gap: int = 2) -> list[str]:
    """Rows of cells as aligned lines; the last column is not padded."""
    if not rows:
        return []
    widths = [max(width(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "".join(
            cell if i == len(row) - 1 else cell + " " * (widths[i] - width(cell) + gap) for i, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]
