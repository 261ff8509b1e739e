"""Requests and responses of the served model."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossfade_serving.engine import OnnxEngine
from crossfade_serving.errors import ModelFailure
from crossfade_serving.kserve_sdk import InferInput, InferRequest, InvalidInput
from crossfade_serving.model import Identity, OnnxModel, is_empty
from crossfade_serving.rest import decode
from tests.unit.serving.onnx_models import greeting, lookup


def model_of(path: Path, executor: ThreadPoolExecutor | None = None) -> OnnxModel:
    return OnnxModel(Identity("m", "7", "sha256:ab"), OnnxEngine(path), executor)


def ask(*inputs: dict[str, Any], **more: Any) -> InferRequest:
    request = {"inputs": [{"name": "item", "shape": [1], "datatype": "INT64", "data": [1]} | i for i in inputs]} | more
    return decode(json.dumps(request).encode(), {}, "m")


@pytest.mark.parametrize("threads", [0, 2])
async def test_an_answer_carries_all_outputs_and_the_identity(tmp_path: Path, threads: int) -> None:
    with ThreadPoolExecutor(max(1, threads)) as pool:
        model = model_of(lookup(tmp_path / "m.onnx"), pool if threads else None)
        response, headers = await model(ask({"data": [1, 2], "shape": [2]}, id="r1"))
    content, _ = response.to_rest()
    assert headers == {}
    assert (content["id"], content["model_name"], content["model_version"]) == ("r1", "m", "7")
    assert content["outputs"][0] == {"name": "row", "shape": [2, 2], "datatype": "INT64", "data": [10, -1, 20, -1]}
    assert content["outputs"][1]["name"] == "copy"


async def test_only_the_requested_output_is_computed_and_sent(tmp_path: Path) -> None:
    response, _ = await model_of(lookup(tmp_path / "m.onnx"))(ask({}, outputs=[{"name": "copy"}]))
    assert [output["name"] for output in response.to_rest()[0]["outputs"]] == ["copy"]


async def test_the_request_id_header_names_an_answer_without_an_id(tmp_path: Path) -> None:
    response, _ = await model_of(lookup(tmp_path / "m.onnx"))(ask({}), {"x-request-id": "from-router"})
    assert response.id == "from-router"


async def test_strings_pass_as_text_from_json_and_from_bytes(tmp_path: Path) -> None:
    model = model_of(greeting(tmp_path / "g.onnx"))
    from_json = InferInput("name", [2], "BYTES", ["ana", "åsa"])
    response, _ = await model(InferRequest("m", [from_json]))
    assert response.to_rest()[0]["outputs"][0]["data"] == ["ana", "åsa"]
    binary = InferInput("name", [2], "BYTES")
    binary.set_data_from_numpy(np.array([b"ana", "åsa".encode()], dtype=np.object_), binary_data=True)
    response, _ = await model(InferRequest("m", [binary]))
    assert response.to_rest()[0]["outputs"][0]["data"] == ["ana", "åsa"]


@pytest.mark.parametrize(
    ("inputs", "more", "message"),
    [
        pytest.param([{"name": "x"}], {}, r"takes the inputs \['item'\].* has \['x'\]", id="an unknown input"),
        pytest.param([], {}, r"the request has \[\]", id="no input"),
        pytest.param([{}, {}], {}, r"each once; the request has \['item', 'item'\]", id="an input twice"),
        pytest.param([{"datatype": "FP32"}], {}, "datatype INT64, not 'FP32'", id="another datatype"),
        pytest.param([{"shape": [1, 1]}], {}, r"shape \[-1\] \(-1: any\), not \[1, 1\]", id="another rank"),
        pytest.param([{"shape": [3]}], {}, r"does not hold INT64 data of the shape \[3\]", id="too little data"),
        pytest.param([{"data": ["a"]}], {}, "does not hold INT64 data", id="text instead of numbers"),
        pytest.param([{"data": [1.5]}], {}, "does not hold INT64 data .*fractions", id="a fraction for a whole number"),
        pytest.param([{"shape": [-1]}], {}, r"shape \[-1\] \(-1: any\), not \[-1\]", id="a shape left open"),
        pytest.param([{"data": [2**70]}], {}, "does not hold INT64 data", id="a number that is too large"),
        pytest.param([{}], {"outputs": [{"name": "z"}]}, r"has the outputs .* not \['z'\]", id="an unknown output"),
    ],
)
async def test_a_request_that_does_not_fit_is_refused_with_the_reason(
    tmp_path: Path, inputs: list[dict[str, Any]], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        await model_of(lookup(tmp_path / "m.onnx"))(ask(*inputs, **more))


async def test_a_failure_of_the_model_is_not_the_clients(tmp_path: Path) -> None:
    with pytest.raises(ModelFailure):
        await model_of(lookup(tmp_path / "m.onnx", rows=4))(ask({"data": [4]}))


@pytest.mark.parametrize(
    ("items", "empty"),
    [
        pytest.param([1], False, id="an id is a result, padding beside it or not"),
        pytest.param([3], True, id="only padding is no result"),
        pytest.param([3, 1], False, id="one result in the batch is a result"),
        pytest.param([], True, id="no row is no result"),
    ],
)
async def test_what_counts_as_an_empty_answer(tmp_path: Path, items: list[int], empty: bool) -> None:
    model = model_of(lookup(tmp_path / "m.onnx", rows=4))
    response, _ = await model(ask({"data": items, "shape": [len(items)]}))
    assert is_empty(response) is empty
