"""What was played, kept rollout by rollout: an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.detection.play import End

Ends = dict[str, End]
Limit = tuple[float, float] | None


class Record:
    """One JSON document a line: a rollout (`scenario`, `seed`, `ends` by decider), or a `limit` of a scenario."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._rollouts: dict[str, dict[int, Ends]] = {}
        self.limits: dict[str, Limit] = {}
        for line in path.read_text().splitlines() if path is not None and path.exists() else ():
            self._take(json.loads(line))

    def _take(self, entry: dict[str, Any]) -> None:
        name = entry["scenario"]
        if "ends" in entry:
            ends = {decider: End(**values) for decider, values in entry["ends"].items()}
            self._rollouts.setdefault(name, {}).setdefault(entry["seed"], {}).update(ends)
        else:
            self.limits[name] = tuple(entry["limit"]) if entry["limit"] else None

    def add(self, scenario: str, seed: int, ends: Ends) -> None:
        self._write({"scenario": scenario, "seed": seed, "ends": {name: asdict(end) for name, end in ends.items()}})

    def add_limit(self, scenario: str, limit: Limit) -> None:
        self._write({"scenario": scenario, "limit": limit})

    def _write(self, entry: dict[str, Any]) -> None:
        self._take(entry)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps(entry) + "\n")

    def played(self, scenario: str, seed: int) -> bool:
        return seed in self._rollouts.get(scenario, {})

    def scenarios(self) -> list[str]:
        return list(self._rollouts)

    def ends(self, scenario: str) -> dict[str, list[End]]:
        """The ends of every decider, in the order of seeds; some deciders may have played fewer rollouts."""
        found: dict[str, list[End]] = {}
        for _, ends in sorted(self._rollouts.get(scenario, {}).items()):
            for name, end in ends.items():
                found.setdefault(name, []).append(end)
        return found
