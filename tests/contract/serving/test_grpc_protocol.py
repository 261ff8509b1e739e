"""The Open Inference Protocol v2 over real gRPC.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_grpc.md
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from crossfade_serving.artefact import locate
from crossfade_serving.kserve_sdk import (
    InferenceGRPCClient,
    InferInput,
    InferRequest,
    grpc_predict_v2_pb2_grpc,
)
from crossfade_serving.kserve_sdk import grpc_predict_v2_pb2 as messages
from tests.contract.serving.server_process import PATIENCE, Server


@pytest.fixture(scope="module")
def stub(server: Server) -> Iterator[Any]:
    with grpc.insecure_channel(server.grpc_address) as channel:
        yield grpc_predict_v2_pb2_grpc.GRPCInferenceServiceStub(channel)


def request_for(*items: int, name: str = "lookup", version: str = "", **tensor: Any) -> Any:
    described = {"name": "item", "shape": [len(items)], "datatype": "INT64"} | tensor
    contents = messages.InferTensorContents(int64_contents=items)
    inputs = [messages.ModelInferRequest.InferInputTensor(contents=contents, **described)]
    return messages.ModelInferRequest(model_name=name, model_version=version, id="42", inputs=inputs)


def test_health(stub: Any) -> None:
    assert stub.ServerLive(messages.ServerLiveRequest(), timeout=PATIENCE).live
    assert stub.ServerReady(messages.ServerReadyRequest(), timeout=PATIENCE).ready
    assert stub.ModelReady(messages.ModelReadyRequest(name="lookup"), timeout=PATIENCE).ready


def test_metadata(stub: Any, server: Server, lookup_model: Path) -> None:
    assert list(stub.ServerMetadata(messages.ServerMetadataRequest()).extensions) == ["binary_tensor_data"]
    answer, call = stub.ModelMetadata.with_call(messages.ModelMetadataRequest(name="lookup"), timeout=PATIENCE)
    assert (answer.name, list(answer.versions), answer.platform) == ("lookup", ["7"], "onnxruntime_onnx")
    assert [(t.name, t.datatype, list(t.shape)) for t in answer.inputs] == [("item", "INT64", [-1])]
    assert dict(call.trailing_metadata())["x-model-digest"] == locate(lookup_model).digest


def test_an_inference(stub: Any, lookup_model: Path) -> None:
    answer, call = stub.ModelInfer.with_call(request_for(1, 2), timeout=PATIENCE)
    assert (answer.id, answer.model_name, answer.model_version) == ("42", "lookup", "7")
    assert [(t.name, t.datatype, list(t.shape)) for t in answer.outputs] == [
        ("row", "INT64", [2, 2]),
        ("copy", "FP32", [2, 2]),
    ]
    assert list(answer.outputs[0].contents.int64_contents) == [10, -1, 20, -1]
    assert not answer.raw_output_contents
    assert dict(call.trailing_metadata())["x-model-digest"] == locate(lookup_model).digest


async def test_an_inference_by_kserves_own_client_in_binary(server: Server) -> None:
    tensor = InferInput("item", [1], "INT64")
    tensor.set_data_from_numpy(np.array([2], dtype=np.int64), binary_data=True)
    client = InferenceGRPCClient(server.grpc_address, timeout=PATIENCE)
    try:
        answer = await client.infer(InferRequest("lookup", [tensor], request_id="k"))
    finally:
        await client.close()
    assert answer.get_output_by_name("row").as_numpy().tolist() == [[20, -1]]


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        pytest.param(request_for(9), grpc.StatusCode.INTERNAL, "idx=9", id="a failure of the model"),
        pytest.param(
            request_for(1, datatype="INT32"), grpc.StatusCode.INVALID_ARGUMENT, "datatype INT64", id="another datatype"
        ),
        pytest.param(request_for(1, name="other"), grpc.StatusCode.NOT_FOUND, "other", id="another model"),
        pytest.param(request_for(1, version="8"), grpc.StatusCode.NOT_FOUND, "8", id="another version"),
    ],
)
def test_errors_have_a_code_and_say_why(stub: Any, request_: Any, code: grpc.StatusCode, message: str) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        stub.ModelInfer(request_, timeout=PATIENCE)
    assert failure.value.code() is code
    assert message in failure.value.details()


def test_models_cannot_be_unloaded_over_the_network(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        stub.RepositoryModelUnload(messages.RepositoryModelUnloadRequest(model_name="lookup"), timeout=PATIENCE)
    assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert stub.ModelReady(messages.ModelReadyRequest(name="lookup"), timeout=PATIENCE).ready


def test_requests_are_counted_by_the_metadatas_arm(stub: Any, server: Server) -> None:
    metadata = (("x-arm", "holdout"), ("x-abucket", "61"))
    stub.ModelInfer(request_for(1), metadata=metadata, timeout=PATIENCE)
    with pytest.raises(grpc.RpcError):
        stub.ModelInfer(request_for(9), metadata=metadata, timeout=PATIENCE)
    labels = {"arm": "holdout", "abucket": "61"}
    assert server.metric("crossfade_serving_requests_total", **labels) == 2.0
    assert server.metric("crossfade_serving_errors_total", **labels) == 1.0
