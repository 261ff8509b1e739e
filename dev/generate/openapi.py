"""`docs/reference/analyzer-openapi.json`: what the analyzer prints about its HTTP API."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO

from crossfade_analyzer.__main__ import main

PATH = "docs/reference/analyzer-openapi.json"


def files() -> dict[str, str]:
    """The one document."""
    printed = StringIO()
    with redirect_stdout(printed):
        main(["openapi"])
    return {PATH: printed.getvalue()}
