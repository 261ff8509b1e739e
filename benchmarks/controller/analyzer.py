"""An analyzer that says what it is told, and notes when it said so. It runs in a pod, from a ConfigMap.

PUT  /verdict         Harmful or Undecided: the answer from now on
GET  /answers         [{"at": seconds since the epoch, "verdict": ..., "revision": ...}], oldest first
POST /v1/evaluations  the contract between controller and analyzer
"""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from crossfade_analyzer.contract import Evaluation, EvaluationRequest, Requests, Verdict

PORT = 8080


class Scripted(ThreadingHTTPServer):
    verdict = Verdict.UNDECIDED
    answers: tuple[dict[str, object], ...] = ()


class Handler(BaseHTTPRequestHandler):
    server: Scripted
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say(200, json.dumps(self.server.answers) if self.path == "/answers" else "{}")

    def do_PUT(self) -> None:
        self.server.verdict = Verdict(self._body().decode())
        self._say(200, "{}")

    def do_POST(self) -> None:
        asked = EvaluationRequest.model_validate_json(self._body())
        verdict = self.server.verdict
        answer = Evaluation(
            subject=asked.subject,
            verdict=verdict,
            message=f"the benchmark says {verdict}",
            look=len(self.server.answers) + 1,
            until=asked.since,
            requests=Requests(control=1000, candidate=100, candidate_in_step=100),
            metrics=(),
            rule="benchmark@1",
        )
        self._say(200, answer.model_dump_json(by_alias=True))
        said = {"at": time.time(), "verdict": verdict, "revision": asked.candidate.revisions[0]}
        self.server.answers = (*self.server.answers, said)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """What was answered is told by `/answers`."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _say(self, status: int, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()


if __name__ == "__main__":
    Scripted(("0.0.0.0", PORT), Handler).serve_forever()
