"""Backing the evidence store up to one file, and back: a SQLite database with the same entries, whatever the store.

Restoring adds what is missing and never changes an entry; it may be repeated, and goes on where it was interrupted.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from crossfade_analyzer.snapshots import Entry, digest_of
from crossfade_analyzer.store.evidence import Evidence, StoreUnavailable


class BackupFailed(Exception):
    """A backup could not be written or restored; the message says why and what to do."""


@dataclass(frozen=True)
class Copied:
    """How many subjects and entries a copy holds, and how many of them were new."""

    subjects: int
    entries: int
    added: int


def backup(store: Evidence, path: Path) -> Copied:
    """Write a consistent copy while the store is in use. The file appears whole or not at all."""
    return written(path, store.copy_to)


def written(path: Path, copy: Callable[[Path], None]) -> Copied:
    """Let `copy` write a file, check every chain of it, and only then give it its name."""
    if path.exists():
        raise BackupFailed(f"{path} exists already; backups are never overwritten: give another name")
    if not path.parent.is_dir():
        raise BackupFailed(f"{path} cannot be written: there is no directory {path.parent}; make it")
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        copy(partial)
        copied = check(partial)
        partial.rename(path)
    except (OSError, sqlite3.Error) as error:
        raise BackupFailed(f"{path} cannot be written ({error}); check the directory and its free space") from error
    finally:
        for suffix in ("", "-wal", "-shm"):
            partial.with_name(partial.name + suffix).unlink(missing_ok=True)
    return copied


def check(path: Path) -> Copied:
    """Check every chain of a backup, or raise `BackupFailed` with the entry that is wrong."""
    with _opened(path) as source:
        subjects = source.subjects()
        entries = sum(1 for subject in subjects for _ in _checked(source, subject))
        return Copied(len(subjects), entries, 0)


def restore(store: Evidence, path: Path) -> Copied:
    """Add a backup's entries to a store, chain by chain, checking each. Raises `BackupFailed` before anything is added
    to a subject whose entries differ from the store's."""
    with _opened(path) as source:
        subjects = source.subjects()
        entries = added = 0
        for subject in subjects:
            here = {entry.seq: entry.digest for entry in store.chain(subject)}
            chain = list(_checked(source, subject))
            _refuse_other(subject, here, chain)
            for entry in chain[len(here) :]:
                store.append(entry, source.recorded_at(entry))
                added += 1
            entries += len(chain)
        return Copied(len(subjects), entries, added)


def _refuse_other(subject: str, here: dict[int, str], chain: list[Entry]) -> None:
    differing = next((e.seq for e in chain if e.seq in here and here[e.seq] != e.digest), None)
    if differing is not None:
        raise BackupFailed(
            f"{subject}: entry {differing} of the backup differs from the store's; both were written to: restore into "
            "an empty store, and keep the other for its own subjects"
        )


def _checked(source: Evidence, subject: str) -> Iterator[Entry]:
    previous: Entry | None = None
    for entry in source.chain(subject):
        follows = entry.seq == (previous.seq + 1 if previous else 0) and entry.previous == (
            previous.digest if previous else None
        )
        if not follows or digest_of(subject, entry.seq, entry.kind, entry.body, entry.previous) != entry.digest:
            raise BackupFailed(
                f"{subject}: entry {entry.seq} ({entry.kind}) of the backup is damaged, or one before it is missing; "
                "use another backup"
            )
        yield entry
        previous = entry


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Evidence]:
    if not path.is_file():
        raise BackupFailed(f"there is no file {path}")
    source = Evidence(f"sqlite:///{path.absolute()}", read_only=True)
    try:
        yield source
    except StoreUnavailable as error:
        raise BackupFailed(f"{path} is no backup of an evidence store ({error})") from error
    finally:
        source.close()
