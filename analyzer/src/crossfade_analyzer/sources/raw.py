"""Raw samples as Prometheus stores them, and what a source of them must be able to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from crossfade_analyzer.statistics.native_histogram import Bucket


@dataclass(frozen=True)
class Histogram:
    """A native histogram at one scrape: all its observations, and its buckets that have some, (above, up to, count)."""

    count: float
    buckets: tuple[Bucket, ...]


@dataclass(frozen=True)
class Series:
    """One series: its labels and its samples, (milliseconds since the epoch, value), oldest first.

    Values are floats as scraped, NaN and infinities included. `__name__` is one of the labels. The samples of a native
    histogram are in `histograms`.
    """

    labels: Mapping[str, str]
    samples: tuple[tuple[int, float], ...]
    histograms: tuple[tuple[int, Histogram], ...] = ()

    @property
    def name(self) -> str:
        return self.labels.get("__name__", "")


@dataclass(frozen=True)
class Vector:
    """An instant vector: when it was evaluated (by the server's clock), and one value per series."""

    at_ms: int | None
    values: tuple[tuple[Mapping[str, str], float], ...]


class RawSource(Protocol):
    """Reads raw samples. Every failure is an `EvidenceFault`, never an empty answer."""

    def raw(self, selector: str, start_ms: int, end_ms: int) -> tuple[Series, ...]:
        """Every stored sample of the selector's series with start <= time <= end."""

    def instant(self, query: str, at_ms: int | None = None) -> Vector:
        """A query evaluated at an instant; without one at the server's present time."""

    def steps(self, query: str, start_ms: int, end_ms: int, step_ms: int) -> tuple[Series, ...]:
        """A query evaluated at start, start + step and so on until end: in one question, and read once."""
