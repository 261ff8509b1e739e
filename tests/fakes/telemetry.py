"""A controller's telemetry that keeps what it was told."""

from __future__ import annotations

from typing import Any


class FakeTelemetry:
    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def tell(*args: Any, **kwargs: Any) -> None:
            self.told.append((name, args, kwargs))

        return tell
