"""Small ONNX models that tests of the model server build for themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, checker, helper, numpy_helper


def _save(path: Path, graph: GraphProto, version: str | None) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    if version:
        helper.set_model_props(model, {"version": version})
    checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


def _value(name: str, kind: int, *shape: int | str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, list(shape))


def lookup(path: Path, rows: int = 4, version: str | None = "7") -> Path:
    """``item`` [N] → ``row`` [N, 2] = (10 · item, −1): a row outside the table fails; the last row is all −1."""
    table = np.array([[10 * item, -1] for item in range(rows - 1)] + [[-1, -1]], dtype=np.int64)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "item"], ["row"]), helper.make_node("Cast", ["row"], ["copy"], to=1)],
        "lookup",
        [_value("item", TensorProto.INT64, "N")],
        [_value("row", TensorProto.INT64, "N", 2), _value("copy", TensorProto.FLOAT, "N", 2)],
        [numpy_helper.from_array(table, "table")],
    )
    return _save(path, graph, version)


def greeting(path: Path) -> Path:
    """``name`` [N] of strings → ``same`` [N], unchanged."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["name"], ["same"])],
        "greeting",
        [_value("name", TensorProto.STRING, "N")],
        [_value("same", TensorProto.STRING, "N")],
    )
    return _save(path, graph, None)


def busy(path: Path, size: int = 192) -> Path:
    """``passes`` [] → ``left`` []: multiplies matrices ``passes`` times, so that a request takes as long as it says."""
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["matrix_in", "factor"], ["matrix_out"]),
            helper.make_node("Identity", ["go_on"], ["keep_going"]),
        ],
        "pass",
        [_value("number", TensorProto.INT64), _value("go_on", TensorProto.BOOL), _plain("matrix_in")],
        [_value("keep_going", TensorProto.BOOL), _plain("matrix_out")],
    )
    nodes: list[NodeProto] = [
        helper.make_node("Loop", ["passes", "", "factor"], ["end"], body=body),
        helper.make_node("ReduceMax", ["end"], ["left"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "busy",
        [_value("passes", TensorProto.INT64)],
        [_value("left", TensorProto.FLOAT)],
        [numpy_helper.from_array(np.eye(size, dtype=np.float32), "factor")],
    )
    return _save(path, graph, None)


def _plain(name: str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
