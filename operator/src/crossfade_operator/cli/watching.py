"""`watch`: a page redrawn in place on a terminal, a line per change everywhere else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from crossfade_operator.cli import render
from crossfade_operator.cli.client import Rollouts
from crossfade_operator.cli.paint import Paint
from crossfade_operator.cli.view import Rollout, rollout_of

_REDRAW_SECONDS = 2
_LINE_SECONDS = 60
_CLEAR_LINE, _CLEAR_BELOW = "\x1b[K", "\x1b[J"


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


def watch(rollouts: Rollouts, name: str, out: TextIO, *, until_done: bool) -> Rollout:
    """Show `name` until the person stops, it is deleted, or, with `until_done`, it has ended; return its last state."""
    show = _redrawn(out) if out.isatty() else _line_by_line(out)
    seconds = _REDRAW_SECONDS if out.isatty() else _LINE_SECONDS
    while True:
        for obj in rollouts.changes(name, seconds):
            rollout = rollout_of(obj)
            show(rollout)
            if until_done and rollout.ended:
                return rollout


def _redrawn(out: TextIO) -> Callable[[Rollout], None]:
    screen, paint = Screen(out), Paint.for_stream(out)

    def show(rollout: Rollout) -> None:
        screen.draw(render.page(rollout, paint, datetime.now(UTC), wide=screen.wide))

    return show


def _line_by_line(out: TextIO) -> Callable[[Rollout], None]:
    last = ""

    def show(rollout: Rollout) -> None:
        nonlocal last
        now = datetime.now(UTC)
        text = render.line(rollout, now)
        said = text.split("  ", 1)[1]
        if said != last:
            print(text, file=out, flush=True)
        last = said

    return show
