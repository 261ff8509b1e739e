"""The append-only chain of evidence.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "entries",
        sa.Column("subject", sa.String(253), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("previous", sa.String(71), nullable=True),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("result", sa.Text, nullable=True),
        sa.Column("recorded_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("subject", "seq", name="entries_pkey"),
        sa.UniqueConstraint("digest", name="entries_digest_key"),
        sa.CheckConstraint("kind IN ('opened', 'bounds', 'look')", name="entries_kind"),
        sa.CheckConstraint("(seq = 0) = (previous IS NULL)", name="entries_first"),
        sa.CheckConstraint("(seq = 0) = (kind = 'opened')", name="entries_opened"),
    )
    statements = _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("evidence is never deleted: keep the database, or start with an empty one")


_SQLITE = (
    """CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
       BEGIN SELECT RAISE(ABORT, 'evidence is append-only: an entry is never changed'); END""",
    """CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
       BEGIN SELECT RAISE(ABORT, 'evidence is append-only: an entry is never deleted'); END""",
    """CREATE TRIGGER entries_linked BEFORE INSERT ON entries WHEN NEW.seq > 0 AND NOT EXISTS (
         SELECT 1 FROM entries WHERE subject = NEW.subject AND seq = NEW.seq - 1 AND digest = NEW.previous)
       BEGIN SELECT RAISE(ABORT, 'evidence is a chain: an entry follows the one before it'); END""",
)

_POSTGRESQL = (
    """CREATE FUNCTION entries_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE EXCEPTION 'evidence is append-only: an entry is never changed or deleted'; END $$""",
    """CREATE TRIGGER entries_no_change BEFORE UPDATE OR DELETE ON entries
       FOR EACH ROW EXECUTE FUNCTION entries_append_only()""",
    """CREATE TRIGGER entries_no_truncate BEFORE TRUNCATE ON entries
       FOR EACH STATEMENT EXECUTE FUNCTION entries_append_only()""",
    """CREATE FUNCTION entries_follow() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF NEW.seq > 0 AND NOT EXISTS (
           SELECT 1 FROM entries WHERE subject = NEW.subject AND seq = NEW.seq - 1 AND digest = NEW.previous)
         THEN RAISE EXCEPTION 'evidence is a chain: an entry follows the one before it'
           USING ERRCODE = 'integrity_constraint_violation'; END IF;
         RETURN NEW;
       END $$""",
    """CREATE TRIGGER entries_linked BEFORE INSERT ON entries
       FOR EACH ROW EXECUTE FUNCTION entries_follow()""",
)
