"""Targets: where both arms are cut, and which ones keep from cutting."""

from __future__ import annotations

import pytest

from crossfade_analyzer.contract import Fault
from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources.raw import Series, Vector
from crossfade_analyzer.sources.targets import Target, newest_cut, refuse_twins, targets


def target(instance: str, scrapes: tuple[int, ...], live: bool = True, up: bool = True, **labels: str) -> Target:
    return Target({"job": "j", "instance": instance, **labels}, scrapes, live=live, up=up)


def test_the_cut_is_the_oldest_of_the_live_targets_last_scrapes() -> None:
    found = (target("a:1", (10_000, 25_000)), target("b:1", (12_000, 27_000)), target("c:1", (1_000,), live=False))
    assert newest_cut(found, 30_000, 20_000) == 25_000


def test_a_slow_scrape_interval_is_not_stale() -> None:
    assert newest_cut((target("a:1", (0, 60_000, 120_000)),), 265_000, 20_000) == 120_000


CASES = {
    "a target that does not answer": (target("a:1", (1_000,), up=False), Fault.TARGET_DOWN),
    "a target that is not scraped": (target("a:1", (1_000,)), Fault.STALE),
    "a target that never answered": (target("a:1", (), up=False), Fault.TARGET_DOWN),
    "no live target": (target("a:1", (99_000,), live=False), Fault.STALE),
}


@pytest.mark.parametrize(("found", "fault"), CASES.values(), ids=CASES)
def test_no_cut(found: Target, fault: Fault) -> None:
    with pytest.raises(EvidenceFault) as caught:
        newest_cut((found,), 100_000, 20_000)
    assert caught.value.finding.fault is fault


TWINS = {
    "two jobs, one address": (target("a:1", (1, 9)), Target({"job": "k", "instance": "a:1"}, (2, 8)), True),
    "one pod by name and by address": (
        target("10.0.0.1:9902", (1, 9), pod="r-1", namespace="n"),
        target("r-1.svc:9902", (2, 8), pod="r-1", namespace="n"),
        True,
    ),
    "two ports of one pod": (target("a:1", (1, 9), pod="r"), target("a:2", (2, 8), pod="r"), False),
    "an address used again later": (
        target("a:1", (1, 9), live=False, pod="old"),
        target("a:1", (12, 18), pod="new"),
        False,
    ),
}


@pytest.mark.parametrize(("one", "other", "twins"), TWINS.values(), ids=TWINS)
def test_twins(one: Target, other: Target, twins: bool) -> None:
    if not twins:
        refuse_twins((one, other))
        return
    with pytest.raises(EvidenceFault) as caught:
        refuse_twins((one, other))
    assert caught.value.finding.fault is Fault.DUPLICATED


def test_restarts_are_known_unknown_or_ruled_out() -> None:
    told = Target({}, (0, 50_000), starts=((50_000, 30_000, 1_000),))
    assert told.restarted(0, 50_000) is True
    assert told.restarted(40_000, 50_000) is False
    assert told.restarted(30_500, 50_000) is None
    assert Target({}, (0, 50_000)).restarted(0, 50_000) is None


def test_targets_are_read_from_up_and_process_starts() -> None:
    own = {"job": "j", "instance": "a:1"}
    history = (
        Series({"__name__": "up", **own}, ((1_000, 1.0), (2_000, 0.0), (3_000, 1.0))),
        Series({"__name__": "envoy_server_uptime", **own}, ((3_000, 2.0),)),
        Series({"__name__": "up", "job": "j", "instance": "b:1"}, ((1_000, 1.0),)),
    )
    found = targets(history, Vector(3_000, (({"__name__": "up", **own}, 1.0),)))
    assert [(t.labels["instance"], t.scrapes, t.live, t.up) for t in found] == [
        ("a:1", (1_000, 3_000), True, True),
        ("b:1", (1_000,), False, False),
    ]
    assert found[0].starts == ((3_000, 1_000, 7_000),)


def _up(instance: str, *seconds: int, job: str = "j", value: float = 1.0) -> Series:
    labels = {"__name__": "up", "job": job, "instance": instance}
    return Series(labels, tuple((1_000 * at, value) for at in seconds))


OTHERS = {
    "others were tried for a minute since": (_up("b:1", *range(0, 101, 5)), False),
    "others do not answer, but were tried": (_up("b:1", *range(0, 101, 5), value=0.0), False),
    "others were tried for less than that": (_up("b:1", *range(0, 61, 5)), True),
    "scraping has just begun again after an outage": (_up("b:1", 0, 5, 10, 400), True),
    "only another job goes on": (_up("b:1", *range(0, 101, 5), job="k"), True),
    "nobody is scraped": (_up("b:1", 0, 5, 10), True),
}


@pytest.mark.parametrize(("other", "live"), OTHERS.values(), ids=OTHERS)
def test_a_target_whose_end_prometheus_could_not_note_down_is_gone_when(other: Series, live: bool) -> None:
    history = (_up("a:1", 0, 5, 10), other)
    present = Vector(100_000, tuple((series.labels, 1.0) for series in history))
    found = {one.labels["instance"]: one.live for one in targets(history, present)}
    assert found == {"a:1": live, "b:1": True}


def test_a_target_that_is_scraped_seldom_is_waited_for() -> None:
    history = (_up("a:1", 0, 60, 120), _up("b:1", *range(0, 241, 60)))
    present = Vector(250_000, tuple((series.labels, 1.0) for series in history))
    assert all(one.live for one in targets(history, present))


def test_a_target_of_which_nothing_is_known_yet_is_there() -> None:
    history = (_up("a:1"), _up("b:1", *range(0, 101, 5)))
    present = Vector(100_000, tuple((series.labels, 1.0) for series in history))
    assert all(one.live for one in targets(history, present))
