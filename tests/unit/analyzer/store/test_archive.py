"""Old evidence leaves the store as whole subjects, into a file that brings them back; nothing else ever leaves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crossfade_analyzer.snapshots import Kind, link
from crossfade_analyzer.store.archive import AT_REST, archive
from crossfade_analyzer.store.backup import BackupFailed, restore
from crossfade_analyzer.store.evidence import Evidence, StoreUnavailable
from tests.unit.analyzer.store.test_backup import chain, made

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
BEFORE = NOW - AT_REST


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Evidence]:
    """`old` was last added to on the day before, `just` at that instant, and `new` yesterday, though it began long
    ago."""
    store = made(tmp_path / "evidence.db")
    for subject, last in (("old", BEFORE - DAY), ("just", BEFORE), ("new", NOW - DAY)):
        entries = chain(subject, 3)
        for entry in entries:
            store.append(entry, (last if entry is entries[-1] else BEFORE - 100 * DAY).isoformat())
    yield store
    store.close()


def test_what_is_at_rest_moves_to_the_file_and_comes_back(store: Evidence, tmp_path: Path) -> None:
    whole, times = list(store.dump()), [store.recorded_at(entry) for entry in store.dump("old")]
    done = archive(store, tmp_path / "archive.db", BEFORE, NOW)
    assert (done.subjects, done.entries) == (1, 4)
    assert store.subjects() == ["just", "new"]
    assert store.find(chain("old", 3)[-1].digest) is None
    assert restore(store, tmp_path / "archive.db").added == 4
    assert list(store.dump()) == whole
    assert [store.recorded_at(entry) for entry in store.dump("old")] == times


def test_nothing_at_rest_makes_no_file(store: Evidence, tmp_path: Path) -> None:
    assert archive(store, tmp_path / "archive.db", BEFORE - 200 * DAY, NOW).subjects == 0
    assert not (tmp_path / "archive.db").exists()


def test_what_may_still_go_on_is_not_archived(store: Evidence, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="give 2026-05-02 or a day before it"):
        archive(store, tmp_path / "archive.db", BEFORE + DAY, NOW)
    assert len(store.subjects()) == 3


def test_a_file_that_cannot_be_written_takes_nothing_out(store: Evidence, tmp_path: Path) -> None:
    (tmp_path / "there.db").write_text("")
    for path in (tmp_path / "there.db", tmp_path / "nowhere" / "archive.db"):
        with pytest.raises(BackupFailed):
            archive(store, path, BEFORE, NOW)
    assert len(store.subjects()) == 3


def test_a_damaged_entry_takes_nothing_out(store: Evidence, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "evidence.db") as raw:
        raw.execute("DROP TRIGGER entries_no_update")
        raw.execute("UPDATE entries SET body = '{}' WHERE subject = 'old' AND seq = 2")
    with pytest.raises(BackupFailed, match="old: entry 2"):
        archive(store, tmp_path / "archive.db", BEFORE, NOW)
    assert len(store.subjects()) == 3
    assert not (tmp_path / "archive.db").exists()


def test_the_guards_are_there_again(store: Evidence, tmp_path: Path) -> None:
    archive(store, tmp_path / "archive.db", BEFORE, NOW)
    with sqlite3.connect(tmp_path / "evidence.db") as raw, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute("DELETE FROM entries WHERE subject = 'new'")


def test_what_was_added_to_meanwhile_stays(store: Evidence, tmp_path: Path) -> None:
    """Between the copy and the removal another process adds to a subject."""
    last = list(store.chain("old"))[-1]
    store.append(link("old", Kind.WINDOW, {"window": 4}, last), NOW.isoformat())
    store.take_out(["old"], BEFORE)
    assert len(list(store.chain("old"))) == 5


def test_a_removal_that_fails_leaves_entries_and_guards(store: Evidence, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "evidence.db") as raw:
        raw.execute("CREATE TRIGGER other BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'not that one'); END")
    with pytest.raises(StoreUnavailable, match="not that one"):
        archive(store, tmp_path / "archive.db", BEFORE, NOW)
    assert len(store.subjects()) == 3
    with sqlite3.connect(tmp_path / "evidence.db") as raw:
        guards = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    assert "entries_no_delete" in guards
