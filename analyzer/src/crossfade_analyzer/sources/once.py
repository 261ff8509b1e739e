"""A source that is asked nothing twice."""

from __future__ import annotations

from crossfade_analyzer.sources.raw import RawSource, Series, Vector


class Once:
    """A `RawSource` that keeps its answers about instants: one plan's metrics share their denominators.

    It is for one question alone, for it never forgets.
    """

    def __init__(self, source: RawSource) -> None:
        self._source = source
        self._answers: dict[tuple[str, int], Vector] = {}

    def raw(self, selector: str, start_ms: int, end_ms: int) -> tuple[Series, ...]:
        return self._source.raw(selector, start_ms, end_ms)

    def instant(self, query: str, at_ms: int | None = None) -> Vector:
        if at_ms is None:
            return self._source.instant(query)
        if (query, at_ms) not in self._answers:
            self._answers[query, at_ms] = self._source.instant(query, at_ms)
        return self._answers[query, at_ms]
