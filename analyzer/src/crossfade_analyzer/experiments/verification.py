"""Recompute an experiment from its entries: every look from the windows before it, every judgement from the looks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from crossfade_analyzer.experiments.fold import Fold
from crossfade_analyzer.experiments.looks import Due, take
from crossfade_analyzer.experiments.records import Look
from crossfade_analyzer.experiments.rules import judge
from crossfade_analyzer.snapshots import Entry, Kind, canonical, differences

# Scores and bounds are kept to 1e-6; library functions may round the last digit otherwise on another machine.
_ROUNDING = 2e-6


@dataclass(frozen=True)
class Recomputed:
    """What was found, and every difference as a sentence."""

    looks: int
    windows: int
    verdict: str
    differences: tuple[str, ...]


def recompute(entries: Sequence[Entry]) -> Recomputed:
    """Fold the entries and compare every look and judgement with the stored one. Entries that cannot be read stop it
    with a sentence."""
    fold = Fold.opened_by(entries[0])
    found: list[str] = []
    for entry in entries[1:]:
        try:
            found += _added(fold, entry)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            found.append(f"entry {entry.seq} ({entry.kind}) cannot be recomputed from those before it: {error}")
            break
    judged = judge(fold)
    return Recomputed(len(fold.looks), len(fold.windows), judged.recommendation.value, tuple(found))


def _added(fold: Fold, entry: Entry) -> Iterator[str]:
    if entry.kind is not Kind.LOOK:
        fold.add(entry)
        return
    stored = Look.of(entry.content())
    again = bool(fold.looks) and fold.looks[-1].windows == stored.windows and fold.exclusions_since_look
    computed = take(fold, Due(stored.number, stored.final, stored.cause, again))
    where = f"entry {entry.seq} (look {stored.number})"
    yield from (f"{where}: {text}" for text in _differing(stored.body(), computed.body()))
    fold.add(entry)
    if entry.result is None:
        yield f"{where}: no judgement was stored with it"
        return
    judged = json.loads(judge(fold).model_dump_json(by_alias=True))
    yield from (f"{where}: judged {text}" for text in _differing(json.loads(entry.result), judged))


def _differing(stored: Any, computed: Any) -> list[str]:
    one, other = (json.loads(canonical(body)) for body in (stored, computed))
    return [text.replace("given", "recomputed") for text in differences(one, _levelled(one, other))]


def _levelled(stored: Any, computed: Any) -> Any:
    """`computed`, with numbers that differ from the stored ones by rounding only taken as the same."""
    if isinstance(stored, dict) and isinstance(computed, dict):
        return {key: _levelled(stored.get(key), value) for key, value in computed.items()}
    if isinstance(stored, list) and isinstance(computed, list) and len(stored) == len(computed):
        return [_levelled(a, b) for a, b in zip(stored, computed, strict=True)]
    close = isinstance(stored, float) and isinstance(computed, float)
    return stored if close and math.isclose(stored, computed, rel_tol=1e-6, abs_tol=_ROUNDING) else computed
