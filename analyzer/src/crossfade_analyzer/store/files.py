"""Evidence in a file: one subject's chain up to a digest, which verifies on another machine without the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from crossfade_analyzer.contract import EvidenceEntry, EvidenceFile
from crossfade_analyzer.snapshots import Entries, Entry, Kind, canonical

DECISION_FORMAT = "crossfade-decision@1"
"""What `kubectl crossfade export` writes: the Decision, what people said of it, and under `evidence` this file."""


class UnreadableFile(ValueError):
    """A file holds no evidence; the message says why."""


class FileEvidence:
    """Entries as a file has them, in its own order."""

    def __init__(self, found: EvidenceFile) -> None:
        self.subject, self.digest = found.subject, found.digest
        self.entries = [_entry(found.subject, one) for one in found.entries]

    def chain(self, subject: str, after: int = -1, through: int | None = None) -> Iterator[Entry]:
        for entry in self.entries if subject == self.subject else ():
            if entry.seq > after and (through is None or entry.seq <= through):
                yield entry

    def of_kind(self, subject: str, kind: Kind, through: int | None = None) -> Entry | None:
        return next((entry for entry in self.chain(subject, through=through) if entry.kind is kind), None)

    def find(self, digest: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.digest == digest), None)


def exported(store: Entries, target: Entry) -> EvidenceFile:
    """All evidence up to an entry."""
    entries = tuple(
        EvidenceEntry(
            seq=entry.seq,
            kind=entry.kind.value,
            body=entry.content(),
            previous=entry.previous,
            digest=entry.digest,
            result=json.loads(entry.result) if entry.result else None,
        )
        for entry in store.chain(target.subject, through=target.seq)
    )
    return EvidenceFile(subject=target.subject, digest=target.digest, entries=entries)


def read(path: Path) -> FileEvidence:
    """The evidence in a file: an `EvidenceFile`, or an exported Decision that holds one. Raises `UnreadableFile`."""
    try:
        content = json.loads(path.read_bytes())
        if isinstance(content, dict) and content.get("format") == DECISION_FORMAT:
            content = content.get("evidence")
        return FileEvidence(EvidenceFile.model_validate(content))
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}") from error
    except (ValidationError, ValueError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        what = f"{'/'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
        raise UnreadableFile(
            f"{path} is no evidence file ({what}); write one with `crossfade-analyzer export DIGEST > FILE`"
        ) from error


def _entry(subject: str, one: EvidenceEntry) -> Entry:
    try:
        kind = Kind(one.kind)
    except ValueError as error:
        raise UnreadableFile(f"entry {one.seq} has the unknown kind {one.kind!r}; use a newer version") from error
    result = None if one.result is None else json.dumps(one.result)
    return Entry(subject, one.seq, kind, canonical(one.body), one.previous, one.digest, result)
