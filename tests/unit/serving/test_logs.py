"""One JSON object per line."""

from __future__ import annotations

import json
import logging

from crossfade_serving.logs import JsonFormatter


def test_a_record_becomes_one_line_with_its_fields() -> None:
    record = logging.LogRecord("crossfade_serving", logging.ERROR, "f.py", 1, "inference failed", (), None)
    record.fields = {"arm": "candidate", "error": "two\nlines", "request_id": None}
    line = JsonFormatter().format(record)
    assert "\n" not in line
    written = json.loads(line)
    assert written.pop("time").endswith("+00:00")
    assert written == {
        "level": "error",
        "logger": "crossfade_serving",
        "event": "inference failed",
        "arm": "candidate",
        "error": "two\nlines",
        "request_id": None,
    }
