"""How a process that lives for months keeps its memory: few searches for garbage, and what was freed goes back."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Callable

COLLECT_AFTER = (20_000, 20, 20)
"""When Python looks for cyclic garbage, as for `gc.set_threshold`. A page of a list parses into tens of thousands of
objects that all live on; with Python's 700 looking at them again and again takes five times as long as parsing."""
GIVE_BACK_EVERY = 60.0
"""Seconds. Once costs some milliseconds."""


def collect_rarely() -> None:
    """Look for cyclic garbage less often, and never at what was imported."""
    gc.set_threshold(*COLLECT_AFTER)
    gc.freeze()


async def give_back(every: float = GIVE_BACK_EVERY) -> None:
    """Hand freed memory back to the system from time to time, until cancelled.

    glibc keeps what lies between blocks in use: a tenth of a controller that has just brought 500 rollouts to rest.
    Another C library has no such call, and nothing is done.
    """
    trim = _malloc_trim()
    while trim is not None:
        await asyncio.sleep(every)
        trim(0)


def _malloc_trim() -> Callable[[int], int] | None:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
