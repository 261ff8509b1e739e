"""Backups: consistent while the store is in use, checked entry by entry, restored without changing anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossfade_analyzer.snapshots import Entry, Kind, link
from crossfade_analyzer.store.backup import BackupFailed, backup, check, restore
from crossfade_analyzer.store.evidence import Evidence


def made(path: Path) -> Evidence:
    store = Evidence(f"sqlite:///{path}")
    store.migrate()
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Evidence]:
    store = made(tmp_path / "evidence.db")
    for subject, length in (("a", 4), ("b", 2)):
        for entry in chain(subject, length):
            store.append(entry)
    yield store
    store.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Evidence]:
    store = made(tmp_path / "other.db")
    yield store
    store.close()


def chain(subject: str, windows: int, first: str = "x") -> list[Entry]:
    entries = [link(subject, Kind.OPENED, {"subject": subject, "first": first}, None)]
    for number in range(windows):
        entries.append(link(subject, Kind.WINDOW, {"window": number + 1}, entries[-1], '{"a":1}'))
    return entries


def test_what_was_backed_up_is_restored_with_its_times(store: Evidence, other: Evidence, tmp_path: Path) -> None:
    done = backup(store, tmp_path / "copy.db")
    assert (done.subjects, done.entries) == (2, 8)
    assert restore(other, tmp_path / "copy.db").added == 8
    assert list(other.dump()) == list(store.dump())
    entry = chain("a", 4)[2]
    assert other.recorded_at(entry) == store.recorded_at(entry)


def test_a_backup_is_one_file_and_leaves_nothing_else(store: Evidence, tmp_path: Path) -> None:
    directory = tmp_path / "backups"
    directory.mkdir()
    backup(store, directory / "copy.db")
    check(directory / "copy.db")
    assert [path.name for path in directory.iterdir()] == ["copy.db"]


def test_restoring_again_or_into_what_went_on_adds_only_what_is_missing(
    store: Evidence, other: Evidence, tmp_path: Path
) -> None:
    backup(store, tmp_path / "copy.db")
    for entry in chain("a", 6)[:3]:
        other.append(entry)
    assert restore(other, tmp_path / "copy.db").added == 8 - 3
    assert restore(other, tmp_path / "copy.db").added == 0
    for entry in chain("a", 6)[5:]:
        other.append(entry)
    assert restore(other, tmp_path / "copy.db").added == 0
    assert list(other.chain("a")) == chain("a", 6)


def test_a_subject_that_went_another_way_is_refused(store: Evidence, other: Evidence, tmp_path: Path) -> None:
    backup(store, tmp_path / "copy.db")
    other.append(chain("a", 0, first="y")[0])
    with pytest.raises(BackupFailed, match="a: entry 0 of the backup differs"):
        restore(other, tmp_path / "copy.db")
    assert len(list(other.chain("a"))) == 1


DAMAGE = {
    "changed": ("""UPDATE entries SET body = '{"window":9}' WHERE subject = 'a' AND seq = 2""", "entry 2"),
    "missing": ("DELETE FROM entries WHERE subject = 'a' AND seq = 2", "entry 3"),
}


@pytest.mark.parametrize(("statement", "named"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_backup_is_found_before_anything_of_the_subject_is_added(
    store: Evidence, other: Evidence, tmp_path: Path, statement: str, named: str
) -> None:
    path = tmp_path / "copy.db"
    backup(store, path)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute("DROP TRIGGER entries_no_delete")
        connection.execute(statement)
    connection.close()
    with pytest.raises(BackupFailed, match=f"a: {named} .* is damaged"):
        restore(other, path)
    assert list(other.chain("a")) == []


def test_a_backup_is_never_overwritten(store: Evidence, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(BackupFailed, match="exists already"):
        backup(store, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"


def test_what_is_no_backup_says_so(other: Evidence, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="there is no file"):
        restore(other, tmp_path / "absent.db")
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at as one" * 20)
    with pytest.raises(BackupFailed, match="no backup of an evidence store"):
        restore(other, tmp_path / "text.db")
    with pytest.raises(BackupFailed, match="cannot be written"):
        backup(other, tmp_path / "absent" / "copy.db")


def test_a_store_of_the_version_before_keeps_its_entries_and_takes_experiments(tmp_path: Path) -> None:
    from alembic import command

    from crossfade_analyzer.store.evidence import _alembic

    store = Evidence(f"sqlite:///{tmp_path / 'old.db'}")
    config = _alembic()
    with store._engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.commit()
    opened = chain("a", 0)[0]
    look = link("a", Kind.LOOK, {"look": 1}, opened, "{}")
    store.append(opened)
    store.append(look)
    store.migrate()
    store.check()
    window = link("a", Kind.WINDOW, {"window": 1}, look)
    store.append(window)
    assert list(store.chain("a")) == [opened, look, window]
    with pytest.raises(sqlite3.IntegrityError, match="append-only"), sqlite3.connect(tmp_path / "old.db") as raw:
        raw.execute("DELETE FROM entries")
    raw.close()
    store.close()
