"""Moving old evidence out of the store, into a backup file that holds it whole and checked: nothing is thrown away.

A subject goes as a whole or not at all, and only when nothing was added to it for a while. `restore` brings it back.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from crossfade_analyzer.store.backup import BackupFailed, Copied, written
from crossfade_analyzer.store.evidence import Evidence

AT_REST = timedelta(days=30)
"""How long nothing must have been added to a subject: a rollout may hold for long, and go on."""


def archive(store: Evidence, path: Path, before: datetime, now: datetime) -> Copied:
    """Write the subjects whose last entry is older than `before` to a file, and then take them out of the store.

    Raises `BackupFailed`: the file is there already or cannot be written, or `before` is less than 30 days ago. Then
    the store is as it was.
    """
    if before > now - AT_REST:
        raise BackupFailed(
            f"{before:%Y-%m-%d} is less than {AT_REST.days} days ago: what may still go on is not archived; "
            f"give {now - AT_REST:%Y-%m-%d} or a day before it"
        )
    subjects = store.at_rest_since(before.astimezone(UTC))
    if not subjects:
        return Copied(0, 0, 0)
    done = written(path, lambda partial: store.copy_to(partial, subjects))
    store.take_out(subjects, before.astimezone(UTC))
    return done
