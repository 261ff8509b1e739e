"""Which stretch of time a look covers: from the last one's end, cut where the split of traffic changed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from crossfade_analyzer.sources.samples import Window

# Routers take a new table some seconds before all have confirmed it: what they count then belongs to neither step.
TRANSITION_MS = 10_000


@dataclass(frozen=True)
class StepAt:
    """A step, the nominal candidate share, and when all routers had it (ms).

    `shifting`: some routers may have the next step's share already.
    """

    index: int
    share: Decimal
    started: int
    shifting: bool = False


@dataclass(frozen=True)
class Span:
    """A look to be taken: its window and the step it belongs to."""

    window: Window
    step: StepAt


@dataclass(frozen=True)
class Progress:
    """Where the last look ended, where its counting began at the earliest (`floor`), and its step."""

    end: int
    floor: int
    step: StepAt


def spans(last: Progress | None, earliest: int, step: StepAt, cut: int, shortest_ms: int) -> tuple[Span, ...]:
    """The looks that can be taken now: none, one, or two when the step changed since the last look.

    `earliest`: first exposure plus warm-up. `cut`: the newest instant for which everything was scraped.
    """
    if last is None:
        floor = max(earliest, step.started)
        return _taken(Window(floor, cut, floor), step, shortest_ms)
    if (last.step.index, last.step.share) == (step.index, step.share) and step.started <= last.end:
        return _taken(Window(last.end, cut, last.floor), step, shortest_ms)
    over = step.started - TRANSITION_MS
    before = min(cut, over)
    floor = max(step.started, last.end)
    return (
        *_taken(Window(last.end, before, last.floor), _left(last.step), 1 if cut >= over else shortest_ms),
        *_taken(Window(floor, cut, floor), step, shortest_ms),
    )


def _left(step: StepAt) -> StepAt:
    """A step as its last look sees it: what followed its last look but one is mostly the shift to the next step."""
    return replace(step, shifting=True)


def _taken(window: Window, step: StepAt, shortest_ms: int) -> tuple[Span, ...]:
    return (Span(window, step),) if window.end - window.start >= max(shortest_ms, 1) else ()
