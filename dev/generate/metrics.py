"""`docs/reference/metrics.md`: the controller's metrics, from their declarations."""

from __future__ import annotations

from crossfade_operator.telemetry import reference

PATH = "docs/reference/metrics.md"


def files() -> dict[str, str]:
    """The one page."""
    return {PATH: reference()}
