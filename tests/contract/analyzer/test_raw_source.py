"""What the analyzer relies on in a source of raw samples: the same suite on the fake and on a real Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crossfade_analyzer.sources.prometheus import Prometheus
from crossfade_analyzer.sources.raw import RawSource, Series
from tests.fakes.exporter import Exporter
from tests.fakes.prometheus import FakePrometheus
from tests.integration.analyzer.prometheus_server import PrometheusServer, Served, eventually


class Fake:
    """One exporter, scraped when told to."""

    def __init__(self, _: Path) -> None:
        self._prometheus = FakePrometheus()
        self.source: RawSource = self._prometheus
        self.exporter = Exporter(self._prometheus.seconds)
        self._target = self._prometheus.target(self.exporter, "job")
        self.instance = self._target.instance

    def scrape(self) -> None:
        self._prometheus.scrape(15)

    def forget(self) -> None:
        self._prometheus.remove(self._target)

    def now_ms(self) -> int:
        return self._prometheus.now_ms

    def close(self) -> None:
        pass


class Real:
    """The same in a real Prometheus."""

    def __init__(self, directory: Path) -> None:
        self.exporter = Exporter()
        self._served = Served(self.exporter)
        self.instance = self._served.address
        self._server = PrometheusServer(directory)
        self._server.start()
        self._server.scrape("job", self.instance)
        self._prometheus = Prometheus(self._server.url)
        self.source: RawSource = self._prometheus

    def scrape(self) -> None:
        self._server.scraped(self._served)

    def forget(self) -> None:
        self._server.scrape("job")
        eventually("the target is forgotten", lambda: not self._server.query("up"))

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def close(self) -> None:
        self._prometheus.close()
        self._server.stop()
        self._served.close()


World = Fake | Real


@pytest.fixture(params=[Fake, Real], ids=["fake", "real"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    make: Callable[[Path], World] = request.param
    made = make(tmp_path)
    yield made
    made.close()


def raw(world: World, selector: str) -> tuple[Series, ...]:
    return world.source.raw(selector, world.now_ms() - 600_000, world.now_ms())


def test_samples_are_raw_and_stamped_with_their_scrape(world: World) -> None:
    for value in (3, 5):
        world.exporter.put("c_total", value, arm="stable")
        world.scrape()
    (counter,) = raw(world, 'c_total{arm=~"stable|"}')
    (up,) = raw(world, "up")
    assert {value for _, value in counter.samples} == {3.0, 5.0}
    assert {at for at, _ in counter.samples} <= {at for at, _ in up.samples}
    assert dict(counter.labels) == {"__name__": "c_total", "arm": "stable", "job": "job", "instance": world.instance}


def test_a_range_takes_both_ends_in(world: World) -> None:
    world.exporter.put("c_total", 1)
    world.scrape()
    world.scrape()
    (whole,) = raw(world, "c_total")
    first, last = whole.samples[0][0], whole.samples[-1][0]
    (again,) = world.source.raw("c_total", first, last)
    assert again.samples == whole.samples
    (tail,) = world.source.raw("c_total", first + 1, last)
    assert tail.samples == whole.samples[1:]


def test_steps_are_what_instants_would_have_been_at_exactly_their_times(world: World) -> None:
    for value in (3, 5):
        world.exporter.put("c_total", value, arm="stable")
        world.scrape()
    end = world.now_ms()
    times = [end - 20 * step for step in (2, 1, 0)]
    (steps,) = world.source.steps("c_total", times[0], times[-1], 20)
    assert [at for at, _ in steps.samples] == times
    assert steps.samples[-1][1] == world.source.instant("c_total", end).values[0][1] == 5.0
    assert world.source.steps("nothing_total", times[0], times[-1], 20) == ()
    (present,) = world.source.steps("group by (arm) (c_total)", times[0], times[-1], 20)
    assert (dict(present.labels), {value for _, value in present.samples}) == ({"arm": "stable"}, {1.0})


def test_an_empty_alternative_finds_series_that_lost_the_label(world: World) -> None:
    world.exporter.put("c_total", 1)
    world.exporter.put("c_total", 2, arm="other")
    world.scrape()
    assert [series.samples[-1][1] for series in raw(world, 'c_total{arm=~"stable|"}')] == [1.0]


def test_not_a_number_is_given_as_such(world: World) -> None:
    world.exporter.put("c_total", "NaN")
    world.scrape()
    (series,) = raw(world, "c_total")
    assert series.samples[-1][1] != series.samples[-1][1]


def test_a_failing_scrape_leaves_no_sample_but_up_0(world: World) -> None:
    world.exporter.put("c_total", 1)
    world.scrape()
    world.exporter.failing = True
    world.scrape()
    (up,) = raw(world, "up")
    (counter,) = raw(world, "c_total")
    assert up.samples[-1][1] == 0.0
    assert counter.samples[-1][0] < up.samples[-1][0]
    assert [value for _, value in world.source.instant("up").values] == [0.0]


def test_a_forgotten_target_is_no_longer_present_but_its_samples_are(world: World) -> None:
    world.exporter.put("c_total", 4)
    world.scrape()
    world.forget()
    assert world.source.instant("up").values == ()
    assert raw(world, "c_total")[0].samples[-1][1] == 4.0


def test_who_exposed_a_series_is_found(world: World) -> None:
    world.exporter.put("c_total", 4, arm="stable")
    world.scrape()
    found = world.source.instant("group by (job, instance) (present_over_time(c_total[600000ms]))")
    assert [dict(labels) for labels, _ in found.values] == [{"job": "job", "instance": world.instance}]
    assert found.at_ms is not None
    assert world.source.instant("group by (job) (present_over_time(nothing[600000ms]))").values == ()
