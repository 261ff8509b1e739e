"""Waiting for a condition with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

from dev.cluster.errors import ClusterError

T = TypeVar("T")


class NotYetError(Exception):
    """Raised by a check that does not hold yet; its text says what was seen instead."""


def wait_for(what: str, check: Callable[[], T], *, timeout: float, interval: float = 0.1, hint: str = "") -> T:
    """Call ``check`` until it returns without raising ``NotYetError``, and return its value.

    Args:
        what: the awaited state, as in "waited 10 s for <what>".
        timeout: seconds; at least one check is made.
        interval: seconds between two checks.
        hint: where to look when it fails.

    Raises:
        ClusterError: the deadline passed; the message holds what the last check saw.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            return check()
        except NotYetError as seen:
            if time.monotonic() >= deadline:
                raise ClusterError(f"waited {timeout:.0f} s for {what}, but saw: {seen}", hint) from seen
        time.sleep(interval)
