"""Raw samples to integer increments per cell, pure. Counters are read as section 2.2 of the design says: consecutive
samples are subtracted, a restarted counter counts from zero, a new series of a known target counts in full."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from crossfade_analyzer.contract import Fault
from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources.raw import Series
from crossfade_analyzer.sources.targets import Identity, Target, moment

_EXACT = 2**53  # beyond it a float no longer holds every integer


@dataclass(frozen=True)
class Window:
    """The scrape intervals to count, milliseconds: those after `start` up to `end`.

    A target's counts begin at its last scrape at or before `start`, but never before `floor` (the first exposure,
    or the last change of the split): the scrape interval that straddles `floor` is dropped, in both arms alike.
    """

    start: int
    end: int
    floor: int

    def base(self, target: Target) -> int | None:
        """The scrape a target's counts begin at; `None` when it has none before the first that counts."""
        last = target.last_scrape(self.start)
        if last is not None and last >= self.floor:
            return last
        if target.started_after(self.floor):
            return None
        return target.first_scrape(self.floor)


@dataclass(frozen=True)
class Increment:
    """What one series of one target added within a window, in units of 1/scale."""

    labels: Mapping[str, str]
    value: int


def increments(
    series: Iterable[Series], targets: Iterable[Target], window: Window, scale: int = 1
) -> tuple[Increment, ...]:
    """What every series added within the window. Raises `EvidenceFault` for samples that cannot be counted."""
    by_identity: dict[Identity, list[Target]] = defaultdict(list)
    for target in targets:
        by_identity[target.identity].append(target)
    by_target: dict[int, tuple[Target, list[Series]]] = {}
    for one in series:
        target = _target_of(one, by_identity)
        by_target.setdefault(id(target), (target, []))[1].append(one)
    return tuple(item for target, own in by_target.values() for item in _of_target(target, own, window, scale))


def _target_of(series: Series, by_identity: Mapping[Identity, list[Target]]) -> Target:
    identity = series.labels.get("job", ""), series.labels.get("instance", "")
    known = by_identity.get(identity, [])
    fitting = [t for t in known if t.labels.items() <= series.labels.items()] or known
    if len(fitting) == 1 or (fitting and len({tuple(t.scrapes) for t in fitting}) == 1):
        return fitting[0]
    raise EvidenceFault(
        Fault.NOT_SCRAPED,
        f"series {described(series.labels)} belongs to no scrape target (job and instance of an `up` series); "
        "raw counters as Prometheus scraped them are needed, not recorded, pushed or federated ones",
    )


def _of_target(target: Target, series: list[Series], window: Window, scale: int) -> Iterator[Increment]:
    base = window.base(target)
    end = target.last_scrape(window.end)
    if end is None or (base is not None and end <= base):
        yield from (Increment(one.labels, 0) for one in series if one.samples)  # it is there, nothing to count yet
        return
    scrapes = frozenset(target.scrapes)
    readers = [_Reader(one, target, scrapes, base, end, scale) for one in series]
    _refuse_vanished(readers, target, end)
    for reader in readers:
        yield Increment(reader.series.labels, reader.increment())


class _Reader:
    """One series of one target within a window: its value at the base, and its samples after it."""

    def __init__(
        self, series: Series, target: Target, scrapes: frozenset[int], base: int | None, end: int, scale: int
    ) -> None:
        self.series, self.target, self.base, self.scale = series, target, base, scale
        usable = [sample for sample in series.samples if sample[0] <= end]
        self._refuse_own_timestamps(usable, scrapes)
        if target.live:
            self._refuse_not_a_number_at(end, usable)
        valid = [(at, self._integer(at, value)) for at, value in usable if math.isfinite(value)]
        self.before = [sample for sample in valid if base is not None and sample[0] <= base]
        self.after = [sample for sample in valid if base is None or sample[0] > base]
        # NaN at the base and nothing sound before it: what it held then is unknown, so counting starts later.
        self.unknown_base = not self.before and any(base is not None and at <= base for at, _ in usable)

    @property
    def last(self) -> int | None:
        """Time of the last sound sample."""
        known = self.after or self.before
        return known[-1][0] if known else None

    def fell(self) -> bool:
        """Whether it went down anywhere: a sign that the process began anew."""
        values = [value for _, value in (*self.before[-1:], *self.after)]
        return any(later < earlier for earlier, later in pairwise(values))

    def increment(self) -> int:
        samples = list(self.after)
        if self.before:
            previous = self.before[-1]
        elif self.unknown_base:
            if not samples:
                return 0
            previous = samples.pop(0)
        else:
            previous = None
        total = 0
        for sample in samples:
            total += self._step(previous, sample)
            previous = sample
        return total

    def _step(self, previous: tuple[int, int] | None, sample: tuple[int, int]) -> int:
        if previous is None:
            return sample[1]
        (before, was), (at, now) = previous, sample
        restarted = self.target.restarted(before, at)
        if now >= was:
            return now if restarted else now - was
        if restarted is False:
            raise EvidenceFault(
                Fault.DECREASING,
                f"counter {described(self.series.labels)} went down from {was / self.scale:g} to {now / self.scale:g} "
                f"at {moment(at)} although its process did not restart; give a counter, not a gauge",
            )
        return now

    def _integer(self, at: int, value: float) -> int:
        scaled = value * self.scale
        if value < 0:
            raise EvidenceFault(
                Fault.NEGATIVE,
                f"counter {described(self.series.labels)} was {value:g} at {moment(at)}; "
                "a counter starts at 0 and never goes below it",
            )
        if scaled > _EXACT or (self.scale == 1 and value != int(value)):
            raise EvidenceFault(
                Fault.NOT_AN_INTEGER,
                f"counter {described(self.series.labels)} was {value!r} at {moment(at)}, which is no exact count; "
                "count whole events, or declare the metric as a Mean",
            )
        return round(scaled)

    def _refuse_not_a_number_at(self, end: int, samples: list[tuple[int, float]]) -> None:
        if samples and samples[-1][0] == end and not math.isfinite(samples[-1][1]):
            raise EvidenceFault(
                Fault.NOT_A_NUMBER,
                f"counter {described(self.series.labels)} is {samples[-1][1]} since {moment(samples[-1][0])}; "
                "it must be a finite number",
            )

    def _refuse_own_timestamps(self, samples: list[tuple[int, float]], scrapes: frozenset[int]) -> None:
        strange = next((at for at, _ in samples if at not in scrapes and at >= self.target.scrapes[0]), None)
        if strange is not None:
            raise EvidenceFault(
                Fault.OWN_TIMESTAMPS,
                f"counter {described(self.series.labels)} has a sample at {moment(strange)} that is no scrape of its "
                "target; expose it without timestamps of its own (or set honor_timestamps: false)",
            )


def _refuse_vanished(readers: list[_Reader], target: Target, end: int) -> None:
    """A counter stays exposed as long as its process lives: one that is gone was dropped or renamed on the way."""
    if not target.live:
        return
    for reader in readers:
        gone_since = reader.last
        if gone_since is None or gone_since >= end or reader.unknown_base:
            continue
        restarted = target.restarted(gone_since, end)
        if restarted is False or (restarted is None and not any(other.fell() for other in readers)):
            raise EvidenceFault(
                Fault.VANISHED,
                f"counter {described(reader.series.labels)} is gone since {moment(gone_since)} although its target "
                "is still scraped; check relabelling rules and the exporter",
            )


def described(labels: Mapping[str, str]) -> str:
    """A series for people: its name and labels."""
    inner = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != "__name__")
    return f"{labels.get('__name__', '')}{{{inner}}}"
