"""Who a request belongs to: the arm and the analysis bucket that the router states in headers.

Both become metric labels, so both are bounded. An arm is one of a fixed list, or an experiment's, `<experiment>.<arm>`:
of those a server takes up the first `MOST_EXPERIMENT_ARMS` that it sees. Anything else is ``none``. A client that
invents header values cannot create series without end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from crossfade_serving import logs

NONE = "none"
ARM_HEADER = "x-arm"
BUCKET_HEADER = "x-abucket"
REQUEST_ID_HEADER = "x-request-id"
BUCKETS = frozenset([*(str(bucket) for bucket in range(100)), "forced"])

EXPERIMENT_ARM = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?\.[a-z]([-a-z0-9]{0,18}[a-z0-9])?")
"""The names of an experiment and of an arm of it, at most 40 and 20 characters."""
MOST_EXPERIMENT_ARMS = 32
"""An arm's own pods see one; the stable revision's see those whose pods failed while it stood in for them."""


class Assignment(NamedTuple):
    """The arm and the analysis bucket of a request."""

    arm: str
    abucket: str


class Assignments:
    """Reads assignments from request headers."""

    def __init__(self, arms: Iterable[str]) -> None:
        """Accept these arms, arms of experiments as they come, and the router's analysis buckets."""
        self._arms = set(arms)
        self._room = MOST_EXPERIMENT_ARMS

    def of(self, headers: Mapping[str, str]) -> Assignment:
        """Return the assignment that the headers (names in lower case) state, ``none`` for what is not known."""
        arm, bucket = headers.get(ARM_HEADER, NONE), headers.get(BUCKET_HEADER, NONE)
        known = arm in self._arms or self._takes_up(arm)
        return Assignment(arm if known else NONE, bucket if bucket in BUCKETS else NONE)

    def _takes_up(self, arm: str) -> bool:
        if not self._room or not EXPERIMENT_ARM.fullmatch(arm):
            return False
        self._arms.add(arm)
        self._room -= 1
        if not self._room:
            logs.warning("no further arm of an experiment gets metrics of its own until a restart", last=arm)
        return True
