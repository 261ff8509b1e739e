"""The command ``crossfade-serving``."""

from __future__ import annotations

import logging
import os
import sys

from crossfade_serving import logs
from crossfade_serving.errors import SettingsError
from crossfade_serving.server import serve
from crossfade_serving.settings import parse


def main() -> None:
    """Serve one model until SIGTERM; exit with 1 when it cannot be served and with 2 on a wrong setting."""
    logs.configure()
    try:
        settings = parse()
    except SettingsError as error:
        print(f"crossfade-serving: {error}", file=sys.stderr)
        sys.exit(2)
    code = serve(settings)
    logging.shutdown()
    os._exit(code)  # an inference that never ends runs in a thread, which a normal exit would wait for


if __name__ == "__main__":
    main()
