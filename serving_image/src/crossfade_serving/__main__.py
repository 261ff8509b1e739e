"""The command ``crossfade-serving``."""

from __future__ import annotations

import sys

from crossfade_serving import logs
from crossfade_serving.errors import SettingsError
from crossfade_serving.server import serve
from crossfade_serving.settings import parse


def main() -> None:
    """Serve one model until SIGTERM; exit with 1 when it cannot be served."""
    logs.configure()
    try:
        settings = parse()
    except SettingsError as error:
        sys.exit(f"crossfade-serving: {error}")
    sys.exit(serve(settings))


if __name__ == "__main__":
    main()
