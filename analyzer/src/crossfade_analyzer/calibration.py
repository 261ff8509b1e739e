"""Choosing the latency bounds that are tested, from control's own traffic, before they are tested."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crossfade_analyzer.sources.raw import RawSource
from crossfade_analyzer.sources.selectors import one_of, quoted

MIN_REQUESTS = 1_000
HISTORY_MS = 24 * 3_600_000
_TAILS = (0.5, 0.1, 0.01)  # shares of requests slower than control's p50, p90, p99


@dataclass(frozen=True)
class Calibration:
    """What the bounds were chosen from: control's requests, and how many were slower than each bound."""

    bounds: tuple[str, ...]
    requests: int
    slower: Mapping[str, int]
    start: int
    end: int

    def nearest_to(self, tail: float) -> str:
        """The one bound nearest (in log odds) to where a share `tail` of control's requests is slower."""
        odds = {bound: _log_odds((self.slower[bound] + 0.5) / (self.requests + 1)) for bound in self.bounds}
        return min(odds, key=lambda bound: abs(odds[bound] - _log_odds(tail)))

    def body(self) -> dict[str, Any]:
        return {
            "bounds": list(self.bounds),
            "requests": self.requests,
            "slower": dict(self.slower),
            "start": self.start,
            "end": self.end,
        }


def choose(requests: int, slower: Mapping[str, int]) -> tuple[str, ...]:
    """The bounds nearest (in log odds) to control's p50, p90 and p99, in the order given, each once.

    A bound that every request exceeds cannot show harm. One that fewer than 10 requests exceeded is used only when
    there is no other: nothing could be proven at it.
    """
    able = {bound: count for bound, count in slower.items() if count < requests} or dict(slower)
    telling = {bound: count for bound, count in able.items() if count >= 10} or able
    odds = {bound: _log_odds((count + 0.5) / (requests + 1)) for bound, count in telling.items()}
    chosen = {min(odds, key=lambda bound: abs(odds[bound] - _log_odds(tail))) for tail in _TAILS}
    return tuple(bound for bound in slower if bound in chosen)


def _log_odds(share: float) -> float:
    return math.log(share / (1 - share))


def calibrate(
    source: RawSource, endpoint: str, control: str, bounds: tuple[str, ...], start_ms: int, end_ms: int
) -> Calibration | None:
    """Choose among `bounds` from control's requests between two instants; `None` with too few of them.

    Counter values at both instants are enough here: exactness matters for what is tested, not for where.
    """
    names = one_of(("envoy_crossfade_requests", "envoy_crossfade_slower"))
    selector = f"{{__name__=~{names},model_endpoint={quoted(endpoint)},arm={quoted(control)}}}"
    earlier = {frozenset(labels.items()): value for labels, value in source.instant(selector, start_ms).values}
    requests, slower = 0, dict.fromkeys(bounds, 0)
    for labels, value in source.instant(selector, end_ms).values:
        before = earlier.get(frozenset(labels.items()), 0.0)
        if not math.isfinite(value) or not math.isfinite(before):
            continue
        count = int(value - before if value >= before else value)
        if labels["__name__"] == "envoy_crossfade_requests":
            requests += count
        elif labels.get("bound") in slower:
            slower[labels["bound"]] += count
    if requests < MIN_REQUESTS:
        return None
    return Calibration(choose(requests, slower), requests, slower, start_ms, end_ms)
