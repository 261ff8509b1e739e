"""One event, one line."""

from __future__ import annotations

import logging
import sys

from crossfade_operator.logs import LineFormatter


def record(message: str, *args: object, exc: bool = False) -> logging.LogRecord:
    info = sys.exc_info() if exc else None
    made = logging.LogRecord("crossfade_operator.runtime.queue", logging.WARNING, "f", 1, message, args, info)
    made.created = 1_772_366_400.5
    return made


def test_a_line_says_when_how_bad_who_and_what() -> None:
    line = LineFormatter().format(record("%s failed", "recs/ranker"))
    assert line == "2026-03-01T12:00:00.500Z WARNING runtime.queue: recs/ranker failed"


def test_a_message_of_several_lines_becomes_one() -> None:
    assert "\n" not in LineFormatter().format(record("first\n  second\r\nthird"))


def test_a_traceback_follows_indented() -> None:
    try:
        int("a defect")
    except ValueError:
        lines = LineFormatter().format(record("failed", exc=True)).splitlines()
    assert len(lines) > 2
    assert all(line.startswith("    ") for line in lines[1:])
    assert lines[-1].strip().startswith("ValueError: ")
