"""Words on lines: wrapping, spans of time, tables that turn into paragraphs where a terminal is narrow."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from crossfade_operator.cli.paint import columns, width


def wrapped(start: str, text: str, wide: int, *, indent: int | None = None) -> list[str]:
    """`start` and `text` on lines of at most `wide` columns; further lines are indented under the text."""
    if "\x1b" in text:
        return [start + text]
    return textwrap.wrap(
        text,
        max(wide, len(start) + 20),
        initial_indent=start,
        subsequent_indent=" " * (min(len(start), 12) if indent is None else indent),
        break_long_words=False,
        break_on_hyphens=False,
    )


def paragraph(text: str, wide: int, indent: int = 2) -> list[str]:
    """A paragraph, all of it indented."""
    return wrapped(" " * indent, text, wide, indent=indent)


def sentence(text: str, wide: int | None, start: str = "", indent: int = 0) -> str:
    """For a terminal of so many columns; whole for None, and where a command stands in it that one may copy."""
    if wide is None or "kubectl" in text:
        return start + text
    return "\n".join(wrapped(start, text, wide, indent=indent))


def item(text: str, wide: int, indent: int = 2) -> list[str]:
    """An item of a list, with a dash."""
    return wrapped(" " * indent + "- ", text, wide, indent=indent + 2)


def blocks(parts: Iterable[list[str]]) -> list[str]:
    """Parts with an empty line between them; empty parts are left out."""
    lines: list[str] = []
    for part in parts:
        lines += ([""] if lines and part else []) + part
    return lines


def table(header: Sequence[str], rows: Sequence[Sequence[str]], wide: int) -> list[str]:
    """Rows under a header; where that is wider than `wide`, a paragraph for each row, led by its first cell."""
    lines = [f"  {line}" for line in columns([header, *rows])]
    if max(map(width, lines)) <= wide:
        return lines
    return [line for row in rows for line in _stacked(header, row, wide)]


def fitting(rows: Sequence[Sequence[str]], wide: int | None, dispensable: Sequence[str]) -> list[str]:
    """Rows under their header, without the first of the `dispensable` columns as far as `wide` asks for it."""
    lines = columns(rows)
    if wide is None or max(map(width, lines)) <= wide or not dispensable:
        return lines
    first, *others = dispensable
    kept = [i for i, name in enumerate(rows[0]) if name != first]
    return fitting([[row[i] for i in kept] for row in rows], wide, others)


def _stacked(header: Sequence[str], row: Sequence[str], wide: int) -> Iterator[str]:
    yield f"  {row[0]}"
    line = ""
    for name, cell in zip(header[1:], row[1:], strict=True):
        part = f"{name.lower()} {cell}"
        if line and width(line) + width(part) + 7 > wide:
            yield f"    {line}"
            line = ""
        line += (" · " if line else "") + part
    if line:
        yield f"    {line}"


def cut(text: str, columns: int | None) -> str:
    """`text` in at most so many columns, the end replaced by `…`; all of it for None."""
    if columns is None or len(text) <= columns:
        return text
    return text[: max(columns - 1, 0)].rstrip() + "…"


def span(time: timedelta) -> str:
    """`75 s` as `1m15s`: the two largest units."""
    seconds = max(0, int(time.total_seconds()))
    units = (("d", seconds // 86400), ("h", seconds // 3600 % 24), ("m", seconds // 60 % 60), ("s", seconds % 60))
    first = next((i for i, (_, number) in enumerate(units) if number), len(units) - 1)
    return "".join(f"{number}{unit}" for unit, number in units[first : first + 2] if number) or "0s"


def moment(time: datetime | None) -> str:
    """`2026-11-22 10:00 UTC`: the same for everyone who reads a record."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if time else "an unknown time"


def percents(*values: float, signed: bool = False) -> list[str]:
    """Fractions for people, with as many places as tell the largest from zero: `+1.8%`, `0.03%`."""
    size = max(abs(value) for value in values) * 100
    places = 1 if size >= 0.95 or size == 0 else 2 if size >= 0.095 else 3 if size >= 0.0095 else 5
    return [f"{value * 100:{'+' if signed else ''}.{places}f}%" for value in values]


def percent(value: float, *, signed: bool = False) -> str:
    """A fraction for people."""
    return percents(value, signed=signed)[0]


def several(count: int, noun: str) -> str:
    """`1 review`, `2 reviews`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(words: Sequence[str], joint: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = words
    return f"{', '.join(most)} {joint} {last}" if most else last


def short(digest: str | None) -> str:
    """A digest that people can compare by eye."""
    return "-" if not digest else f"{digest[:15]}…" if len(digest) > 20 else digest
