"""Nothing is asked twice, but for what has no instant."""

from __future__ import annotations

from crossfade_analyzer.sources.once import Once
from tests.fakes.prometheus import FakePrometheus

NOW = 1_700_000_000_000


def test_an_instant_is_asked_about_once() -> None:
    server = FakePrometheus(NOW)
    once = Once(server)
    first = once.instant("requests", NOW)
    assert once.instant("requests", NOW) is first
    once.instant("requests", NOW - 1000)
    once.instant("errors", NOW)
    assert server.queries == ["requests", "requests", "errors"]


def test_the_present_is_asked_about_each_time() -> None:
    server = FakePrometheus(NOW)
    once = Once(server)
    for _ in range(2):
        once.instant("requests")
    assert server.queries == ["requests", "requests"]
