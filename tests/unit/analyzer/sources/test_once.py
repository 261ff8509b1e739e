"""What a query gave at its steps is asked once."""

from __future__ import annotations

from crossfade_analyzer.sources.once import Once
from tests.fakes.prometheus import FakePrometheus

NOW = 1_700_000_000_000


def test_the_same_steps_are_asked_about_once() -> None:
    server = FakePrometheus(NOW)
    once = Once(server)
    first = once.steps("requests", NOW - 1000, NOW, 500)
    assert once.steps("requests", NOW - 1000, NOW, 500) is first
    once.steps("requests", NOW - 2000, NOW, 500)
    once.steps("errors", NOW - 1000, NOW, 500)
    assert server.queries == ["requests", "requests", "errors"]


def test_an_instant_is_asked_about_each_time() -> None:
    server = FakePrometheus(NOW)
    once = Once(server)
    for _ in range(2):
        once.instant("requests")
    assert server.queries == ["requests", "requests"]
