"""Raw samples to increments: table cases, and the reference `counter.delta` on plain sequences."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade_analyzer.contract import Fault
from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources.raw import Series
from crossfade_analyzer.sources.samples import Window, increments
from crossfade_analyzer.sources.targets import Target
from crossfade_analyzer.statistics.counters import delta

LABELS = {"job": "routers", "instance": "a:1"}
NAN = float("nan")


def target(scrapes: range | tuple[int, ...] = (0, 10, 20, 30, 40), **fields: object) -> Target:
    return Target(labels=LABELS, scrapes=tuple(scrapes), **fields)  # type: ignore[arg-type]


def counted(
    values: dict[int, float], window: Window, of: Target | None = None, scale: int = 1, others: tuple[Series, ...] = ()
) -> int:
    series = Series({"__name__": "c", **LABELS}, tuple(values.items()))
    return increments((series, *others), (of or target(),), window, scale)[0].value


CASES = {
    "increments between scrapes add up": ({0: 5, 10: 7, 20: 9, 30: 12, 40: 13}, Window(0, 40, 0), 8),
    "the base is the last scrape before the window": ({0: 5, 10: 7, 20: 9, 30: 12, 40: 13}, Window(15, 35, 0), 5),
    "an interval that straddles the floor is dropped": ({0: 5, 10: 7, 20: 9, 30: 12, 40: 13}, Window(15, 35, 15), 3),
    "samples after the end wait": ({0: 5, 10: 7, 20: 9, 30: 12, 40: 99}, Window(0, 39, 0), 7),
    "a new series of a known target counts in full": ({20: 3, 30: 4, 40: 6}, Window(0, 40, 0), 6),
    "a new series within the straddling interval does not": ({20: 3, 30: 4, 40: 6}, Window(15, 40, 15), 3),
    "a reset counts from zero": ({0: 5, 10: 7, 20: 2, 30: 3, 40: 3}, Window(0, 40, 0), 5),
    "NaN in the middle loses nothing": ({0: 5, 10: NAN, 20: 9, 30: 12, 40: 13}, Window(0, 40, 0), 8),
    "NaN at the base starts later, not in full": ({0: NAN, 10: 7, 20: 9, 30: 12, 40: 13}, Window(0, 40, 0), 6),
    "one scrape is nothing yet": ({0: 5, 10: 7, 20: 9, 30: 12, 40: 13}, Window(35, 45, 35), 0),
}


@pytest.mark.parametrize(("values", "window", "expected"), CASES.values(), ids=CASES)
def test_increments(values: dict[int, float], window: Window, expected: int) -> None:
    assert counted(values, window) == expected


def test_a_restart_that_is_known_counts_in_full_even_when_the_value_grew() -> None:
    restarted = target((0, 10_000), starts=((0, -99_000, 1000), (10_000, 5_000, 1000)))
    assert counted({0: 5, 10_000: 9}, Window(0, 10_000, 0), restarted) == 9


def test_a_fall_without_a_restart_is_no_counter() -> None:
    steady = target((0, 10_000), starts=((0, -99_000, 1000), (10_000, -99_000, 1000)))
    with pytest.raises(EvidenceFault, match="went down from 5 to 4") as caught:
        counted({0: 5, 10_000: 4}, Window(0, 10_000, 0), steady)
    assert caught.value.finding.fault is Fault.DECREASING


def test_a_new_target_counts_in_full_only_if_it_started_after_the_floor() -> None:
    young = target((30_000, 40_000), starts=((30_000, 25_000, 1000),))
    old = target((30_000, 40_000), starts=((30_000, -5_000, 1000),))
    values = {30_000: 8.0, 40_000: 9.0}
    assert counted(values, Window(10_000, 40_000, 0), young) == 9
    assert counted(values, Window(10_000, 40_000, 0), old) == 1


def test_a_mean_is_counted_in_its_scale() -> None:
    assert counted({0: 0.5, 10: 0.75, 20: 1.0, 30: 1.0, 40: 1.25}, Window(0, 40, 0), scale=1_000_000) == 750_000


FAULTS = {
    "NaN at the end": ({0: 5, 40: NAN}, Fault.NOT_A_NUMBER),
    "infinite at the end": ({0: 5, 40: float("inf")}, Fault.NOT_A_NUMBER),
    "below zero": ({0: 5, 40: -1}, Fault.NEGATIVE),
    "half an event": ({0: 5, 40: 7.5}, Fault.NOT_AN_INTEGER),
    "beyond exact integers": ({0: 5, 40: 2.0**60}, Fault.NOT_AN_INTEGER),
    "a sample that is no scrape": ({0: 5, 13: 6, 40: 7}, Fault.OWN_TIMESTAMPS),
    "gone while its target is scraped": ({0: 5, 10: 6}, Fault.VANISHED),
}


@pytest.mark.parametrize(("values", "fault"), FAULTS.values(), ids=FAULTS)
def test_samples_that_cannot_be_counted(values: dict[int, float], fault: Fault) -> None:
    with pytest.raises(EvidenceFault) as caught:
        counted(values, Window(0, 40, 0))
    assert caught.value.finding.fault is fault


def test_a_series_may_be_gone_after_a_restart_or_with_its_target() -> None:
    gone = {0: 5.0, 10: 6.0}
    assert counted(gone, Window(0, 40, 0), target(live=False)) == 1
    fallen = Series({"__name__": "d", **LABELS}, ((0, 9.0), (10, 9.0), (20, 1.0), (30, 1.0), (40, 2.0)))
    assert counted(gone, Window(0, 40, 0), others=(fallen,)) == 1


def test_a_series_without_a_target_is_refused() -> None:
    stray = Series({"__name__": "c", "job": "push", "instance": "b:1"}, ((0, 1.0),))
    with pytest.raises(EvidenceFault) as caught:
        increments((stray,), (target(),), Window(0, 40, 0))
    assert caught.value.finding.fault is Fault.NOT_SCRAPED


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 1000), min_size=2, max_size=30))
def test_plain_sequences_agree_with_the_reference(values: list[int]) -> None:
    scrapes = range(0, 10 * len(values), 10)
    samples = {at: float(value) for at, value in zip(scrapes, values, strict=True)}
    assert counted(samples, Window(0, scrapes[-1], 0), target(scrapes)) == delta(values)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 50), min_size=3, max_size=30), st.data())
def test_windows_that_touch_add_up_to_the_whole(values: list[int], data: st.DataObject) -> None:
    scrapes = range(0, 10 * len(values), 10)
    samples = {at: float(value) for at, value in zip(scrapes, values, strict=True)}
    cut, end = data.draw(st.integers(0, scrapes[-1])), scrapes[-1]
    parts = [counted(samples, Window(a, b, 0), target(scrapes)) for a, b in ((0, cut), (cut, end)) if a < b]
    assert sum(parts) == counted(samples, Window(0, end, 0), target(scrapes))
