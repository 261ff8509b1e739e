"""An experiment's evidence as it is kept: the design, windows of integers, and what was found at each look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from crossfade_analyzer.contract import Exclusion, ExperimentRequest
from crossfade_analyzer.snapshots import FORMAT, REQUESTS, normal
from crossfade_analyzer.sources.readings import Cells

RULE = "experiment@1"
ROUTER = "router"


@dataclass(frozen=True)
class Counted:
    """One window: every count between two instants (ms), per arm (control first) and analysis bucket.

    `counts` maps a metric's name to its numerator and denominator; a denominator of `None` are the requests.
    `begins` and `ends` say which time each group of series was counted in: a group that could not be read is absent,
    and its counts fall into a later window. `first`: when each arm was first seen with a request, in the first window.
    """

    number: int
    start: int
    end: int
    begins: Mapping[str, int]
    ends: Mapping[str, int]
    requests: Cells
    fallbacks: tuple[int, ...]
    counts: Mapping[str, tuple[Cells, Cells | None]]
    first: tuple[int | None, ...] = ()

    def body(self) -> dict[str, Any]:
        found = {
            "format": FORMAT,
            "window": self.number,
            "start": self.start,
            "end": self.end,
            "begins": dict(self.begins),
            "ends": dict(self.ends),
            REQUESTS: self.requests,
            "fallbacks": self.fallbacks,
            "counts": counts_body(self.counts),
        }
        return {**found, "first": self.first} if self.first else found

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Counted:
        return cls(
            number=body["window"],
            start=body["start"],
            end=body["end"],
            begins=body["begins"],
            ends=body["ends"],
            requests=cells_of(body[REQUESTS]),
            fallbacks=tuple(body["fallbacks"]),
            counts=counts_of(body["counts"]),
            first=tuple(body.get("first", ())),
        )


def counts_body(counts: Mapping[str, tuple[Cells, Cells | None]]) -> dict[str, Any]:
    return {key: {"x": x, "n": REQUESTS if n is None else n} for key, (x, n) in counts.items()}


def counts_of(body: Mapping[str, Any]) -> dict[str, tuple[Cells, Cells | None]]:
    return {
        key: (cells_of(one["x"]), None if one["n"] == REQUESTS else cells_of(one["n"])) for key, one in body.items()
    }


def cells_of(rows: list[list[int]]) -> Cells:
    return tuple(map(tuple, rows))


@dataclass(frozen=True)
class Target:
    """What one metric's looks aim at. `value` and `deviation` (per unit of the denominator) are `source`'s: stable's
    history before the start, or control's first windows. `information` is 1/Var of a difference, `sample` units over
    all arms; both absent for metrics that need not show anything, `information` then only tunes."""

    value: float
    deviation: float
    source: str
    information: float
    sample: int | None = None


@dataclass(frozen=True)
class Before:
    """Labelled traffic before the start (ms), counted like a window."""

    start: int
    end: int
    requests: Cells
    counts: Mapping[str, tuple[Cells, Cells | None]]


@dataclass(frozen=True)
class Planned:
    """The second fixed thing, after the design: made once, before the first look."""

    targets: Mapping[str, Target]
    before: Before | None = None

    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = {"format": FORMAT, "targets": {name: asdict(one) for name, one in self.targets.items()}}
        if self.before is not None:
            found["before"] = {
                "start": self.before.start,
                "end": self.before.end,
                REQUESTS: self.before.requests,
                "counts": counts_body(self.before.counts),
            }
        return found

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Planned:
        before = body.get("before")
        return cls(
            {name: Target(**one) for name, one in body["targets"].items()},
            None
            if before is None
            else Before(before["start"], before["end"], cells_of(before[REQUESTS]), counts_of(before["counts"])),
        )


@dataclass(frozen=True)
class Reading:
    """One treatment against control in one metric at one look. Decisions compare `z` with `bound` (what the role must
    show) and `harm_z` with `harm_bound`, all rounded to 1e-6; `shown` and `harmed` also hold what earlier looks of a
    sequential design established. `refusal` and `sentence`: why there is no number."""

    treatment: str
    metric: str
    control: tuple[int, int] = (0, 0)
    treated: tuple[int, int] = (0, 0)
    difference: float | None = None
    se: float | None = None
    reach: float | None = None
    relative: float | None = None
    relative_se: float | None = None
    information: float | None = None
    explained: float | None = None
    z: float | None = None
    bound: float | None = None
    harm_z: float | None = None
    harm_bound: float | None = None
    shown: bool = False
    harmed: bool = False
    refusal: str | None = None
    sentence: str | None = None


@dataclass(frozen=True)
class Look:
    """A look: planned `number`, after how many `windows`, at which share of the planned information (`fraction`, of
    the slowest metric, and not faster than the planned run time). `everything`: the same with nothing excluded."""

    number: int
    final: bool
    cause: str
    windows: int
    fraction: float
    included: tuple[Reading, ...]
    everything: tuple[Reading, ...] | None = None

    def body(self) -> dict[str, Any]:
        found = {**asdict(self), "format": FORMAT}
        if self.everything is None:
            del found["everything"]
        return found

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Look:
        fields = {key: value for key, value in body.items() if key != "format"}
        for variant in ("included", "everything"):
            if variant in fields:
                fields[variant] = tuple(_reading(one) for one in fields[variant])
        return cls(**fields)


def _reading(body: Mapping[str, Any]) -> Reading:
    return Reading(**{**body, "control": tuple(body["control"]), "treated": tuple(body["treated"])})


@dataclass(frozen=True)
class Excluded:
    """Ranges of time (ms) that count for no arm, and why."""

    ranges: tuple[tuple[int, int, str], ...] = field(default=())

    @classmethod
    def asked(cls, exclusions: tuple[Exclusion, ...]) -> Excluded:
        ranges = ((milliseconds(one.start), milliseconds(one.end), one.reason) for one in exclusions)
        return cls(tuple(sorted(ranges)))

    def body(self) -> dict[str, Any]:
        return {"format": FORMAT, "ranges": [list(one) for one in self.ranges]}

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Excluded:
        return cls(tuple((start, end, reason) for start, end, reason in body["ranges"]))

    def overlaps(self, start: int, end: int) -> bool:
        """Whether any of it lies within start < time <= end."""
        return any(begin < end and start < stop for begin, stop, _ in self.ranges)


def opening(request: ExperimentRequest) -> dict[str, Any]:
    """The first entry's body: everything the guarantee rests on. The same in every request of a subject."""
    return {
        "format": FORMAT,
        "rule": RULE,
        "subject": request.subject,
        "design": normal(request.design.model_dump(mode="python", by_alias=True, exclude_none=True)),
        "arms": [normal(arm.model_dump(mode="python", by_alias=True)) for arm in request.arms],
        "since": milliseconds(request.since),
    }


def milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
