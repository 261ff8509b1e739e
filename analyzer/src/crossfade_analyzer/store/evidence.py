"""The evidence store: entries are appended, never changed, and leave it as whole subjects only, when these are
archived; the database itself refuses everything else."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from crossfade_analyzer.snapshots import Entry, Kind

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_MS = 10_000
_PAGE = 200

metadata = sa.MetaData()
entries = sa.Table(
    "entries",
    metadata,
    sa.Column("subject", sa.String(253), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("previous", sa.String(71)),
    sa.Column("digest", sa.String(71), nullable=False, unique=True),
    sa.Column("result", sa.Text),
    sa.Column("recorded_at", sa.String(32), nullable=False),
)
_FIELDS = [entries.c[name] for name in ("subject", "seq", "kind", "body", "previous", "digest", "result")]


class StoreUnavailable(Exception):
    """The evidence store cannot be used; the message says why and what to do."""


class AppendedMeanwhile(Exception):
    """Somebody else appended to this subject first; read it again."""


class Evidence:
    """Entries by subject, in order. Safe for several threads and processes at once."""

    def __init__(
        self, url: str, now: Callable[[], datetime] = lambda: datetime.now(UTC), *, read_only: bool = False
    ) -> None:
        self._url = checked_url(url)
        self._now = now
        self._engine = _engine(self._url, read_only=read_only)

    def close(self) -> None:
        self._engine.dispose()

    def migrate(self) -> None:
        """Bring the schema up to this version; does nothing when it is. Two at once are safe."""
        try:
            with self._engine.connect() as connection:
                _lock(connection)
                config = _alembic()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.commit()
        except (SQLAlchemyError, OSError) as error:
            raise self._unavailable(error) from error

    def check(self) -> None:
        """Raise `StoreUnavailable` unless the store answers and has this version's schema."""
        wanted = ScriptDirectory.from_config(_alembic()).get_current_head()
        try:
            with self._engine.connect() as connection:
                found = MigrationContext.configure(connection).get_current_revision()
        except SQLAlchemyError as error:
            raise self._unavailable(error) from error
        if found != wanted:
            raise StoreUnavailable(
                f"the evidence store has schema {found or 'none'}, this version needs {wanted}; "
                "run `crossfade-analyzer migrate`"
            )

    def ping(self) -> None:
        """Raise `StoreUnavailable` unless the store answers. Cheap enough for a probe every second."""
        self._select(sa.select(*_FIELDS).limit(1).where(sa.false()))

    def append(self, entry: Entry, recorded_at: str | None = None) -> None:
        """Add the next entry of a subject, durably, or raise `AppendedMeanwhile`: then nothing was written."""
        row = {column.name: getattr(entry, column.name) for column in _FIELDS}
        row |= {"kind": entry.kind.value, "recorded_at": recorded_at or self._now().isoformat()}
        try:
            with self._engine.begin() as connection:
                connection.execute(entries.insert().values(row))
        except IntegrityError as error:
            raise AppendedMeanwhile(f"entry {entry.seq} of {entry.subject} is there already") from error
        except SQLAlchemyError as error:
            raise self._unavailable(error) from error

    def chain(self, subject: str, after: int = -1, through: int | None = None) -> Iterator[Entry]:
        """A subject's entries in order, in pages: those with a number above `after`, up to and with `through`."""
        query = sa.select(*_FIELDS).where(entries.c.subject == subject).order_by(entries.c.seq).limit(_PAGE)
        if through is not None:
            query = query.where(entries.c.seq <= through)
        while page := self._select(query.where(entries.c.seq > after)):
            yield from page
            after = page[-1].seq

    def of_kind(self, subject: str, kind: Kind, through: int | None = None) -> Entry | None:
        """A subject's first entry of a kind."""
        query = sa.select(*_FIELDS).where(entries.c.subject == subject, entries.c.kind == kind.value)
        query = query.order_by(entries.c.seq).limit(1)
        found = self._select(query if through is None else query.where(entries.c.seq <= through))
        return found[0] if found else None

    def find(self, digest: str) -> Entry | None:
        """The entry that has this digest."""
        found = self._select(sa.select(*_FIELDS).where(entries.c.digest == digest))
        return found[0] if found else None

    def recorded_at(self, entry: Entry) -> str | None:
        """When an entry was appended, ISO 8601."""
        query = sa.select(entries.c.recorded_at).where(entries.c.digest == entry.digest)
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).scalar()
        except SQLAlchemyError as error:
            raise self._unavailable(error) from error

    def copy_to(self, path: Path, subjects: Collection[str] | None = None) -> None:
        """Copy the entries of some subjects, or of all, as they are now into a new SQLite store at `path`, while this
        one is in use."""
        try:
            if subjects is None and self._url.get_backend_name() == "sqlite":
                self._copy_online(path)
            else:
                self._copy_entries(path, subjects)
            with contextlib.closing(sqlite3.connect(path)) as made:
                made.execute("PRAGMA journal_mode=DELETE")  # one file, also while it is read
        except SQLAlchemyError as error:
            raise self._unavailable(error) from error

    def _copy_online(self, path: Path) -> None:
        """SQLite's own online backup: one consistent state, without stopping writers."""
        with self._engine.connect() as connection, contextlib.closing(sqlite3.connect(path)) as target:
            driver: Any = connection.connection.driver_connection
            driver.backup(target)

    def _copy_entries(self, path: Path, subjects: Collection[str] | None) -> None:
        """One snapshot of the database, entry by entry."""
        target = Evidence(f"sqlite:///{path.absolute()}")
        target.migrate()
        rows = sa.select(entries).order_by(entries.c.subject, entries.c.seq)
        if subjects is not None:
            rows = rows.where(entries.c.subject.in_(subjects))
        isolation = "SERIALIZABLE" if self._url.get_backend_name() == "sqlite" else "REPEATABLE READ"
        try:
            with (
                self._engine.connect().execution_options(isolation_level=isolation, yield_per=_PAGE) as source,
                target._engine.begin() as sink,
            ):
                for row in source.execute(rows):
                    sink.execute(entries.insert().values(dict(row._mapping)))
        finally:
            target.close()

    def subjects(self) -> list[str]:
        """Every subject, sorted."""
        return self._names(sa.select(entries.c.subject).where(entries.c.seq == 0).order_by(entries.c.subject))

    def _names(self, query: sa.Select[Any]) -> list[str]:
        try:
            with self._engine.connect() as connection:
                return list(connection.execute(query).scalars())
        except SQLAlchemyError as error:
            raise self._unavailable(error) from error

    def at_rest_since(self, before: datetime) -> list[str]:
        """The subjects to which nothing was added at `before` or later, sorted."""
        return self._names(_at_rest(before).order_by(entries.c.subject))

    def take_out(self, subjects: Collection[str], before: datetime) -> None:
        """Remove whole subjects, all or none: only those to which nothing was added at `before` or later.

        The one way for an entry to leave the store. Its guards are put aside for this transaction alone.
        """
        try:
            with self._engine.connect() as connection:
                _lock(connection)
                with _guards_put_aside(connection):
                    at_rest = _at_rest(before).where(entries.c.subject.in_(subjects))
                    connection.execute(entries.delete().where(entries.c.subject.in_(at_rest)))
                connection.commit()
        except SQLAlchemyError as error:
            raise self._unavailable(error) from error

    def dump(self, subject: str | None = None) -> Iterator[Entry]:
        """All entries of one subject or of all, in order."""
        for name in [subject] if subject is not None else self.subjects():
            yield from self.chain(name)

    def _select(self, query: sa.Select[Any]) -> list[Entry]:
        try:
            with self._engine.connect() as connection:
                return [_entry(row) for row in connection.execute(query)]
        except SQLAlchemyError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        lines = str(getattr(error, "orig", None) or error).strip().splitlines()
        cause = lines[0] if lines else type(error).__name__
        shown = self._url.render_as_string(hide_password=True)
        advice = next(text for word, text in _ADVICE.items() if word in cause.lower())
        return StoreUnavailable(f"the evidence store {shown} cannot be used ({cause}); {advice}")


