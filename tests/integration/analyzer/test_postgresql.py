"""The evidence store on a real PostgreSQL: the same promises as on SQLite."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from crossfade_analyzer.snapshots import Entry, Kind, link
from crossfade_analyzer.store.archive import archive
from crossfade_analyzer.store.backup import backup, restore
from crossfade_analyzer.store.evidence import AppendedMeanwhile, Evidence
from dev.cluster import packages
from tests.integration.analyzer.prometheus_server import eventually

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="starts PostgreSQL as its own user, which needs root")


def _programs() -> Path:
    packages.ensure(packages.POSTGRESQL, purpose="tests on a real PostgreSQL")
    return max(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A PostgreSQL of our own on a free loopback port. It refuses to run as root, so it runs as its own user."""
    programs = _programs()
    directory = Path(tempfile.mkdtemp(prefix="crossfade-postgresql-"))
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() == 0:
        shutil.chown(directory, user)
    as_user = {"user": user} if os.geteuid() == 0 else {}
    data = directory / "data"
    initdb = [programs / "initdb", "-D", data, "-U", "crossfade", "--auth=trust", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, timeout=120, cwd="/", **as_user)  # type: ignore[call-overload]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = ["-h", "127.0.0.1", "-p", str(port), "-k", directory]
    process = subprocess.Popen(  # type: ignore[call-overload]
        [programs / "postgres", "-D", data, *address], stderr=subprocess.DEVNULL, cwd="/", **as_user
    )
    made = f"postgresql://crossfade@127.0.0.1:{port}/postgres"
    try:
        eventually("PostgreSQL answers", lambda: _answers(made), 60)
        yield made
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(directory)


def _answers(url: str) -> bool:
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        with engine.connect():
            return True
    except OperationalError:
        return False
    finally:
        engine.dispose()


@pytest.fixture
def store(url: str) -> Iterator[Evidence]:
    made = Evidence(url)
    made.migrate()
    yield made
    made.close()


def chain(subject: str, looks: int) -> list[Entry]:
    made = [link(subject, Kind.OPENED, {"subject": subject}, None)]
    for number in range(looks):
        made.append(link(subject, Kind.LOOK, {"look": number + 1}, made[-1], "{}"))
    return made


def test_migrating_twice_at_once_is_safe(url: str) -> None:
    stores = [Evidence(url) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(Evidence.migrate, stores))
    for store in stores:
        store.check()
        store.close()


def test_what_was_appended_is_read_back(store: Evidence) -> None:
    entries = chain("read", 3)
    for entry in entries:
        store.append(entry)
    assert list(store.chain("read")) == entries
    assert store.find(entries[2].digest) == entries[2]


def test_one_of_many_appends_wins(store: Evidence) -> None:
    opened = chain("race", 0)[0]
    store.append(opened)
    rivals = [link("race", Kind.LOOK, {"look": number}, opened) for number in range(8)]

    def won(entry: Entry) -> bool:
        try:
            store.append(entry)
        except AppendedMeanwhile:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(won, rivals)) == 1
    assert len(list(store.chain("race"))) == 2


def test_an_entry_must_follow_the_one_before_it(store: Evidence) -> None:
    opened, _, second = chain("gap", 2)
    store.append(opened)
    with pytest.raises(AppendedMeanwhile):
        store.append(second)
    assert list(store.chain("gap")) == [opened]


@pytest.mark.parametrize("statement", ["UPDATE entries SET body = 'x'", "DELETE FROM entries", "TRUNCATE entries"])
def test_the_database_refuses_to_change_or_delete(store: Evidence, url: str, statement: str) -> None:
    entries = chain(statement, 1)
    for entry in entries:
        store.append(entry)
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()
    assert list(store.chain(statement)) == entries


def test_a_backup_of_postgresql_is_restored_into_sqlite_and_back(store: Evidence, url: str, tmp_path: Path) -> None:
    for entry in chain("backed-up", 250):
        store.append(entry)
    done = backup(store, tmp_path / "copy.db")
    assert done.entries == len(list(store.dump()))
    sqlite = Evidence(f"sqlite:///{tmp_path / 'evidence.db'}")
    sqlite.migrate()
    assert restore(sqlite, tmp_path / "copy.db").added == done.entries
    assert list(sqlite.chain("backed-up")) == chain("backed-up", 250)
    more = chain("only-in-sqlite", 2)
    for entry in more:
        sqlite.append(entry)
    backup(sqlite, tmp_path / "more.db")
    assert restore(store, tmp_path / "more.db").added == 3
    assert list(store.chain("only-in-sqlite")) == more
    sqlite.close()


def test_old_evidence_is_archived_and_comes_back(store: Evidence, url: str, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    long_ago = now - timedelta(days=100)
    for entry in chain("at-rest", 250):
        store.append(entry, long_ago.isoformat())
    for entry in chain("goes-on", 2):
        store.append(entry)
    done = archive(store, tmp_path / "archive.db", now - timedelta(days=50), now)
    assert (done.subjects, done.entries) == (1, 251)
    assert not list(store.chain("at-rest"))
    assert len(list(store.chain("goes-on"))) == 3
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM entries"))
    engine.dispose()
    assert restore(store, tmp_path / "archive.db").added == 251


def test_an_experiments_entries_are_taken(store: Evidence) -> None:
    opened = chain("experiment", 0)[0]
    window = link("experiment", Kind.WINDOW, {"window": 1}, opened)
    for entry in (opened, window, link("experiment", Kind.EXCLUSIONS, {"ranges": []}, window)):
        store.append(entry)
    assert len(list(store.chain("experiment"))) == 3
