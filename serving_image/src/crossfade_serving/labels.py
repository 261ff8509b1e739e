"""Who a request belongs to: the arm and the analysis bucket that the router states in headers.

Both become metric labels, so both are taken only from a fixed set: anything else is ``none``. A client that invents
header values cannot create series.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

NONE = "none"
ARM_HEADER = "x-arm"
BUCKET_HEADER = "x-abucket"
REQUEST_ID_HEADER = "x-request-id"
BUCKETS = frozenset([*(str(bucket) for bucket in range(100)), "forced"])


class Assignment(NamedTuple):
    """The arm and the analysis bucket of a request."""

    arm: str
    abucket: str


class Assignments:
    """Reads assignments from request headers."""

    def __init__(self, arms: Iterable[str]) -> None:
        """Accept these arms and the router's analysis buckets."""
        self._arms = frozenset(arms)

    def of(self, headers: Mapping[str, str]) -> Assignment:
        """Return the assignment that the headers (names in lower case) state, ``none`` for what is not known."""
        arm, bucket = headers.get(ARM_HEADER, NONE), headers.get(BUCKET_HEADER, NONE)
        return Assignment(arm if arm in self._arms else NONE, bucket if bucket in BUCKETS else NONE)
