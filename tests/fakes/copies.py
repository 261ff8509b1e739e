"""A copy of what JSON can hold: an API server hands out no part of what it stores, and random worlds ask it often."""

from __future__ import annotations

from typing import Any, TypeVar, cast

J = TypeVar("J")


def copied(value: J) -> J:
    """As `copy.deepcopy` of JSON values, several times faster."""
    return cast("J", _copied(value))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_copied(part) for part in value]
    return value
