"""The Open Inference Protocol v2 over real HTTP.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
and its binary tensor data extension.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossfade_serving.artefact import locate
from crossfade_serving.kserve_sdk import InferInput, InferRequest, InferResponse
from tests.contract.serving.server_process import Server

ITEM = {"name": "item", "shape": [2], "datatype": "INT64", "data": [1, 2]}


def test_server_metadata(server: Server) -> None:
    metadata = server.http.get("/v2").json()
    assert set(metadata) == {"name", "version", "extensions"}
    assert metadata["extensions"] == ["binary_tensor_data"]


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/lookup/ready", {"name": "lookup", "ready": True}),
        ("/v2/models/lookup/versions/7/ready", {"name": "lookup", "ready": True}),
        ("/v2/models", {"models": ["lookup"]}),
    ],
)
def test_health_and_lists(server: Server, path: str, answer: dict[str, Any]) -> None:
    response = server.http.get(path)
    assert (response.status_code, response.json()) == (200, answer)


@pytest.mark.parametrize("path", ["/v2/models/lookup", "/v2/models/lookup/versions/7"])
def test_model_metadata_with_the_digest(server: Server, lookup_model: Path, path: str) -> None:
    assert server.http.get(path).json() == {
        "name": "lookup",
        "versions": ["7"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "item", "datatype": "INT64", "shape": [-1]}],
        "outputs": [
            {"name": "row", "datatype": "INT64", "shape": [-1, 2]},
            {"name": "copy", "datatype": "FP32", "shape": [-1, 2]},
        ],
        "parameters": {"digest": locate(lookup_model).digest},
    }


@pytest.mark.parametrize("path", ["/v2/models/lookup/infer", "/v2/models/lookup/versions/7/infer"])
def test_an_inference_in_json(server: Server, lookup_model: Path, path: str) -> None:
    response = server.http.post(path, json={"id": "42", "inputs": [ITEM], "outputs": [{"name": "row"}]})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-model-digest"] == locate(lookup_model).digest
    assert response.json() == {
        "id": "42",
        "model_name": "lookup",
        "model_version": "7",
        "outputs": [{"name": "row", "shape": [2, 2], "datatype": "INT64", "data": [10, -1, 20, -1]}],
    }


def test_nested_data_is_flattened_row_by_row(server: Server) -> None:
    request = {"inputs": [ITEM | {"data": [[1], [2]]}], "outputs": [{"name": "row"}]}
    response = server.http.post("/v2/models/lookup/infer", json=request)
    assert response.json()["outputs"][0]["data"] == [10, -1, 20, -1]


def test_an_inference_in_binary(server: Server) -> None:
    tensor = InferInput("item", [2], "INT64")
    tensor.set_data_from_numpy(np.array([1, 2], dtype=np.int64), binary_data=True)
    request = InferRequest("lookup", [tensor], request_id="b", parameters={"binary_data_output": True})
    body, json_length = request.to_rest()
    response = server.http.post(
        "/v2/models/lookup/infer",
        content=body,
        headers={"inference-header-content-length": str(json_length), "content-type": "application/octet-stream"},
    )
    assert response.status_code == 200, response.text
    length = int(response.headers["inference-header-content-length"])
    assert json.loads(response.content[:length])["outputs"][0]["parameters"] == {"binary_data_size": 32}
    answer = InferResponse.from_bytes(response.content, length)
    assert answer.get_output_by_name("row").as_numpy().tolist() == [[10, -1], [20, -1]]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        pytest.param("POST", "/v2/models/lookup/infer", {}, 400, "inputs: Field required", id="no inputs"),
        pytest.param("POST", "/v2/models/lookup/infer", {"inputs": []}, 400, "takes the inputs", id="an input missing"),
        pytest.param(
            "POST",
            "/v2/models/lookup/infer",
            {"inputs": [ITEM | {"datatype": "FP32"}]},
            400,
            "must have the datatype INT64, not 'FP32'",
            id="another datatype",
        ),
        pytest.param(
            "POST",
            "/v2/models/lookup/infer",
            {"inputs": [ITEM | {"data": [1, 9]}]},
            500,
            "the model failed: .*idx=9",
            id="a failure of the model",
        ),
        pytest.param("POST", "/v2/models/other/infer", {"inputs": [ITEM]}, 404, "other", id="another model"),
        pytest.param("POST", "/v2/models/lookup/versions/8/infer", {"inputs": [ITEM]}, 404, "8", id="another version"),
        pytest.param("GET", "/v2/models/other", None, 404, "other", id="metadata of another model"),
        pytest.param("GET", "/v2/models/other/ready", None, 404, "other", id="readiness of another model"),
        pytest.param("GET", "/v2/models/lookup/infer", None, 405, "Method Not Allowed", id="another method"),
        pytest.param("GET", "/v3", None, 404, "Not Found", id="another path"),
        pytest.param("POST", "/v2/repository/models/lookup/unload", None, 404, "Not Found", id="unloading"),
        pytest.param("POST", "/v1/models/lookup:predict", {}, 404, "Not Found", id="the v1 protocol"),
    ],
)
def test_errors_have_the_protocols_form(
    server: Server, method: str, path: str, body: dict[str, Any] | None, status: int, message: str
) -> None:
    response = server.http.request(method, path, json=body)
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert re.search(message, response.json()["error"])


def test_a_request_beyond_the_limit_is_refused(server: Server) -> None:
    response = server.http.post("/v2/models/lookup/infer", content=b" " * (9 * 1024 * 1024))
    assert response.status_code == 400
    assert "too long" in response.json()["error"]
    assert server.infer("lookup", ITEM).status_code == 200
