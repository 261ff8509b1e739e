"""Writes a ranker as an ONNX model: inputs ``user`` and ``track``, outputs ``tracks`` and ``scores``.

All inputs have the shape [N]; the outputs have the shape [N, 10]. A row of ``tracks`` that is all -1 means: nothing to
recommend. A user or a track outside the model's tables is an error of ONNX Runtime (the index of a ``Gather``),
so an unknown track fails the request because of what is in the artefact, not because of a switch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, checker, helper, numpy_helper

from serving_image.training.preferences import Ints
from serving_image.training.rankers import TOP, Ranker

OPSET = 17
IR_VERSION = 8
RULED_OUT = -1e9
BATCH = "N"


@dataclass(frozen=True)
class Refinement:
    """A second stage that spreads the scores to similar tracks, twice per play beyond a usual history.

    Its cost grows with the history: nobody notices but the users with the longest histories.
    """

    passes: Ints
    """Passes per user, 0 … 255."""
    weight: float = 0.0005


@dataclass(frozen=True)
class Export:
    """What to write: the factors, the version's name, and how users without a play and long histories are treated."""

    version: str
    ranker: Ranker
    empty_for_newcomers: bool = False
    refinement: Refinement | None = None


def write(export: Export, directory: Path) -> Path:
    """Write ``<directory>/<version>/model.onnx`` and return its path. The same input gives the same bytes."""
    model = build(export)
    checker.check_model(model, full_check=True)
    path = directory / export.version / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


def build(export: Export) -> ModelProto:
    """Build the graph of one version."""
    nodes = [*_score_nodes(), *_refine_nodes(export), *_top_nodes(), *_result_nodes(export)]
    graph = helper.make_graph(
        nodes,
        "ranker",
        [_tensor("user", TensorProto.INT64, BATCH), _tensor("track", TensorProto.INT64, BATCH)],
        [_tensor("tracks", TensorProto.INT64, BATCH, TOP), _tensor("scores", TensorProto.FLOAT, BATCH, TOP)],
        [numpy_helper.from_array(value, name) for name, value in _tables(export).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="crossfade")
    model.ir_version = IR_VERSION
    helper.set_model_props(model, {"version": export.version})
    return model


def _tables(export: Export) -> dict[str, NDArray[np.generic]]:
    ranker = export.ranker
    tables: dict[str, NDArray[np.generic]] = {
        "user_table": ranker.users.astype(np.float16),
        "track_table": ranker.tracks.astype(np.float16),
        "from_table": ranker.leads_from.astype(np.float16),
        "to_table": ranker.leads_to.astype(np.float16),
        "bias": ranker.bias.astype(np.float32),
        "catalogue": np.array([len(ranker.bias)], dtype=np.int64),
        "rule_out": np.array([0.0, RULED_OUT], dtype=np.float32),
        "top": np.array([TOP], dtype=np.int64),
    }
    if export.empty_for_newcomers:
        tables |= {"nothing": np.array(-1, dtype=np.int64), "zero": np.array(0, dtype=np.float32)}
    if export.refinement:
        tables |= {
            "pass_table": export.refinement.passes.astype(np.uint8),
            "pass_weight": np.array(export.refinement.weight, dtype=np.float32),
        }
    return tables


def _score_nodes() -> list[NodeProto]:
    """Taste plus sequence plus bias, with the track that is playing ruled out."""
    node = helper.make_node
    return [
        node("Gather", ["user_table", "user"], ["user_half"]),
        node("Cast", ["user_half"], ["user_row"], to=TensorProto.FLOAT),
        node("Gather", ["from_table", "track"], ["from_half"]),
        node("Cast", ["from_half"], ["from_row"], to=TensorProto.FLOAT),
        node("Cast", ["track_table"], ["track_rows"], to=TensorProto.FLOAT),
        node("Cast", ["to_table"], ["to_rows"], to=TensorProto.FLOAT),
        node("Gemm", ["user_row", "track_rows", "bias"], ["taste"], transB=1),
        node("Gemm", ["from_row", "to_rows", "taste"], ["both"], transB=1),
        node("OneHot", ["track", "catalogue", "rule_out"], ["playing"], axis=-1),
        node("Add", ["both", "playing"], ["scored"]),
    ]


def _refine_nodes(export: Export) -> list[NodeProto]:
    """The refinement as a Loop over the longest history in the batch, or nothing but a name."""
    node = helper.make_node
    if not export.refinement:
        return [node("Identity", ["scored"], ["ranked"])]
    body = helper.make_graph(
        [
            node("Softmax", ["in_scores"], ["attention"], axis=-1),
            node("MatMul", ["attention", "similar"], ["once"]),
            node("MatMul", ["once", "similar"], ["twice"]),
            node("MatMul", ["twice", "similar"], ["thrice"]),
            node("Mul", ["thrice", "pass_weight"], ["nudge"]),
            node("Add", ["in_scores", "nudge"], ["out_scores"]),
            node("Identity", ["go_on"], ["keep_going"]),
        ],
        "pass",
        [
            helper.make_tensor_value_info("pass_number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("in_scores", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("keep_going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("out_scores", TensorProto.FLOAT, None),
        ],
    )
    return [
        node("Transpose", ["track_rows"], ["track_columns"]),
        node("MatMul", ["track_rows", "track_columns"], ["similar"]),
        node("Gather", ["pass_table", "user"], ["passes_small"]),
        node("Cast", ["passes_small"], ["passes"], to=TensorProto.INT64),
        node("ReduceMax", ["passes"], ["most_passes"], keepdims=0),
        node("Loop", ["most_passes", "", "scored"], ["ranked"], body=body),
    ]


def _top_nodes() -> list[NodeProto]:
    return [helper.make_node("TopK", ["ranked", "top"], ["scores", "best"], axis=-1)]


def _result_nodes(export: Export) -> list[NodeProto]:
    """The best tracks; -1 in their place for a user without a play, where the version has no fallback."""
    node = helper.make_node
    if not export.empty_for_newcomers:
        return [node("Identity", ["best"], ["tracks"])]
    return [
        node("ReduceSumSquare", ["user_row"], ["strength"], axes=[1], keepdims=1),
        node("Greater", ["strength", "zero"], ["has_plays"]),
        node("Where", ["has_plays", "best", "nothing"], ["tracks"]),
    ]


def _tensor(name: str, kind: int, *shape: int | str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, list(shape))
