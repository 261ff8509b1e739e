"""One group of series that are cut together: who exposes them, and up to which instant all of them were scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from crossfade_analyzer.contract import Fault
from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources.raw import RawSource, Series
from crossfade_analyzer.sources.samples import Increment, Window, increments
from crossfade_analyzer.sources.selectors import one_of
from crossfade_analyzer.sources.targets import (
    START_SERIES,
    UPTIME_SERIES,
    Identity,
    Target,
    newest_cut,
    refuse_twins,
    targets,
)

LOOK_BACK_MS = 3_600_000  # how far a target's scrape before the window is looked for
CHUNK_MS = 600_000  # raw samples held in memory at once cover at most this much time


@dataclass(frozen=True)
class Group:
    """Series that are cut together, by selector. Counts are in units of 1/scale."""

    name: str
    selectors: tuple[str, ...]
    freshness_ms: int


@dataclass(frozen=True)
class Survey:
    """The targets of a group and `cut`, the newest instant at which all live ones had been scraped (ms)."""

    targets: tuple[Target, ...]
    now: int
    cut: int


def survey(source: RawSource, group: Group, start_ms: int, now_ms: int) -> Survey:
    """Find a group's targets since `start_ms`. `now_ms` only bounds the search; Prometheus' own clock decides.

    Raises `EvidenceFault`: no series, no targets, a target down or stale, a process scraped twice.
    """
    identities: set[Identity] = set()
    at = now_ms
    for selector in group.selectors:
        found, at = _identities(source, selector, start_ms, now_ms)
        identities |= found
    matchers = f"job=~{one_of(j for j, _ in identities)},instance=~{one_of(i for _, i in identities)}"
    present = source.instant(f"up{{{matchers}}}")
    at = max(at, present.at_ms or at)
    names = one_of(("up", START_SERIES, UPTIME_SERIES))
    history = source.raw(f"{{__name__=~{names},{matchers}}}", min(start_ms, at) - LOOK_BACK_MS, at)
    known = tuple(target for target in targets(history, present) if target.identity in identities)
    _refuse_unscraped(identities, known)
    refuse_twins(known)
    return Survey(known, at, newest_cut(known, at, group.freshness_ms))


def _identities(source: RawSource, selector: str, start_ms: int, now_ms: int) -> tuple[set[Identity], int]:
    span = max(now_ms - start_ms, 0) + CHUNK_MS
    vector = source.instant(f"group by (job, instance) (present_over_time({selector}[{span}ms]))")
    if not vector.values:
        raise EvidenceFault(
            Fault.NO_SERIES,
            f"Prometheus has no series `{selector}`; check that its targets are scraped and expose it",
        )
    found = {(labels.get("job", ""), labels.get("instance", "")) for labels, _ in vector.values}
    return found, vector.at_ms or now_ms


def _refuse_unscraped(identities: Iterable[Identity], known: Iterable[Target]) -> None:
    missing = sorted(set(identities) - {target.identity for target in known})
    if missing:
        job, instance = missing[0]
        raise EvidenceFault(
            Fault.NOT_SCRAPED,
            f"series with job={job!r} and instance={instance!r} belong to no scrape target (an `up` series); "
            "keep both labels, and give counters as scraped, not recorded, pushed or federated ones",
        )


Keep = Callable[[tuple[Series, ...], Survey, Window], tuple[Series, ...]]


def read(
    source: RawSource, selector: str, found: Survey, window: Window, keep: Keep, scale: int = 1
) -> tuple[Increment, ...]:
    """What each of a selector's series added within a window, read in bounded chunks.

    `keep` drops series that do not count, or refuses them. Raises `EvidenceFault` for samples that cannot be counted.
    """
    total: dict[frozenset[tuple[str, str]], Increment] = {}
    start, span = window.start, CHUNK_MS
    while start < window.end:
        end = min(start + span, window.end)
        try:
            part = _read_part(source, selector, found, Window(start, end, window.floor), keep, scale)
        except EvidenceFault:
            if end == window.end:
                raise
            span *= 2  # what is wrong in the middle of a window may be mended later in it: counters lose nothing
            continue
        for item in part:
            key = frozenset(item.labels.items())
            total[key] = Increment(item.labels, item.value + (total[key].value if key in total else 0))
        start, span = end, CHUNK_MS
    return tuple(total.values())


def _read_part(
    source: RawSource, selector: str, found: Survey, window: Window, keep: Keep, scale: int
) -> tuple[Increment, ...]:
    bases = [base for target in found.targets if (base := window.base(target)) is not None]
    raw = source.raw(selector, min([*bases, window.start]), window.end)
    return increments(keep(raw, found, window), found.targets, window, scale)
