"""ONNX Runtime behind the protocol's terms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from crossfade_serving.engine import OnnxEngine, TensorSpec
from crossfade_serving.errors import EngineError, ModelFailure
from tests.unit.serving.onnx_models import greeting, lookup


def test_tensors_are_described_in_the_protocols_terms(tmp_path: Path) -> None:
    engine = OnnxEngine(lookup(tmp_path / "m.onnx"))
    assert engine.inputs == (TensorSpec("item", "INT64", (-1,)),)
    assert engine.outputs == (TensorSpec("row", "INT64", (-1, 2)), TensorSpec("copy", "FP32", (-1, 2)))
    assert engine.version == "7"


def test_outputs_come_in_the_order_asked_for(tmp_path: Path) -> None:
    engine = OnnxEngine(lookup(tmp_path / "m.onnx"))
    copy, row = engine.run({"item": np.array([1, 2])}, ["copy", "row"])
    assert row.tolist() == [[10, -1], [20, -1]]
    assert copy.dtype == np.float32


def test_a_failing_model_is_named_as_the_cause(tmp_path: Path) -> None:
    engine = OnnxEngine(lookup(tmp_path / "m.onnx", rows=4))
    with pytest.raises(ModelFailure, match="idx=9"):
        engine.run({"item": np.array([9])}, ["row"])


def test_neutral_feeds_fit_the_model(tmp_path: Path) -> None:
    numbers, text = OnnxEngine(lookup(tmp_path / "m.onnx")), OnnxEngine(greeting(tmp_path / "g.onnx"))
    assert numbers.run(numbers.neutral_feeds(), ["row"])[0].tolist() == [[0, -1]]
    assert text.run(text.neutral_feeds(), ["same"])[0].tolist() == [""]


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"not a model")
    with pytest.raises(EngineError, match=r"cannot load .*m\.onnx"):
        OnnxEngine(tmp_path / "m.onnx")


def test_a_tensor_without_a_place_in_the_protocol_is_refused(tmp_path: Path) -> None:
    sequence = helper.make_tensor_sequence_value_info("parts", TensorProto.FLOAT, None)
    graph = helper.make_graph(
        [helper.make_node("SequenceConstruct", ["x"], ["parts"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [sequence],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(EngineError, match=r"'parts' is a seq\(tensor\(float\)\)"):
        OnnxEngine(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("shape", "fits"),
    [([3, 2], True), ([0, 2], True), ([3, 1], False), ([3], False), ([3, 2, 1], False)],
)
def test_a_free_dimension_admits_any_size(shape: list[int], fits: bool) -> None:
    assert TensorSpec("x", "FP32", (-1, 2)).admits(shape) is fits
