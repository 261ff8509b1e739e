"""The evidence store in memory, for replays by the hundred: appended once, in order, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from crossfade_analyzer.snapshots import Entry, Kind
from crossfade_analyzer.store.evidence import AppendedMeanwhile


class MemoryEvidence:
    def __init__(self) -> None:
        self.entries: dict[str, list[Entry]] = {}

    def append(self, entry: Entry) -> None:
        chain = self.entries.setdefault(entry.subject, [])
        if entry.seq != len(chain) or (chain and entry.previous != chain[-1].digest):
            raise AppendedMeanwhile(f"entry {entry.seq} of {entry.subject}")
        chain.append(entry)

    def chain(self, subject: str, after: int = -1, through: int | None = None) -> Iterator[Entry]:
        for entry in self.entries.get(subject, [])[after + 1 :]:
            if through is None or entry.seq <= through:
                yield entry

    def of_kind(self, subject: str, kind: Kind, through: int | None = None) -> Entry | None:
        return next((entry for entry in self.chain(subject, through=through) if entry.kind is kind), None)

    def find(self, digest: str) -> Entry | None:
        return next((e for chain in self.entries.values() for e in chain if e.digest == digest), None)
