"""Scrape targets whose every number a test decides; served over HTTP or scraped by a fake."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping

Key = tuple[str, tuple[tuple[str, str], ...]]


class Exporter:
    """A process with counters. `restart` makes it a new one, whose counters begin anew."""

    content_type = "text/plain; version=0.0.4"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.counters: dict[Key, float | str] = defaultdict(float)
        self.now = now
        self.started = now()
        self.tells_start = True
        self.failing = False
        self.stamps = False  # whether samples carry timestamps of the exporter's own
        self.guard = threading.RLock()

    def add(self, name: str, value: float, **labels: str) -> None:
        with self.guard:
            key = (name, tuple(sorted(labels.items())))
            self.counters[key] = float(self.counters[key]) + value

    def put(self, name: str, value: float | str, **labels: str) -> None:
        """Set a value; text is exposed as it is."""
        with self.guard:
            self.counters[name, tuple(sorted(labels.items()))] = value

    def change(self, new: Callable[[str, dict[str, str], float | str], float | str | None], name: str) -> None:
        """Give every counter of a name a new value; `None` takes it away."""
        with self.guard:
            for key in [key for key in self.counters if key[0] == name]:
                value = new(key[0], dict(key[1]), self.counters[key])
                if value is None:
                    del self.counters[key]
                else:
                    self.counters[key] = value

    def restart(self) -> None:
        with self.guard:
            self.counters.clear()
            self.started = self.now()

    def exposed(self) -> dict[Key, float | str]:
        """What a scrape sees."""
        with self.guard:
            found: dict[Key, float | str] = dict(self.counters)
        if self.tells_start:
            found["process_start_time_seconds", ()] = round(self.started, 3)
        return found

    def body(self) -> bytes:
        """What a scrape sees, as bytes of `content_type`."""
        return self.text().encode()

    def text(self) -> str:
        """What a scrape sees, in Prometheus' text format."""
        stamp = f" {round(self.now() * 1000) - 137}" if self.stamps else ""
        return "".join(f"{name}{_labels(labels)} {value}{stamp}\n" for (name, labels), value in self.exposed().items())


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels) + "}" if labels else ""


class Router(Exporter):
    """Speaks the names of the router's counters for one endpoint."""

    def __init__(self, endpoint: str, now: Callable[[], float] = time.time) -> None:
        super().__init__(now)
        self.endpoint = endpoint

    def served(
        self,
        arm: str,
        bucket: int | str,
        requests: int,
        errors: int = 0,
        slower: Mapping[str, int] | None = None,
        served: str | None = None,
    ) -> None:
        """Count requests of one arm and bucket, some of which failed or were slower than a bound."""
        labels = {"arm": arm, "abucket": str(bucket), "model_endpoint": self.endpoint}
        labels["served"] = served if served is not None else {"candidate": "new"}.get(arm, "old")
        with self.guard:
            self.add("envoy_crossfade_requests", requests, **labels)
            if errors:
                self.add("envoy_crossfade_errors", errors, **labels)
            for bound, count in (slower or {}).items():
                self.add("envoy_crossfade_slower", count, bound=bound, **labels)
