"""Which latency bounds are tested."""

from __future__ import annotations

import pytest

from crossfade_analyzer.calibration import choose

CASES = {
    "nearest to p50, p90 and p99": ({"5ms": 990, "25ms": 480, "50ms": 120, "1s": 11}, ("25ms", "50ms", "1s")),
    "one bound may serve two": ({"25ms": 500, "100ms": 15}, ("25ms", "100ms")),
    "a bound that everybody exceeds shows nothing": ({"5ms": 1000, "25ms": 100}, ("25ms",)),
    "a bound that hardly anybody exceeds proves nothing": ({"25ms": 500, "100ms": 60, "1s": 3}, ("25ms", "100ms")),
    "if all requests are fast, the lowest": ({"5ms": 0, "25ms": 0}, ("5ms",)),
    "if all are slow, the lowest": ({"5ms": 1000, "25ms": 1000}, ("5ms",)),
}  # fmt: skip


@pytest.mark.parametrize(("slower", "bounds"), CASES.values(), ids=CASES)
def test_choose(slower: dict[str, int], bounds: tuple[str, ...]) -> None:
    assert choose(1000, slower) == bounds
