"""SIGTERM: readiness goes first, nobody's request fails, and the process ends in bounded time."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from crossfade_serving.kserve_sdk import grpc_predict_v2_pb2 as messages
from crossfade_serving.kserve_sdk import grpc_predict_v2_pb2_grpc
from tests.contract.serving.server_process import PATIENCE, Server, running
from tests.unit.serving.onnx_models import busy

SLOW, ENDLESS = 3_000, 50_000_000
"""Passes of some seconds on an idle core, and of hours."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return busy(tmp_path / "busy.onnx")


def passes(count: int) -> dict[str, Any]:
    return {"name": "passes", "shape": [], "datatype": "INT64", "data": [count]}


def infer_over_grpc(address: str, count: int) -> bool:
    contents = messages.InferTensorContents(int64_contents=[count])
    tensor = messages.ModelInferRequest.InferInputTensor(name="passes", datatype="INT64", contents=contents)
    with grpc.insecure_channel(address) as channel:
        stub = grpc_predict_v2_pb2_grpc.GRPCInferenceServiceStub(channel)
        answer = stub.ModelInfer(messages.ModelInferRequest(model_name="model", inputs=[tensor]), timeout=PATIENCE)
    return bool(answer.outputs[0].name == "left")


def wait_for_in_flight(server: Server, count: float) -> None:
    server.wait_until(
        lambda: server.metric("crossfade_serving_requests_in_flight") == count, f"{count} requests are running"
    )


def test_readiness_fails_first_and_requests_are_still_answered(model: Path) -> None:
    with running("--model-path", str(model), "--drain-delay", "20") as server:
        server.process.terminate()
        server.process.wait_for("draining")
        assert server.http.get("/v2/health/ready").status_code == 503
        assert server.http.get("/v2/models/model/ready").status_code == 503
        assert server.http.get("/v2/health/live").status_code == 200
        answer = server.infer("model", passes(1))
        assert answer.status_code == 200
        assert answer.headers["connection"] == "close"
        assert infer_over_grpc(server.grpc_address, 1)
        server.process.terminate()
        server.http.close()
        assert server.process.wait_for_exit() == 0


def test_requests_in_flight_finish_over_both_protocols(model: Path) -> None:
    options = ["--model-path", str(model), "--drain-delay", "0", "--drain-timeout", "50"]
    with running(*options) as server, ThreadPoolExecutor(4) as pool:
        rest = [
            pool.submit(
                httpx.post,
                f"{server.http_address}/v2/models/model/infer",
                json={"inputs": [passes(SLOW)]},
                timeout=PATIENCE,
            )
            for _ in range(2)
        ]
        over_grpc = pool.submit(infer_over_grpc, server.grpc_address, SLOW)
        wait_for_in_flight(server, 3.0)
        server.http.close()
        server.process.terminate()
        assert [answer.result().status_code for answer in rest] == [200, 200]
        assert over_grpc.result()
        assert server.process.wait_for_exit() == 0


def test_clients_that_watch_readiness_lose_no_request(model: Path) -> None:
    """Four clients send without a pause and leave when the server is no longer ready, as a router's would."""
    statuses: list[int] = []
    moved_on = threading.Event()

    def send(address: str) -> None:
        with httpx.Client(base_url=address, timeout=PATIENCE) as client:
            while not moved_on.is_set():
                answer = client.post("/v2/models/model/infer", json={"inputs": [passes(1)]})
                statuses.append(answer.status_code)

    with running("--model-path", str(model), "--drain-delay", "3") as server, ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(send, server.http_address) for _ in range(4)]
        server.wait_until(lambda: (server.metric("crossfade_serving_ready") == 1.0) and len(statuses) > 50, "load")
        server.process.terminate()
        server.wait_until(lambda: server.http.get("/v2/health/ready").status_code == 503, "readiness fails")
        sent_before = len(statuses)
        server.wait_until(
            lambda: server.http.get("/v2/health/live").is_success and len(statuses) > sent_before + 50,
            "requests are answered during the drain",
        )
        moved_on.set()
        for client in clients:
            client.result()
        server.http.close()
        assert server.process.wait_for_exit() == 0
    assert set(statuses) == {200}


def test_an_endless_request_does_not_keep_the_process(model: Path) -> None:
    options = ["--model-path", str(model), "--drain-delay", "0", "--drain-timeout", "1"]
    with running(*options) as server, ThreadPoolExecutor(1) as pool:
        body = {"inputs": [passes(ENDLESS)]}
        lost = pool.submit(httpx.post, f"{server.http_address}/v2/models/model/infer", json=body, timeout=PATIENCE)
        wait_for_in_flight(server, 1.0)
        server.http.close()
        started = time.monotonic()
        server.process.terminate()
        assert server.process.wait_for_exit() == 0
        assert time.monotonic() - started < 20
        assert lost.exception() is not None or lost.result().status_code == 500
