"""Prometheus in memory: stores scrapes with staleness and answers the queries the analyzer asks, no others."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter

import promql_parser as promql

from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources.raw import Series, Vector
from tests.fakes.exporter import Exporter, Key

_STALE = None
_LOOK_BACK_MS = 300_000
Labels = frozenset[tuple[str, str]]


@dataclass
class Target:
    """A scrape target; `drop` are labels that relabelling takes away."""

    exporter: Exporter
    job: str
    instance: str
    labels: dict[str, str] = field(default_factory=dict)
    drop: frozenset[str] = frozenset()
    known: set[Labels] = field(default_factory=set)
    named: dict[object, Labels] = field(default_factory=dict)

    def labels_of(self, key: Key) -> Labels:
        """A series' labels as they are stored; made once, for a test scrapes the same ones over and over."""
        cached = (key, self.drop)
        if cached not in self.named:
            name, pairs = key
            kept = {n: v for n, v in pairs if n not in self.drop}
            self.named[cached] = frozenset({"__name__": name, **kept, **self.own()}.items())
        return self.named[cached]

    def own(self) -> dict[str, str]:
        return {"job": self.job, "instance": self.instance, **self.labels}


class FakePrometheus:
    """Holds what was scraped; its clock is `now_ms`."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self.now_ms = now_ms
        self.targets: list[Target] = []
        self.stored: dict[Labels, list[tuple[int, float | None]]] = {}
        self.fault: EvidenceFault | None = None
        self.queries: list[str] = []
        self._matched: dict[str, tuple[int, list[Labels]]] = {}

    def seconds(self) -> float:
        return self.now_ms / 1000

    def target(self, exporter: Exporter, job: str = "routers", instance: str = "", **labels: str) -> Target:
        made = Target(exporter, job, instance or f"10.0.0.{len(self.targets) + 1}:9902", labels)
        self.targets.append(made)
        return made

    def remove(self, target: Target) -> None:
        """Service discovery forgets a target: all of its series go stale."""
        self.targets.remove(target)
        for labels in [*target.known, self._up(target)]:
            self._store(labels, _STALE)

    def scrape(self, seconds: float = 15.0, only: Iterable[Target] | None = None) -> None:
        """Let time pass, then scrape."""
        self.now_ms += round(seconds * 1000)
        for target in self.targets if only is None else only:
            self._scrape(target)

    def raw(self, selector: str, start_ms: int, end_ms: int) -> tuple[Series, ...]:
        self._asked(selector)
        matched = self._matching(_selector(promql.parse(selector)))
        within = (
            (labels, tuple((at, v) for at, v in _between(samples, start_ms, end_ms) if v is not _STALE))
            for labels, samples in matched
        )
        return tuple(Series(dict(labels), samples) for labels, samples in within if samples)

    def instant(self, query: str, at_ms: int | None = None) -> Vector:
        self._asked(query)
        at = self.now_ms if at_ms is None else at_ms
        values = self._evaluate(promql.parse(query), at)
        return Vector(at if values else at_ms, values)

    def steps(self, query: str, start_ms: int, end_ms: int, step_ms: int) -> tuple[Series, ...]:
        self._asked(query)
        expression = promql.parse(query)
        found: dict[Labels, list[tuple[int, float]]] = {}
        for at in range(start_ms, end_ms + 1, step_ms):
            for labels, value in self._evaluate(expression, at):
                found.setdefault(frozenset(labels.items()), []).append((at, value))
        return tuple(Series(dict(labels), tuple(samples)) for labels, samples in found.items())

    def _evaluate(self, expression: object, at: int) -> tuple[tuple[Mapping[str, str], float], ...]:
        if isinstance(expression, promql.AggregateExpr):
            modifier = expression.modifier
            assert modifier is not None
            by = {
                tuple((n, labels.get(n, "")) for n in modifier.labels)
                for labels, _ in self._evaluate(expression.expr, at)
            }
            return tuple(({name: value for name, value in key if value}, 1.0) for key in sorted(by))
        if isinstance(expression, promql.Call):
            matrix = expression.args[0]
            assert expression.func.name == "present_over_time"
            assert isinstance(matrix, promql.MatrixSelector)
            start = at - round(matrix.range.total_seconds() * 1000)
            matched = self._matching(matrix.vector_selector)
            present = ((dict(k), s) for k, s in matched if any(v is not _STALE and start <= t <= at for t, v in s))
            return tuple((_unnamed(labels), 1.0) for labels, _ in present)
        found = []
        for labels, samples in self._matching(_selector(expression)):
            past = _between(samples, at - _LOOK_BACK_MS, at)
            if past and past[-1][1] is not _STALE:
                found.append((dict(labels), float(past[-1][1])))
        return tuple(found)

    def _matching(self, selector: promql.VectorSelector) -> list[tuple[Labels, list[tuple[int, float | None]]]]:
        seen, keys = self._matched.get(str(selector), (0, []))
        if seen < len(self.stored):
            wanted = [(m.op, m.name, m.value) for m in selector.matchers.matchers]
            if selector.name:
                wanted.append((promql.MatchOp.Equal, "__name__", selector.name))
            new = ((k, dict(k)) for k in itertools.islice(self.stored, seen, None))
            keys = [*keys, *(k for k, has in new if all(_matches(has.get(n, ""), op, v) for op, n, v in wanted))]
            self._matched[str(selector)] = (len(self.stored), keys)
        return [(key, self.stored[key]) for key in keys]

    def _scrape(self, target: Target) -> None:
        seen: set[Labels] = set()
        if not target.exporter.failing:
            for key, value in target.exporter.exposed().items():
                labels = target.labels_of(key)
                if labels not in seen:
                    self._store(labels, float(value))
                seen.add(labels)
        for gone in target.known - seen:
            self._store(gone, _STALE)
        target.known = seen
        self._store(self._up(target), 0.0 if target.exporter.failing else 1.0)

    def _store(self, labels: Labels, value: float | None) -> None:
        self.stored.setdefault(labels, []).append((self.now_ms, value))

    def _asked(self, query: str) -> None:
        self.queries.append(query)
        if self.fault is not None:
            raise self.fault

    @staticmethod
    def _up(target: Target) -> Labels:
        return frozenset({"__name__": "up", **target.own()}.items())


def _between(samples: list[tuple[int, float | None]], start: int, end: int) -> list[tuple[int, float | None]]:
    return samples[bisect_left(samples, start, key=itemgetter(0)) : bisect_right(samples, end, key=itemgetter(0))]


def _selector(expression: object) -> promql.VectorSelector:
    assert isinstance(expression, promql.VectorSelector), f"a plain selector was expected, not {expression}"
    return expression


def _unnamed(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name != "__name__"}


def _matches(value: str, op: object, wanted: str) -> bool:
    if op == promql.MatchOp.Equal:
        return value == wanted
    if op == promql.MatchOp.NotEqual:
        return value != wanted
    found = re.fullmatch(wanted, value) is not None
    return found if op == promql.MatchOp.Re else not found
