"""Starting: the digest is checked, and nobody is served before the warm-up is over."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import httpx
import pytest

from crossfade_serving.artefact import locate
from tests.contract.serving.server_process import PATIENCE, ServerProcess, running
from tests.unit.serving.onnx_models import busy


def refusal(*options: str) -> tuple[int, str]:
    """Start a server that should refuse; return its exit code and its log."""
    process = ServerProcess(*options)
    try:
        code = process.wait_for_exit()
    finally:
        process.close()
    return code, "\n".join(process.raw)


def test_the_expected_digest_starts(lookup_model: Path) -> None:
    digest = locate(lookup_model).digest
    with running("--model-path", str(lookup_model), "--model-digest", digest) as server:
        assert server.http.get("/v2/models/model").json()["parameters"] == {"digest": digest}


def test_another_digest_refuses_to_start(lookup_model: Path) -> None:
    other = "sha256:" + "0" * 64
    code, log = refusal("--model-path", str(lookup_model), "--model-digest", other)
    assert code == 1
    assert f"has the digest {locate(lookup_model).digest}, but {other} was expected" in log
    assert '"event": "ready"' not in log


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        pytest.param(["--model-path", "/nowhere"], 1, "there is no model at /nowhere", id="no model"),
        pytest.param(["--model-path", __file__], 1, "ONNX Runtime cannot load", id="no ONNX file"),
        pytest.param(["--http-port", "x"], 2, r"--http-port (CROSSFADE_HTTP_PORT) must be", id="a wrong option"),
    ],
)
def test_what_cannot_be_served_is_said(options: list[str], code: int, message: str) -> None:
    actual, log = refusal(*options)
    assert message in log
    assert actual == code


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_a_port_in_use_is_said(lookup_model: Path, kind: str) -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken:
        port = taken.getsockname()[1]
        code, log = refusal("--model-path", str(lookup_model), f"--{kind}-port", str(port))
    assert code == 1
    assert f"port {port} cannot be opened" in log


def test_the_server_is_alive_and_unready_until_the_warm_up_is_over(tmp_path: Path) -> None:
    """The warm-up runs a request of a third of a second, ten times; meanwhile the server is looked at."""
    model = busy(tmp_path / "busy.onnx")
    request = tmp_path / "warmup.json"
    passes = {"name": "passes", "shape": [], "datatype": "INT64", "data": [1000]}
    request.write_text(json.dumps({"inputs": [passes]}))
    options = ["--model-path", str(model), "--warmup", "10", "--warmup-request", str(request)]
    with running(*options, ready=False) as server:
        server.wait_until(
            lambda: (server.metric("crossfade_serving_warmup_inferences_total") or 0) >= 1, "a first warm-up inference"
        )
        early = {path: server.http.get(path).status_code for path in ("/v2/health/live", "/v2/health/ready")}
        refused = server.infer("model", passes | {"data": [1]})
        still_warming = server.metric("crossfade_serving_ready") == 0.0
        server.process.wait_for("ready")
        assert still_warming
        assert early == {"/v2/health/live": 200, "/v2/health/ready": 503}
        assert refused.status_code == 503
        assert "not ready" in refused.json()["error"]
        assert server.http.get("/v2/health/ready").status_code == 200
        assert server.metric("crossfade_serving_warmup_inferences_total") == 10.0
        assert server.infer("model", passes | {"data": [1]}).status_code == 200


def test_a_server_told_to_stop_while_starting_stops(tmp_path: Path) -> None:
    with running("--model-path", str(busy(tmp_path / "b.onnx")), "--warmup", "1000000", ready=False) as server:
        server.wait_until(
            lambda: (server.metric("crossfade_serving_warmup_inferences_total") or 0) >= 1, "a first warm-up inference"
        )
        server.http.close()
        server.process.terminate()
        assert server.process.wait_for_exit() == 0


def test_health_probes_are_answered_while_a_long_inference_runs(tmp_path: Path) -> None:
    with running("--model-path", str(busy(tmp_path / "b.onnx"))) as server:
        endless = {"inputs": [{"name": "passes", "shape": [], "datatype": "INT64", "data": [10_000_000]}]}
        with httpx.Client(base_url=server.http_address) as other, pytest.raises(httpx.ReadTimeout):
            other.post("/v2/models/model/infer", json=endless, timeout=0.5)
        assert server.metric("crossfade_serving_requests_in_flight") == 1.0
        assert server.http.get("/v2/health/live", timeout=PATIENCE).status_code == 200
