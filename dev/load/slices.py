"""Counting by slice, as the client sees it: who was served how, in and outside an experiment's arms."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossfade_operator.core.assignment import assign

OTHERS = "others"
"""Everybody who is in none of the slices."""


@dataclass(frozen=True)
class Slices:
    """Which users are in which slice: the endpoint's salt, and for each name its ranges of positions, ends included."""

    salt: str
    ranges: Mapping[str, tuple[tuple[int, int], ...]]

    @classmethod
    def read(cls, path: Path) -> Slices:
        """From `{"salt": "…", "slices": {"treatment": [[0, 49], [100, 149]]}}`; raises ValueError with a sentence."""
        try:
            content = json.loads(path.read_text())
            ranges = {
                str(name): tuple((int(first), int(last)) for first, last in spans)
                for name, spans in content["slices"].items()
            }
            return cls(str(content["salt"]), ranges)
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path} does not describe slices ({error}): see dev/load/slices.py") from error

    def of(self, unit: str) -> str:
        """The slice of a unit, or `OTHERS`."""
        position = assign(self.salt, unit).position
        for name, spans in self.ranges.items():
            if any(first <= position <= last for first, last in spans):
                return name
        return OTHERS


@dataclass
class OneSlice:
    """What the users of one slice met. `failed` are failures of delivery, as for the whole load."""

    requests: int = 0
    failed: int = 0
    models: Counter[str] = field(default_factory=Counter)
    latencies: Counter[int] = field(default_factory=Counter)

    def add(self, model: str, bin_of_latency: int, *, failed: bool) -> None:
        self.requests += 1
        self.failed += failed
        self.models[model] += 1
        self.latencies[bin_of_latency] += 1

    def summary(self) -> dict[str, Any]:
        """Plain JSON; bins are those of `tally.Latencies`, so that two summaries can be subtracted."""
        return {
            "requests": self.requests,
            "failed": self.failed,
            "models": dict(self.models),
            "latency_bins": {str(number): count for number, count in sorted(self.latencies.items())},
        }
