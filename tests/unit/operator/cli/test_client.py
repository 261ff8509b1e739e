"""The client over HTTP, against a server that answers what the test wants."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from crossfade_operator.cli.analyzer import Analyzer
from crossfade_operator.cli.client import KubernetesCluster, Refused
from crossfade_operator.cli.names import DECISION, EXPERIMENT, REVIEW
from crossfade_operator.cli.problem import Problem

ANALYZER = "crossfade-system/crossfade-analyzer"
PROXY = "/api/v1/namespaces/crossfade-system/services/crossfade-analyzer:http/proxy"


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """Answers with `status` and `body`, and remembers what it was asked."""

    url: str
    status: int = 200
    body: Any = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)


def _handler(server: Callable[[], Server]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(text) if text else None
            here = server()
            here.asked.append(
                Asked(
                    self.command,
                    parts.path,
                    parse_qs(parts.query),
                    {name.lower(): value for name, value in self.headers.items()},
                    body,
                )
            )
            content = here.body if isinstance(here.body, bytes) else json.dumps(here.body).encode()
            self.send_response(here.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = _answer  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    made: list[Server] = []
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(lambda: made[0]))
    made.append(Server(f"http://127.0.0.1:{http.server_address[1]}"))
    thread = Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made[0]
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def connect(server: Server, tmp_path: Path) -> Callable[..., KubernetesCluster]:
    path = tmp_path / "config"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "dev",
                "contexts": [{"name": "dev", "context": {"cluster": "dev", "user": "dev", "namespace": "recs"}}],
                "clusters": [{"name": "dev", "cluster": {"server": server.url}}],
                "users": [{"name": "dev", "user": {"token": "secret"}}],
            }
        )
    )
    return lambda **options: KubernetesCluster(str(path), **options)


def test_the_analyzer_is_asked_through_the_api_server_as_the_user(
    connect: Callable[..., KubernetesCluster], server: Server
) -> None:
    server.body = {"digest": "sha256:" + "ab" * 32, "subject": "s", "verified": True, "looks": 1, "verdict": "Ship",
                   "rule": "experiment@1", "differences": []}  # fmt: skip
    assert Analyzer(connect(), ANALYZER).verify("sha256:" + "ab" * 32).verdict == "Ship"
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", f"{PROXY}/v1/verifications")
    assert asked.body == {"digest": "sha256:" + "ab" * 32}
    assert asked.headers["authorization"] == "Bearer secret"
    assert "impersonate-user" not in asked.headers


def test_acting_as_another_is_said_in_every_request(connect: Callable[..., KubernetesCluster], server: Server) -> None:
    cluster = connect(acting_as="bo@example.com")
    server.body = {"status": {"userInfo": {"username": "bo@example.com"}}}
    assert cluster.whoami() == "bo@example.com"
    server.body = {"items": []}
    cluster.select(EXPERIMENT)
    cluster.analyzers()
    cluster.ask(ANALYZER, "GET", "/healthz")
    assert [asked.headers["impersonate-user"] for asked in server.asked] == ["bo@example.com"] * 4


def test_the_analyzers_of_the_cluster_are_found_by_the_charts_labels(
    connect: Callable[..., KubernetesCluster], server: Server
) -> None:
    server.body = {
        "items": [{"metadata": {"namespace": "b", "name": "y"}}, {"metadata": {"namespace": "a", "name": "x"}}]
    }
    assert connect().analyzers() == ["a/x", "b/y"]
    (asked,) = server.asked
    assert asked.path == "/api/v1/services"
    assert asked.query["labelSelector"] == ["app.kubernetes.io/part-of=crossfade,app.kubernetes.io/component=analyzer"]


@pytest.mark.parametrize(
    ("services", "said"),
    [([], "no analyzer was found"), (["a/x", "b/y"], "more than one analyzer: a/x, b/y")],
)
def test_one_analyzer_is_needed_and_which_one_can_be_said(
    cluster: Callable[..., Any], services: list[str], said: str
) -> None:
    made = cluster()
    made.services = services
    with pytest.raises(Problem, match=said) as caught:
        Analyzer(made)
    assert "--analyzer NAMESPACE/NAME" in str(caught.value.hint)
    assert Analyzer(made, "a/x").service == "a/x"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        pytest.param(403, {"kind": "Status", "message": 'services "x" is forbidden'}, "you may not ask the analyzer",
                     id="the-user-may-not"),
        pytest.param(503, {"kind": "Status", "message": "no endpoints"}, "the API server: no endpoints", id="no-pod"),
        pytest.param(502, b"<html>bad gateway</html>", "<html>bad gateway", id="no-json"),
    ],
)  # fmt: skip
def test_whatever_stands_between_is_a_sentence(
    connect: Callable[..., KubernetesCluster], server: Server, status: int, body: Any, said: str
) -> None:
    server.status, server.body = status, body
    with pytest.raises(Problem, match=said):
        connect().ask(ANALYZER, "GET", "/v1/evidence/sha256:00")


def test_a_refusal_of_the_analyzer_is_told_apart(connect: Callable[..., KubernetesCluster], server: Server) -> None:
    server.status, server.body = 404, {"title": "Unknown digest", "detail": "no entry has it"}
    with pytest.raises(Refused, match="Unknown digest: no entry has it") as caught:
        connect().ask(ANALYZER, "GET", "/v1/evidence/sha256:00")
    assert caught.value.status == 404


def test_fields_are_selected_by_the_server_whatever_they_hold(
    connect: Callable[..., KubernetesCluster], server: Server
) -> None:
    server.body = {"items": []}
    connect(namespace="other").select(DECISION, {"spec.owner": "a,b=c", "spec.action": "Ship"})
    (asked,) = server.asked
    assert asked.path == "/apis/crossfade.dev/v1alpha1/namespaces/other/decisions"
    assert asked.query["fieldSelector"] == [r"spec.owner=a\,b\=c,spec.action=Ship"]


def test_an_object_is_created_as_its_kind(connect: Callable[..., KubernetesCluster], server: Server) -> None:
    server.status = 201
    connect().create(REVIEW, {"metadata": {"name": "r1"}, "spec": {}})
    (asked,) = server.asked
    assert asked.body == {
        "apiVersion": "crossfade.dev/v1alpha1",
        "kind": "Review",
        "metadata": {"name": "r1"},
        "spec": {},
    }
    assert asked.query["fieldManager"] == ["kubectl-crossfade"]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "you may not do this in namespace recs: spec.reviewer must be your own"),
        (409, "changed at the same moment"),
        (404, "the cluster does not know Experiments: install Crossfade's CRDs"),
        (500, r"the API server refused \(500\)"),
    ],
)
def test_refusals_of_the_api_server_are_sentences(
    connect: Callable[..., KubernetesCluster], server: Server, status: int, said: str
) -> None:
    server.status = status
    server.body = {"kind": "Status", "message": "spec.reviewer must be your own"}
    with pytest.raises(Problem, match=said):
        connect().patch(EXPERIMENT, "new-ranker", {"spec": {"desiredState": "Running"}})
