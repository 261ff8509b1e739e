"""A model server that behaves for a while and then does not. Runs inside a pod: the standard library only.

`FAULT` is what it does from the `AFTER`-th inference on: `crash`, `leak`, `fail` or `hang`. Without a fault it answers
everything at once, as no model that the load knows.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAULT = os.environ.get("FAULT", "")
AFTER = int(os.environ.get("AFTER", "100"))
ANSWER = b'{"model_name": "ranker", "outputs": []}'
PORT = 8080

_count = itertools.count(1)
_leaked: list[bytearray] = []


def misbehave() -> None:
    """Do what `FAULT` says."""
    if FAULT == "crash":
        os._exit(1)
    elif FAULT == "leak":
        _leaked.append(bytearray(os.urandom(1) * (4 * 1024 * 1024)))
    elif FAULT == "hang":
        threading.Event().wait()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        bad = bool(FAULT) and next(_count) > AFTER
        if bad:
            misbehave()
        self._answer(500 if bad and FAULT == "fail" else 200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing: a line for every request would be more work than the requests."""


def main() -> None:
    server = ThreadingHTTPServer(("", PORT), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
