"""Entries of experiments: plans, windows and exclusions.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KINDS = "kind IN ('opened', 'bounds', 'plan', 'window', 'exclusions', 'look')"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("entries_kind", "entries", type_="check")
        op.create_check_constraint("entries_kind", "entries", _KINDS)
        return
    for statement in _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("evidence is never deleted: keep the database, or start with an empty one")


# SQLite cannot change a constraint in place, so the table is copied, in the migration's one transaction. The triggers
# go with the old table and are made again.
_SQLITE = (
    f"""CREATE TABLE entries_new (
         subject VARCHAR(253) NOT NULL, seq INTEGER NOT NULL, kind VARCHAR(16) NOT NULL, body TEXT NOT NULL,
         previous VARCHAR(71), digest VARCHAR(71) NOT NULL, result TEXT, recorded_at VARCHAR(32) NOT NULL,
         CONSTRAINT entries_pkey PRIMARY KEY (subject, seq),
         CONSTRAINT entries_digest_key UNIQUE (digest),
         CONSTRAINT entries_kind CHECK ({_KINDS}),
         CONSTRAINT entries_first CHECK ((seq = 0) = (previous IS NULL)),
         CONSTRAINT entries_opened CHECK ((seq = 0) = (kind = 'opened')))""",
    "INSERT INTO entries_new SELECT subject, seq, kind, body, previous, digest, result, recorded_at FROM entries",
    "DROP TABLE entries",
    "ALTER TABLE entries_new RENAME TO entries",
    """CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
       BEGIN SELECT RAISE(ABORT, 'evidence is append-only: an entry is never changed'); END""",
    """CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
       BEGIN SELECT RAISE(ABORT, 'evidence is append-only: an entry is never deleted'); END""",
    """CREATE TRIGGER entries_linked BEFORE INSERT ON entries WHEN NEW.seq > 0 AND NOT EXISTS (
         SELECT 1 FROM entries WHERE subject = NEW.subject AND seq = NEW.seq - 1 AND digest = NEW.previous)
       BEGIN SELECT RAISE(ABORT, 'evidence is a chain: an entry follows the one before it'); END""",
)
