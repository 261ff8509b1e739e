"""The evidence store on SQLite: append-only, chained, one winner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from crossfade_analyzer.snapshots import Entry, Kind, link
from crossfade_analyzer.store.evidence import AppendedMeanwhile, Evidence, StoreUnavailable, checked_url


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'evidence.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Evidence]:
    made = Evidence(url)
    made.migrate()
    yield made
    made.close()


def chain(subject: str, looks: int) -> list[Entry]:
    made = [link(subject, Kind.OPENED, {"subject": subject}, None)]
    for number in range(looks):
        made.append(link(subject, Kind.LOOK, {"look": number + 1}, made[-1], '{"a":1}'))
    return made


def test_what_was_appended_is_read_back_in_order(store: Evidence) -> None:
    entries = chain("s", 230)
    for entry in entries:
        store.append(entry)
    assert list(store.chain("s")) == entries
    assert list(store.chain("s", after=10, through=220)) == entries[11:221]
    assert store.find(entries[7].digest) == entries[7]
    assert store.of_kind("s", Kind.LOOK) == entries[1]
    assert store.subjects() == ["s"]


def test_the_second_to_append_loses_and_nothing_is_written(store: Evidence, url: str) -> None:
    opened, look = chain("s", 1)
    store.append(opened)
    rival = link("s", Kind.LOOK, {"look": 99}, opened)
    other = Evidence(url)
    other.append(rival)
    with pytest.raises(AppendedMeanwhile):
        store.append(look)
    assert list(store.chain("s")) == [opened, rival]
    other.close()


def test_an_entry_must_follow_the_one_before_it(store: Evidence) -> None:
    opened, first, second = chain("s", 2)
    store.append(opened)
    with pytest.raises(AppendedMeanwhile):
        store.append(second)
    assert list(store.chain("s")) == [opened]
    store.append(first)


@pytest.mark.parametrize("statement", ["UPDATE entries SET body = 'x'", "DELETE FROM entries"])
def test_the_database_refuses_to_change_or_delete(store: Evidence, url: str, statement: str) -> None:
    for entry in chain("s", 1):
        store.append(entry)
    engine = sa.create_engine(url)
    with pytest.raises(IntegrityError, match="append-only"), engine.begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()
    assert list(store.chain("s")) == chain("s", 1)


def test_migrating_again_changes_nothing(store: Evidence) -> None:
    store.append(chain("s", 0)[0])
    store.migrate()
    store.check()
    store.ping()
    assert store.subjects() == ["s"]


def test_a_store_without_schema_says_so(url: str) -> None:
    empty = Evidence(url)
    with pytest.raises(StoreUnavailable, match="crossfade-analyzer migrate"):
        empty.check()
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        empty.ping()
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        empty.subjects()
    empty.close()


def test_a_store_that_cannot_be_opened_says_so() -> None:
    store = Evidence("sqlite:////nonexistent/evidence.db")
    with pytest.raises(StoreUnavailable, match="volume is writable"):
        store.migrate()
    store.close()


def test_passwords_are_not_shown() -> None:
    store = Evidence("postgresql://user:secret@127.0.0.1:1/db")
    with pytest.raises(StoreUnavailable) as caught:
        store.subjects()
    assert "secret" not in str(caught.value)
    store.close()


def test_postgresql_uses_its_driver() -> None:
    assert checked_url("postgresql://u@h/d").drivername == "postgresql+psycopg"
