"""Progress lines: one per step, with the time it took."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    """Print one line about what happens. Standard output stays free for results such as paths."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(name: str, *, expect: str = "") -> Iterator[None]:
    """Show that ``name`` is under way, then how long it took, or that it failed.

    On a terminal the first line is overwritten by the second; elsewhere only slow steps, those with an
    ``expect`` such as "about 8 min", announce themselves.
    """
    on_terminal = sys.stderr.isatty()
    announcement = f"  … {name}{f' ({expect})' if expect else ''}"
    if on_terminal:
        print(announcement, end="", file=sys.stderr, flush=True)
    elif expect:
        say(announcement)
    started = time.monotonic()
    mark = "✗"
    try:
        yield
        mark = "✓"
    finally:
        overwrite = "\r\033[K" if on_terminal else ""
        say(f"{overwrite}  {mark} {name}  {time.monotonic() - started:.1f} s")
