"""Recompute what stands behind a digest from the store alone, and say exactly what differs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crossfade_analyzer.contract import Evaluation
from crossfade_analyzer.evaluator import refold
from crossfade_analyzer.rules import judge
from crossfade_analyzer.snapshots import Entry, Kind, differences, digest_of
from crossfade_analyzer.store.evidence import Evidence

# Shown, not decided on: computed with library functions that may differ in the last place between machines.
_DISPLAY = ("ratio", "lower", "upper", "dispersion", "value")


@dataclass(frozen=True)
class Verification:
    """What was recomputed, and every difference as a sentence; none means verified."""

    digest: str
    subject: str
    looks: int
    verdict: str
    rule: str
    differences: tuple[str, ...]


class UnknownDigest(LookupError):
    """No entry of the store has this digest."""


def verify(store: Evidence, digest: str) -> Verification:
    """Check a look's whole chain of digests, and recompute its verdict from the stored counts."""
    target = store.find(digest)
    if target is None or target.kind is not Kind.LOOK:
        raise UnknownDigest(f"no look in the evidence store has the digest {digest}")
    broken = tuple(_chain(store, target))
    fold = refold(store, target.subject, target.seq)
    if fold is None:
        return Verification(digest, target.subject, 0, "", "", (*broken, "the subject has no first entry"))
    judged = judge(fold, target.content()["step"])
    stored = Evaluation.model_validate_json(target.result or "{}") if target.result else None
    results = ("no verdict was stored with this look",) if stored is None else tuple(_compare(stored, judged))
    return Verification(digest, target.subject, fold.looks, judged.verdict.value, judged.rule, (*broken, *results))


def _chain(store: Evidence, target: Entry) -> Iterator[str]:
    previous: Entry | None = None
    for entry in store.chain(target.subject, through=target.seq):
        where = f"entry {entry.seq} ({entry.kind})"
        if entry.seq != (previous.seq + 1 if previous else 0):
            yield f"{where}: the entries before it are missing"
        if entry.previous != (previous.digest if previous else None):
            yield f"{where}: it follows {entry.previous}, but the entry before it is {previous and previous.digest}"
        computed = digest_of(entry.subject, entry.seq, entry.kind, entry.body, entry.previous)
        if computed != entry.digest:
            yield f"{where}: stored digest {entry.digest}, its content gives {computed}: the content was changed"
        previous = entry


def _compare(stored: Evaluation, judged: Evaluation) -> Iterator[str]:
    one, other = (json.loads(item.model_dump_json(by_alias=True)) for item in (stored, judged))
    for shown, computed in zip(one["metrics"], other["metrics"], strict=False):
        _level(shown, computed)
    yield from (f"verdict: {text.replace('given', 'recomputed')}" for text in differences(one, other))


def _level(stored: dict[str, Any], computed: dict[str, Any]) -> None:
    """Take a displayed number as the same when it differs by rounding only."""
    for name in (key for key in _DISPLAY if key in stored and key in computed):
        a, b = stored[name], computed[name]
        if isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12):
            computed[name] = a
