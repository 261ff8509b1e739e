"""What the demo shows: headings, lines that stay, and on a terminal one line that is redrawn while something runs."""

from __future__ import annotations

import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from crossfade_operator.cli.paint import Paint, width
from crossfade_operator.cli.text import wrapped

_QUIET_SECONDS = 10.0
"""Where lines cannot be redrawn, a changing one is printed this often."""


class Show:
    """Writes to `out`; `now` is a clock in seconds."""

    def __init__(self, out: TextIO | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._out = out or sys.stdout
        self._now = now
        self._live = False
        self._printed_at = float("-inf")
        self.redraws = self._out.isatty()
        self.paint = Paint.for_stream(self._out)

    @property
    def wide(self) -> int:
        return max(60, min(100, shutil.get_terminal_size().columns))

    def heading(self, text: str) -> None:
        """The beginning of an act."""
        self.say("")
        self.say(self.paint(f"── {text} {'─' * max(2, self.wide - width(text) - 4)}", "bold"))

    def command(self, text: str) -> None:
        """What a person would type for what happens now."""
        self.say(f"  {self.paint('$', 'dim')} {self.paint(text, 'cyan')}")

    def prose(self, text: str) -> None:
        """A paragraph."""
        for part in textwrap.wrap(text, self.wide - 2):
            self.say(f"  {part}")

    def done(self, text: str) -> None:
        self._marked("✓", "green", text)

    def failed(self, text: str) -> None:
        self._marked("✗", "red", text)

    def _marked(self, mark: str, colour: str, text: str) -> None:
        first, *more = wrapped(f"  {mark} ", text, self.wide)
        for line in (first.replace(mark, self.paint(mark, colour, "bold"), 1), *more):
            self.say(line)

    def lines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.say(f"  {line}" if line else "")

    def say(self, text: str) -> None:
        """A line that stays."""
        self._wipe()
        print(text, file=self._out, flush=True)

    def live(self, text: str) -> None:
        """The state of what runs: redrawn on a terminal, printed now and then elsewhere."""
        if self.redraws:
            self._wipe()
            shown = text if width(text) <= self.wide - 4 else text[: self.wide - 5] + "…"
            self._out.write(f"    {self.paint(shown, 'dim')}")
            self._out.flush()
            self._live = True
        elif self._now() - self._printed_at >= _QUIET_SECONDS:
            self._printed_at = self._now()
            print(f"    {text}", file=self._out, flush=True)

    def _wipe(self) -> None:
        if self._live:
            self._out.write("\r\x1b[K")
            self._live = False
