"""`watch`: a page redrawn in place on a terminal, a line per change everywhere else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, Protocol, TextIO, TypeVar

from crossfade_operator.cli.client import Cluster
from crossfade_operator.cli.names import Named
from crossfade_operator.cli.paint import Paint
from crossfade_operator.cli.values import Obj

_REDRAW_SECONDS = 2
_LINE_SECONDS = 60
_CLEAR_LINE, _CLEAR_BELOW = "\x1b[K", "\x1b[J"


class Ending(Protocol):
    """What is watched, as a person sees it."""

    @property
    def ended(self) -> bool:
        """Nothing more will happen without a change."""


Shown = TypeVar("Shown", bound=Ending)


@dataclass(frozen=True)
class Sight(Generic[Shown]):
    """How one kind is shown: a page of so many columns, and a line that begins with the time."""

    read: Callable[[Obj], Shown]
    page: Callable[[Shown, Paint, datetime, int], list[str]]
    line: Callable[[Shown, datetime], str]


class Screen:
    """Draws a page over the one before, without flicker and without clearing what was above it."""

    def __init__(self, stream: TextIO, size: Callable[[], tuple[int, int]] = shutil.get_terminal_size) -> None:
        self._stream, self._size, self._drawn = stream, size, 0

    @property
    def wide(self) -> int:
        return min(self._size()[0], 120)

    def draw(self, lines: list[str]) -> None:
        shown = lines[: max(1, self._size()[1] - 1)]
        up = f"\x1b[{self._drawn}A\r" if self._drawn else ""
        self._stream.write(up + "".join(f"{text}{_CLEAR_LINE}\n" for text in shown) + _CLEAR_BELOW)
        self._stream.flush()
        self._drawn = len(shown)


def watch(cluster: Cluster, named: Named, sight: Sight[Shown], out: TextIO, *, until_done: bool) -> Shown:
    """Show it until the person stops, it is deleted, or, with `until_done`, it has ended; return its last state."""
    show = _redrawn(sight, out) if out.isatty() else _line_by_line(sight, out)
    seconds = _REDRAW_SECONDS if out.isatty() else _LINE_SECONDS
    while True:
        for obj in cluster.changes(named.kind, named.name, seconds):
            shown = sight.read(obj)
            show(shown)
            if until_done and shown.ended:
                return shown


def _redrawn(sight: Sight[Shown], out: TextIO) -> Callable[[Shown], None]:
    screen, paint = Screen(out), Paint.for_stream(out)

    def show(shown: Shown) -> None:
        screen.draw(sight.page(shown, paint, datetime.now(UTC), screen.wide))

    return show


def _line_by_line(sight: Sight[Shown], out: TextIO) -> Callable[[Shown], None]:
    last = ""

    def show(shown: Shown) -> None:
        nonlocal last
        text = sight.line(shown, datetime.now(UTC))
        said = text.split("  ", 1)[1]
        if said != last:
            print(text, file=out, flush=True)
        last = said

    return show
