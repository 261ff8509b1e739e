"""Counts per arm and analysis bucket, from the router's own counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from crossfade_analyzer.contract import Arm, Fault
from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources.raw import RawSource, Series
from crossfade_analyzer.sources.samples import Increment, Window, described
from crossfade_analyzer.sources.selectors import one_of, quoted
from crossfade_analyzer.sources.survey import Group, Keep, Survey, read

BUCKETS = 100
MICRO = 1_000_000  # a Mean's sum is counted in micro-units
_PREFIX = "envoy_crossfade_"
_BUCKET_NAMES = {str(number): number for number in range(BUCKETS)}
_OUTSIDE = frozenset({"none", "forced"})  # requests without a unit, and testers': nobody's evidence
_NOBODY = frozenset({"", "-"})
_BEFORE_MS = 120_000  # long enough for a scrape before the start

Cells = tuple[tuple[int, ...], ...]
"""Integers per arm (control first) and analysis bucket."""


@dataclass(frozen=True)
class Arms:
    """The arms that are compared, control first, and the names of the labels that tell them and the buckets apart."""

    of: tuple[Arm, ...]
    arm_label: str = "arm"
    bucket_label: str = "abucket"

    @property
    def control(self) -> Arm:
        return self.of[0]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {arm.label: number for number, arm in enumerate(self.of)}

    def index(self, labels: Mapping[str, str]) -> int | None:
        """0 for control, then the others in order, `None` for everybody else."""
        return self._numbers.get(labels.get(self.arm_label, ""))

    def bucket(self, labels: Mapping[str, str]) -> int | None:
        return _BUCKET_NAMES.get(labels.get(self.bucket_label, ""))

    def counts(self, labels: Mapping[str, str]) -> bool:
        """Whether a series is of one of the arms, and of a bucket."""
        return self.index(labels) is not None and self.bucket(labels) is not None


@dataclass(frozen=True)
class RouterCounts:
    """What the routers counted within a window: per arm and bucket, and per latency bound.

    `answered` are the requests that no control revision had to answer in the candidate's place, and `answered_slower`
    the slow ones of them: a fallback takes the time of two tries, which says nothing about the speed of the model.
    """

    requests: Cells
    errors: Cells
    slower: Mapping[str, Cells]
    answered: Cells
    answered_slower: Mapping[str, Cells]


@dataclass(frozen=True)
class AssignedCounts:
    """The same by the arm that users were assigned to, whoever answered; `fallbacks` are its requests per arm that
    another revision answered."""

    requests: Cells
    errors: Cells
    slower: Mapping[str, Cells]
    fallbacks: tuple[int, ...]


def usable_bucket(value: str) -> bool:
    """Whether a bucket label's value is one of the router's: a number, or nobody's evidence."""
    return value in _BUCKET_NAMES or value in _OUTSIDE


def router_group(endpoint: str, arms: Arms, freshness_ms: int) -> Group:
    """The routers of an endpoint, found by their request counters."""
    return Group("router", (router_selector(endpoint, arms, ("requests",)),), freshness_ms)


def router_selector(endpoint: str, arms: Arms, counters: tuple[str, ...], bounds: Iterable[str] = ()) -> str:
    """The router's counters of these arms."""
    # The empty alternative also finds series that lost the label, which must not go unnoticed.
    names = one_of(_PREFIX + counter for counter in counters)
    labels = one_of((*(arm.label for arm in arms.of), ""))
    parts = [f"__name__=~{names}", f"model_endpoint={quoted(endpoint)}", f"{arms.arm_label}=~{labels}"]
    if "slower" in counters:
        parts.append(f"bound=~{one_of(('', *bounds))}")
    return "{" + ",".join(parts) + "}"


def read_router(
    source: RawSource, found: Survey, window: Window, endpoint: str, arms: Arms, bounds: tuple[str, ...]
) -> RouterCounts:
    """Read the routers' counters within a window, in one query, so that all of them are of the same scrapes.

    A candidate's request that a control revision answered is the candidate's failure, counted once; one that some
    other revision answered (a predecessor's tail) is no evidence about this candidate and left out.
    """
    by_name = _router_counters(source, found, window, endpoint, arms, bounds)
    own = {name: [i for i in items if _answered_by_own(i.labels, arms)] for name, items in by_name.items()}
    fallbacks = [i for i in own["requests"] if _fell_back(i.labels, arms)]
    failures = [i for i in own["errors"] if not _fell_back(i.labels, arms)]
    refuse_missing_arm(own["requests"], arms, f"the routers of {endpoint}")
    requests = cells(own["requests"], arms)
    errors = at_most(requests, cells([*failures, *fallbacks], arms))
    answered = cells((i for i in own["requests"] if not _fell_back(i.labels, arms)), arms)
    by_itself = [i for i in own["slower"] if not _fell_back(i.labels, arms)]
    return RouterCounts(
        requests,
        errors,
        _slower(requests, own["slower"], arms, bounds),
        answered,
        _slower(answered, by_itself, arms, bounds),
    )


def read_assigned(
    source: RawSource, found: Survey, window: Window, endpoint: str, arms: Arms, bounds: tuple[str, ...]
) -> AssignedCounts:
    """Read the routers' counters within a window, every request as assigned (intention to treat): what an arm's users
    saw counts for their arm, also when another revision answered them."""
    by_name = _router_counters(source, found, window, endpoint, arms, bounds)
    refuse_missing_arm(by_name["requests"], arms, f"the routers of {endpoint}")
    requests = cells(by_name["requests"], arms)
    others = cells((i for i in by_name["requests"] if _answered_by_another(i.labels, arms)), arms)
    return AssignedCounts(
        requests,
        at_most(requests, cells(by_name["errors"], arms)),
        _slower(requests, by_name["slower"], arms, bounds),
        tuple(map(sum, others)),
    )


