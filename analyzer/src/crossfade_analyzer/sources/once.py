"""A source that is asked nothing twice."""

from __future__ import annotations

from crossfade_analyzer.sources.raw import RawSource, Series, Vector


class Once:
    """A `RawSource` that keeps what a query gave at its steps: one plan's metrics share their denominators.

    It is for one question alone, for it never forgets.
    """

    def __init__(self, source: RawSource) -> None:
        self._source = source
        self._answers: dict[tuple[str, int, int, int], tuple[Series, ...]] = {}

    def raw(self, selector: str, start_ms: int, end_ms: int) -> tuple[Series, ...]:
        return self._source.raw(selector, start_ms, end_ms)

    def instant(self, query: str, at_ms: int | None = None) -> Vector:
        return self._source.instant(query, at_ms)

    def steps(self, query: str, start_ms: int, end_ms: int, step_ms: int) -> tuple[Series, ...]:
        asked = (query, start_ms, end_ms, step_ms)
        if asked not in self._answers:
            self._answers[asked] = self._source.steps(*asked)
        return self._answers[asked]
