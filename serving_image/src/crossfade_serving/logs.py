"""Logs as JSON, one object per line, on the standard error stream."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

LOGGER = logging.getLogger("crossfade_serving")
_CHATTY = ("kserve", "uvicorn", "grpc", "asyncio")


class JsonFormatter(logging.Formatter):
    """Formats a record as one line: time, level, event, and the fields given as ``extra={"fields": …}``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure() -> None:
    """Send all logs through the formatter; libraries speak from warnings upwards."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def info(event: str, **fields: object) -> None:
    """Log an event of the server's life."""
    LOGGER.info(event, extra={"fields": fields})


def error(event: str, **fields: object) -> None:
    """Log a failure."""
    LOGGER.error(event, extra={"fields": fields})


def warning(event: str, **fields: object) -> None:
    """Log something that a person may want to look at."""
    LOGGER.warning(event, extra={"fields": fields})
