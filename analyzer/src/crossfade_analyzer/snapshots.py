"""Evidence as it is kept: integers in canonical JSON, each entry's digest covering the one before it.

A rollout's entries are `opened` (the plan), `bounds` (the latency bounds that were chosen, once), and `look`s. An
experiment's are those and `plan` (what its looks aim at, once), `window`s (the counts) and `exclusions` (time that
counts for no arm). The digest of the last entry stands for all evidence up to it, and every verdict is a function of
these entries alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from crossfade_analyzer.contract import EvaluationRequest
from crossfade_analyzer.sources.readings import Cells

FORMAT = 1
REQUESTS = "requests"


class Kind(StrEnum):
    OPENED = "opened"
    BOUNDS = "bounds"
    LOOK = "look"
    PLAN = "plan"
    WINDOW = "window"
    EXCLUSIONS = "exclusions"


@dataclass(frozen=True)
class Entry:
    """One link of a subject's chain. `body` is canonical JSON; `result` is what was judged then (not digested:
    it follows from the entries, and `verify` recomputes it)."""

    subject: str
    seq: int
    kind: Kind
    body: str
    previous: str | None
    digest: str
    result: str | None = None

    def content(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded


class Entries(Protocol):
    """Where chains can be read: the evidence store, or a file."""

    def chain(self, subject: str, after: int = -1, through: int | None = None) -> Iterator[Entry]:
        """A subject's entries in order: those with a number above `after`, up to and with `through`."""

    def of_kind(self, subject: str, kind: Kind, through: int | None = None) -> Entry | None:
        """A subject's first entry of a kind."""

    def find(self, digest: str) -> Entry | None:
        """The entry that has this digest."""


@dataclass(frozen=True)
class Snapshot:
    """One look: every count between two instants (ms), in the order control, candidate, by analysis bucket.

    `counts` maps a metric's name (or `<metric>/<bound>`) to events and their totals; `totals` of `None` are the
    requests. `ends` says up to when each group of series was read: a group that could not be is absent, and its
    counts fall into a later look. While routers were `shifting` to another share, `share` is not what all of them did.
    """

    look: int
    step: int
    share: Decimal
    start: int
    end: int
    floor: int
    requests: Cells
    counts: Mapping[str, tuple[Cells, Cells | None]]
    ends: Mapping[str, int]
    shifting: bool = False

    def body(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "look": self.look,
            "step": self.step,
            "share": plain(self.share),
            "start": self.start,
            "end": self.end,
            "floor": self.floor,
            "ends": dict(self.ends),
            REQUESTS: self.requests,
            "counts": {
                key: {"x": events, "n": REQUESTS if totals is None else totals}
                for key, (events, totals) in self.counts.items()
            },
            **({"shifting": True} if self.shifting else {}),
        }

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Snapshot:
        return cls(
            look=body["look"],
            step=body["step"],
            share=Decimal(body["share"]),
            start=body["start"],
            end=body["end"],
            floor=body["floor"],
            requests=_cells(body[REQUESTS]),
            counts={
                key: (_cells(pair["x"]), None if pair["n"] == REQUESTS else _cells(pair["n"]))
                for key, pair in body["counts"].items()
            },
            ends=body["ends"],
            shifting=body.get("shifting", False),
        )


def _cells(rows: list[list[int]]) -> Cells:
    return tuple(map(tuple, rows))


def opening(request: EvaluationRequest, rule: str) -> dict[str, Any]:
    """The first entry's body: everything the guarantee rests on. The same in every request of a subject."""
    return {
        "format": FORMAT,
        "rule": rule,
        "subject": request.subject,
        "plan": normal(request.plan.model_dump(mode="python", by_alias=True, exclude_none=True)),
        "control": request.control.model_dump(mode="json", by_alias=True),
        "candidate": request.candidate.model_dump(mode="json", by_alias=True),
        "since": milliseconds_of(request),
    }


def milliseconds_of(request: EvaluationRequest) -> int:
    return round(request.since.timestamp() * 1000)


def normal(value: Any) -> Any:
    """Numbers as plain decimal strings, so that 0.10, 1e-1 and 0.1 are the same plan."""
    if isinstance(value, Mapping):
        return {key: normal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [normal(item) for item in value]
    if isinstance(value, Decimal | float) and not isinstance(value, bool):
        return plain(Decimal(str(value)))
    return value


def plain(value: Decimal) -> str:
    """A decimal without exponent or trailing zeros."""
    return format(value.normalize(), "f")


def differences(stored: Any, given: Any, where: str = "") -> list[str]:
    """Where two bodies differ, as `path: stored X, given Y` sentences."""
    if isinstance(stored, Mapping) and isinstance(given, Mapping):
        keys = sorted({*stored, *given})
        return [d for key in keys for d in differences(stored.get(key), given.get(key), f"{where}.{key}".lstrip("."))]
    if isinstance(stored, list) and isinstance(given, list) and len(stored) == len(given):
        pairs = enumerate(zip(stored, given, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{where}[{i}]")]
    return [] if stored == given else [f"{where}: stored {_short(stored)}, given {_short(given)}"]


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def canonical(body: Mapping[str, Any]) -> str:
    """JSON with sorted keys, no spaces and ASCII only: the same bytes everywhere."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest_of(subject: str, seq: int, kind: str, body: str, previous: str | None) -> str:
    """sha256 over an entry and the digest of the one before it."""
    text = canonical({"subject": subject, "seq": seq, "kind": kind, "body": body, "previous": previous})
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def link(subject: str, kind: Kind, body: Mapping[str, Any], last: Entry | None, result: str | None = None) -> Entry:
    """The entry that follows `last`."""
    seq, previous = (last.seq + 1, last.digest) if last else (0, None)
    text = canonical(body)
    return Entry(subject, seq, kind, text, previous, digest_of(subject, seq, kind, text, previous), result)
