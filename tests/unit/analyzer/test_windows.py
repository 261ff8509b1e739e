"""Which stretch of time a look covers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from crossfade_analyzer.sources.samples import Window
from crossfade_analyzer.windows import Progress, Span, StepAt, spans

FIRST = StepAt(0, Decimal("0.01"), 100_000)
NEXT = StepAt(1, Decimal("0.1"), 300_000)
LAST = Progress(200_000, 100_000, FIRST)

CASES = {
    "nothing yet": (None, 100_000, FIRST, 105_000, []),
    "the first look": (None, 100_000, FIRST, 130_000, [(100_000, 130_000, 100_000, 0)]),
    "the first look after a warm-up": (None, 160_000, FIRST, 190_000, [(160_000, 190_000, 160_000, 0)]),
    "a look goes on from the last": (LAST, 100_000, FIRST, 230_000, [(200_000, 230_000, 100_000, 0)]),
    "too early for another": (LAST, 100_000, FIRST, 210_000, []),
    "a changed step cuts": (
        LAST,
        100_000,
        NEXT,
        330_000,
        [(200_000, 290_000, 100_000, 0), (300_000, 330_000, 300_000, 1)],
    ),
    "a new step without scrapes ends the old one": (LAST, 100_000, NEXT, 305_000, [(200_000, 290_000, 100_000, 0)]),
    "the old step was read already": (
        Progress(290_000, 100_000, FIRST),
        100_000,
        NEXT,
        330_000,
        [(300_000, 330_000, 300_000, 1)],
    ),
    "the same step begun again is a new stretch": (
        LAST,
        100_000,
        StepAt(0, Decimal("0.01"), 300_000),
        330_000,
        [(200_000, 290_000, 100_000, 0), (300_000, 330_000, 300_000, 0)],
    ),
}


@pytest.mark.parametrize(("last", "earliest", "step", "cut", "expected"), CASES.values(), ids=CASES)
def test_spans(last: Progress | None, earliest: int, step: StepAt, cut: int, expected: list[tuple[int, ...]]) -> None:
    found = spans(last, earliest, step, cut, shortest_ms=15_000)
    assert [(s.window.start, s.window.end, s.window.floor, s.step.index) for s in found] == expected


def test_a_look_of_the_old_step_keeps_its_share_and_knows_that_it_was_left() -> None:
    old, new = spans(LAST, 100_000, NEXT, 330_000, 15_000)
    assert old == Span(Window(200_000, 290_000, 100_000), replace(FIRST, shifting=True))
    assert new == Span(Window(300_000, 330_000, 300_000), NEXT)


def test_a_step_goes_on_while_the_next_one_shifts() -> None:
    (look,) = spans(LAST, 100_000, replace(FIRST, shifting=True), 230_000, 15_000)
    assert look == Span(Window(200_000, 230_000, 100_000), replace(FIRST, shifting=True))
