"""One line per event: time, level, who, what. A traceback, which only a defect brings, follows indented."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime


class LineFormatter(logging.Formatter):
    """`2026-11-22T21:50:00.123Z INFO    queue  endpoint recs/ranker ...`"""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        message = " ".join(record.getMessage().split())
        who = record.name.removeprefix("crossfade_operator.")
        line = f"{moment.replace('+00:00', 'Z')} {record.levelname:<7} {who}: {message}"
        if record.exc_info and record.exc_info[1]:
            line += "\n" + "\n".join(f"    {part}" for part in self.formatException(record.exc_info).splitlines())
        return line


def log_to_stderr(level: str) -> None:
    """Our own messages from `level` on; of the libraries' only what is a warning."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("crossfade_operator").setLevel(level)
