"""Time. Decisions take it as a value; only the runtime asks for it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The time now, UTC, with an offset, cut to microseconds."""
