"""Fields of objects as the API server gives them, read leniently: what is absent is None or empty."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

Obj = Mapping[str, Any]


def time(text: str | None) -> datetime | None:
    """An RFC 3339 time."""
    return datetime.fromisoformat(text) if text else None


def number(value: Any) -> float | None:
    """A number that may be written as a string."""
    return None if value is None or value == "" else float(value)
