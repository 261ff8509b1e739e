"""Scrape targets: when each was scraped, when its process started, and up to which instant all of them were seen."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from operator import itemgetter

from crossfade_analyzer.contract import Fault
from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources.raw import Series, Vector

START_SERIES = "process_start_time_seconds"
UPTIME_SERIES = "envoy_server_uptime"
# Envoy refreshes its uptime only when it flushes statistics (every 5 s), in whole seconds.
_SLACK_MS = {START_SERIES: 1_000, UPTIME_SERIES: 7_000}

# Others of a job are scraped for so long, and a target is not: Prometheus no longer has it.
_FORGOTTEN_MS = 60_000

Identity = tuple[str, str]


@dataclass(frozen=True)
class Target:
    """One scrape target. `scrapes`: times of its successful scrapes; `starts`: (scrape time, start of the process,
    slack), milliseconds, in order; `live`: Prometheus still has it as a target; `up`: its last scrape succeeded."""

    labels: Mapping[str, str]
    scrapes: tuple[int, ...]
    starts: tuple[tuple[int, int, int], ...] = ()
    live: bool = True
    up: bool = True

    @property
    def identity(self) -> Identity:
        return self.labels.get("job", ""), self.labels.get("instance", "")

    def last_scrape(self, at_ms: int) -> int | None:
        """Its last successful scrape at or before an instant."""
        index = bisect_right(self.scrapes, at_ms)
        return self.scrapes[index - 1] if index else None

    def first_scrape(self, at_ms: int) -> int | None:
        """Its first successful scrape at or after an instant."""
        index = bisect_left(self.scrapes, at_ms)
        return self.scrapes[index] if index < len(self.scrapes) else None

    def restarted(self, after_ms: int, until_ms: int) -> bool | None:
        """Whether the process started anew between two scrapes; `None` when that cannot be told."""
        first, last = (bisect_right(self.starts, at, key=itemgetter(0)) for at in (after_ms, until_ms))
        told = [(start, slack) for _, start, slack in self.starts[first:last]]
        if not told:
            return None
        if any(start - slack > after_ms for start, slack in told):
            return True
        return False if all(start + slack < after_ms for start, slack in told) else None

    def started_after(self, at_ms: int) -> bool:
        """Whether the process is known to have started after an instant: all its counts are younger."""
        return bool(self.starts) and all(start - slack >= at_ms for _, start, slack in self.starts[:1])

    def patience_ms(self, least_ms: int) -> int:
        """How long it may go without a scrape."""
        return _patience_ms(self.scrapes, least_ms)


def targets(history: Iterable[Series], present: Vector) -> tuple[Target, ...]:
    """Targets from their `up` and process start series, and from `up` as it is now."""
    ups: dict[frozenset[tuple[str, str]], Series] = {}
    starts: dict[Identity, list[tuple[int, int, int]]] = defaultdict(list)
    for series in history:
        if series.name == "up":
            ups[_labels(series.labels)] = series
        else:
            starts[_identity(series.labels)].extend(_process_starts(series))
    alive = {_labels(labels): value for labels, value in present.values}
    tried: dict[str, list[int]] = defaultdict(list)
    for series in ups.values():
        tried[series.labels.get("job", "")].extend(at for at, _ in series.samples)
    for times in tried.values():
        times.sort()
    return tuple(
        Target(
            labels=dict(sorted(key)),
            scrapes=tuple(at for at, value in series.samples if value == 1),
            starts=tuple(sorted(starts[_identity(series.labels)])),
            live=key in alive and not _is_forgotten(series, tried[series.labels.get("job", "")]),
            up=alive.get(key) == 1,
        )
        for key, series in sorted(ups.items(), key=lambda item: sorted(item[0]))
    )


def _patience_ms(scrapes: Sequence[int], least_ms: int) -> int:
    """At least 2.5 times the longest recent distance between scrapes, of the last few."""
    return max(least_ms, max((b - a for a, b in pairwise(scrapes[-5:])), default=0) * 5 // 2)


def _is_forgotten(up: Series, tried: Sequence[int]) -> bool:
    """Whether Prometheus has gone on to scrape others of the job for a while, and never this one. `tried` is sorted.

    It notes down when a target is gone, unless it is killed at that time. Then the target seems to be there until
    Prometheus' look-back of five minutes is over, and nothing could be judged all that time.
    """
    own = [at for at, _ in up.samples[-5:]]
    later = bisect_right(tried, own[-1]) if own else len(tried)
    return later < len(tried) and tried[-1] - tried[later] > _patience_ms(own, _FORGOTTEN_MS)


def _identity(labels: Mapping[str, str]) -> Identity:
    return labels.get("job", ""), labels.get("instance", "")


def _labels(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in labels.items() if name != "__name__")


def _process_starts(series: Series) -> Iterable[tuple[int, int, int]]:
    slack = _SLACK_MS[series.name]
    for at, value in series.samples:
        if value == value and abs(value) < 1e11:
            start = round(value * 1000) if series.name == START_SERIES else at - round(value * 1000)
            yield at, start, slack


def newest_cut(found: Iterable[Target], now_ms: int, freshness_ms: int) -> int:
    """The newest instant for which every live target has been scraped: where both arms are cut.

    Raises `EvidenceFault`: a target is down, or was not scraped for too long (at least 2.5 of its own intervals).
    """
    live = [target for target in found if target.live]
    if not live:
        raise EvidenceFault(
            Fault.STALE,
            "Prometheus has no target any more of those that gave these series; "
            "check its scrape configuration and that the pods run",
        )
    cuts = []
    for target in live:
        last = target.last_scrape(now_ms)
        limit = target.patience_ms(freshness_ms)
        if last is None or now_ms - last > limit:
            raise _not_fresh(target, last, limit)
        cuts.append(last)
    return min(cuts)


def _not_fresh(target: Target, last: int | None, limit_ms: int) -> EvidenceFault:
    when = "never within the window" if last is None else f"last at {moment(last)}"
    job, instance = target.identity
    if target.up:
        fault, what = Fault.STALE, f"was not scraped for more than {limit_ms / 1000:g} s"
    else:
        fault, what = Fault.TARGET_DOWN, "does not answer Prometheus"
    return EvidenceFault(fault, f"target {instance} (job {job}) {what} ({when}); check that pod and its metrics port")


def refuse_twins(found: Iterable[Target]) -> None:
    """Refuse a process that is scraped twice (by two jobs, or by two names): each of its counts would count double."""
    by_address: dict[tuple[str, str], Target] = {}
    for target in found:
        for key in _addresses(target):
            twin = by_address.setdefault(key, target)
            if twin is not target and _overlap(twin, target):
                raise EvidenceFault(
                    Fault.DUPLICATED,
                    f"{key[1]} is scraped twice (as {_named(twin)} and as {_named(target)}), so its counts would "
                    "count double; remove one of the two scrape configurations, then retry the rollout",
                )


def _addresses(target: Target) -> list[tuple[str, str]]:
    pod = target.labels.get("pod") or target.labels.get("kubernetes_pod_name")
    space = target.labels.get("namespace") or target.labels.get("kubernetes_namespace", "")
    found = [("instance", target.identity[1])]
    port = target.identity[1].rpartition(":")[2]
    return [*found, ("pod", f"{space}/{pod}:{port}")] if pod else found


def _overlap(a: Target, b: Target) -> bool:
    """Whether two targets were scraped during the same time: a pod's address may be used again by a later pod."""
    if not a.scrapes or not b.scrapes:
        return False
    return a.scrapes[0] <= b.scrapes[-1] and b.scrapes[0] <= a.scrapes[-1]


def _named(target: Target) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in sorted(target.labels.items())) + "}"


def moment(at_ms: int) -> str:
    """A time for people, UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
