"""Recompute what stands behind a digest from stored evidence alone, and say exactly what differs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from crossfade_analyzer.contract import Evaluation, Verification
from crossfade_analyzer.evaluator import refold
from crossfade_analyzer.experiments import verification as experiments
from crossfade_analyzer.experiments.records import RULE as EXPERIMENT
from crossfade_analyzer.rules import judge
from crossfade_analyzer.snapshots import Entries, Entry, Kind, differences, digest_of
from crossfade_analyzer.store.files import FileEvidence

# Shown, not decided on: computed with library functions that may differ in the last place between machines.
_DISPLAY = ("ratio", "lower", "upper", "dispersion", "value")


class UnknownDigest(LookupError):
    """No entry of the evidence has this digest."""


def verify(store: Entries, digest: str) -> Verification:
    """Check the whole chain of digests up to an entry, and recompute what was judged from the stored counts."""
    target = store.find(digest)
    if target is None or target.kind not in (Kind.LOOK, Kind.WINDOW, Kind.EXCLUSIONS):
        raise UnknownDigest(f"no look in the evidence store has the digest {digest}")
    return _verified(store, target, list(store.chain(target.subject, through=target.seq)))


def verify_file(found: FileEvidence) -> Verification:
    """The same for a file, which holds one chain. Raises `UnknownDigest` when it does not hold its own digest."""
    target = found.find(found.digest)
    if target is None:
        raise UnknownDigest(f"the file is about {found.digest}, but no entry of it has this digest")
    return _verified(found, target, [entry for entry in found.entries if entry.seq <= target.seq])


def _verified(store: Entries, target: Entry, entries: list[Entry]) -> Verification:
    broken = tuple(_chain(entries))
    first = entries[0]
    if first.kind is not Kind.OPENED:
        return _report(target, (*broken, "the subject has no first entry"))
    if first.content().get("rule") == EXPERIMENT:
        found = experiments.recompute(entries)
        differing = (*broken, *found.differences)
        return _report(target, differing, found.looks, found.windows, found.verdict, EXPERIMENT)
    return _rollout(store, target, broken)


def _rollout(store: Entries, target: Entry, broken: tuple[str, ...]) -> Verification:
    fold = refold(store, target.subject, target.seq)
    assert fold is not None  # noqa: S101
    judged = judge(fold, target.content()["step"])
    stored = Evaluation.model_validate_json(target.result or "{}") if target.result else None
    results = ("no verdict was stored with this look",) if stored is None else tuple(_compare(stored, judged))
    return _report(target, (*broken, *results), fold.looks, 0, judged.verdict.value, judged.rule)


def _report(
    target: Entry, found: tuple[str, ...], looks: int = 0, windows: int = 0, verdict: str = "", rule: str = ""
) -> Verification:
    return Verification(
        digest=target.digest,
        subject=target.subject,
        verified=not found,
        looks=looks,
        windows=windows,
        verdict=verdict,
        rule=rule,
        differences=found,
    )


def _chain(entries: list[Entry]) -> Iterator[str]:
    """What is wrong with the links: changed, missing and re-ordered entries by name."""
    previous: Entry | None = None
    for entry in entries:
        where = _named(entry)
        expected = previous.seq + 1 if previous else 0
        if entry.seq > expected:
            yield f"{where}: the entries before it are missing, from entry {expected} on"
        elif entry.seq < expected:
            yield f"{where}: it stands after entry {expected - 1}: the entries were re-ordered or doubled"
        elif entry.previous != (previous.digest if previous else None):
            yield f"{where}: it follows {entry.previous}, but the entry before it is {previous and previous.digest}"
        computed = digest_of(entry.subject, entry.seq, entry.kind, entry.body, entry.previous)
        if computed != entry.digest:
            yield f"{where}: stored digest {entry.digest}, its content gives {computed}: the content was changed"
        previous = entry


def _named(entry: Entry) -> str:
    number = f" {entry.content().get('window')}" if entry.kind is Kind.WINDOW else ""
    return f"entry {entry.seq} ({entry.kind}{number})"


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