# What to do, by a word of the database's own message; nothing is ever half-written, so no repair is needed.
_ADVICE = {
    "full": "free space on its volume or enlarge it: evaluations go on by themselves, and nothing was lost",
    "no space": "free space on its volume or enlarge it: evaluations go on by themselves, and nothing was lost",
    "readonly": "make its volume and file writable for this process: evaluations then go on by themselves",
    "read-only": "make its volume or transaction writable for this process: evaluations then go on by themselves",
    "locked": "another process has held it for too long; look for a second analyzer or an open transaction",
    "": "check CROSSFADE_STORE_URL, that the volume is writable or the database runs, and its schema",
}


def checked_url(url: str) -> URL:
    """Parse a store URL, or raise `ValueError` with what to write instead."""
    try:
        parsed = make_url(url)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise ValueError(f"CROSSFADE_STORE_URL={url!r} is no database URL; {_EXAMPLES}") from error
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite":
        raise ValueError(f"CROSSFADE_STORE_URL: {parsed.get_backend_name()!r} is not supported; {_EXAMPLES}")
    if not parsed.database or parsed.database == ":memory:":
        raise ValueError(f"CROSSFADE_STORE_URL names no file, so evidence would be lost at every restart; {_EXAMPLES}")
    return parsed


_EXAMPLES = "use sqlite:////var/lib/crossfade/evidence.db or postgresql://user:password@host/database"


def _engine(url: URL, *, read_only: bool = False) -> sa.Engine:
    if url.get_backend_name() == "postgresql":
        return sa.create_engine(url, pool_pre_ping=True, pool_size=5, connect_args={"connect_timeout": 5})
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_MS / 1000})

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        # FULL: a look that was answered survives a power cut, not only a crash of the process.
        changing = ("query_only=ON",) if read_only else ("journal_mode=WAL", "synchronous=FULL")
        for pragma in (f"busy_timeout={_BUSY_MS}", *changing):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _at_rest(before: datetime) -> sa.Select[Any]:
    """Subjects whose every entry was recorded before an instant, UTC."""
    return (
        sa.select(entries.c.subject)
        .group_by(entries.c.subject)
        .having(sa.func.max(entries.c.recorded_at) < before.isoformat())
    )


@contextlib.contextmanager
def _guards_put_aside(connection: sa.Connection) -> Iterator[None]:
    """Let entries be deleted; the guards are there again when the transaction ends, whatever becomes of it."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ALTER TABLE entries DISABLE TRIGGER entries_no_change")
        yield
        connection.exec_driver_sql("ALTER TABLE entries ENABLE TRIGGER entries_no_change")
    else:
        guard = connection.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE name = 'entries_no_delete'"
        ).scalar_one()
        connection.exec_driver_sql("DROP TRIGGER entries_no_delete")
        yield
        connection.exec_driver_sql(guard)


def _lock(connection: sa.Connection) -> None:
    """Let one process migrate at a time; the others wait and find nothing left to do."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(719003)"))
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _entry(row: sa.Row[Any]) -> Entry:
    fields = dict(row._mapping)
    return Entry(**{**fields, "kind": Kind(fields["kind"])})