def first_requests(source: RawSource, endpoint: str, arms: Arms, since: int, until: int) -> tuple[int | None, ...]:
    """When each arm's first request after `since` was scraped (ms); `None` for an arm without any up to `until`."""
    seen: list[int | None] = [None] * len(arms.of)
    for series in source.raw(router_selector(endpoint, arms, ("requests",)), since - _BEFORE_MS, until):
        index = arms.index(series.labels)
        base = max((value for at, value in series.samples if at <= since), default=0.0)
        grown = next((at for at, value in series.samples if at > since and value > base), None)
        if index is not None and grown is not None:
            seen[index] = min(seen[index] or grown, grown)
    return tuple(seen)


def _router_counters(
    source: RawSource, found: Survey, window: Window, endpoint: str, arms: Arms, bounds: tuple[str, ...]
) -> dict[str, list[Increment]]:
    counters = ("requests", "errors", "slower") if bounds else ("requests", "errors")
    selector = router_selector(endpoint, arms, counters, bounds)
    items = read(source, selector, found, window, keep_ours(arms))
    return {
        name: [i for i in items if i.labels["__name__"] == _PREFIX + name] for name in ("requests", "errors", "slower")
    }


def _slower(requests: Cells, items: Iterable[Increment], arms: Arms, bounds: tuple[str, ...]) -> dict[str, Cells]:
    by_bound: dict[str, list[Increment]] = {bound: [] for bound in bounds}
    for item in items:
        by_bound.setdefault(item.labels.get("bound", ""), []).append(item)
    return {bound: at_most(requests, cells(by_bound[bound], arms)) for bound in bounds}


def at_most(requests: Cells, events: Cells) -> Cells:
    """Events without those whose requests were counted in an earlier window.

    A router counts a request and its error at once, but a scrape reads its counters one after the other: what ends
    meanwhile shows as a request now and as an error in the next scrape. Where nearly every request fails, such errors
    would exceed the next window's requests for ever, and a candidate that answers nobody could not be judged.
    """
    return tuple(tuple(map(min, *pair)) for pair in zip(requests, events, strict=True))


def _answered_by_own(labels: Mapping[str, str], arms: Arms) -> bool:
    index = arms.index(labels)
    if index is None or index == 0:
        return index == 0
    served = labels.get("served", "")
    return served in _NOBODY or served in arms.of[index].revisions or served in arms.control.revisions


def _fell_back(labels: Mapping[str, str], arms: Arms) -> bool:
    return bool(arms.index(labels)) and labels.get("served", "") in arms.control.revisions


def _answered_by_another(labels: Mapping[str, str], arms: Arms) -> bool:
    index, served = arms.index(labels), labels.get("served", "")
    return index is not None and served not in _NOBODY and served not in arms.of[index].revisions


def keep_ours(arms: Arms) -> Keep:
    """Keep the series of the arms' buckets; refuse those that are scraped now and lack one of the labels."""

    def keep(series: tuple[Series, ...], found: Survey, window: Window) -> tuple[Series, ...]:
        for one in series:
            lost = _label_lost(one.labels, arms)
            if lost and one.samples and one.samples[-1][0] >= _last_scrape_of(one, found, window):
                raise _relabelled(one.labels, arms)
        return tuple(one for one in series if arms.counts(one.labels))

    return keep


def _last_scrape_of(series: Series, found: Survey, window: Window) -> int:
    identity = series.labels.get("job", ""), series.labels.get("instance", "")
    own = [t.last_scrape(window.end) for t in found.targets if t.identity == identity]
    return max((at for at in own if at is not None), default=0)


def _label_lost(labels: Mapping[str, str], arms: Arms) -> bool:
    if not labels.get(arms.arm_label):
        return True
    of_ours = arms.index(labels) is not None
    return of_ours and arms.bucket(labels) is None and labels.get(arms.bucket_label) not in _OUTSIDE


def _relabelled(labels: Mapping[str, str], arms: Arms) -> EvidenceFault:
    label = arms.arm_label if not labels.get(arms.arm_label) else arms.bucket_label
    return EvidenceFault(
        Fault.RELABELLED,
        f"counter {described(labels)} has no usable label {label!r} (an arm, or an analysis bucket 0-{BUCKETS - 1}, "
        "`none` or `forced`); check the exporter and metric relabelling rules",
    )


def refuse_missing_arm(items: Iterable[Increment], arms: Arms, counted: str) -> None:
    seen = {arms.index(item.labels) for item in items}
    for index, arm in enumerate(arms.of):
        if index not in seen:
            raise EvidenceFault(
                Fault.ARM_MISSING,
                f"no series of {counted} counts arm {arm.label!r}: nobody was sent there yet, "
                "or its counters are not exposed",
            )


def cells(items: Iterable[Increment], arms: Arms) -> Cells:
    """Sum increments per arm and bucket."""
    table = [[0] * BUCKETS for _ in arms.of]
    for item in items:
        arm, bucket = arms.index(item.labels), arms.bucket(item.labels)
        if arm is not None and bucket is not None:
            table[arm][bucket] += item.value
    return tuple(map(tuple, table))
