"""Encoding of gRPC responses."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from crossfade_serving.grpc_service import encode
from crossfade_serving.kserve_sdk import InferOutput, InferResponse


def response_with(datatype: str, values: NDArray[np.generic], binary: bool) -> InferResponse:
    return InferResponse("1", "m", [InferOutput("x", list(values.shape), datatype, values)], use_binary_outputs=binary)


@pytest.mark.parametrize(
    ("datatype", "values", "field", "expected"),
    [
        ("INT64", np.array([[1, -2]]), "int64_contents", [1, -2]),
        ("FP32", np.array([0.5], dtype=np.float32), "fp32_contents", [0.5]),
        ("BOOL", np.array([True, False]), "bool_contents", [True, False]),
        ("BYTES", np.array(["ana", "åsa"], dtype=np.object_), "bytes_contents", [b"ana", "åsa".encode()]),
    ],
)
def test_typed_contents(datatype: str, values: NDArray[np.generic], field: str, expected: list[object]) -> None:
    message = encode(response_with(datatype, values, binary=False), binary=False)
    assert list(getattr(message.outputs[0].contents, field)) == expected
    assert not message.raw_output_contents


@pytest.mark.parametrize(
    ("datatype", "values", "binary"),
    [
        pytest.param("INT64", np.array([[1, -2]]), True, id="as asked for"),
        pytest.param("FP16", np.array([0.5], dtype=np.float16), False, id="half precision has no typed contents"),
    ],
)
def test_binary_contents(datatype: str, values: NDArray[np.generic], binary: bool) -> None:
    message = encode(response_with(datatype, values, binary), binary=binary)
    assert list(message.raw_output_contents) == [values.tobytes()]
    assert list(message.outputs[0].shape) == list(values.shape)
