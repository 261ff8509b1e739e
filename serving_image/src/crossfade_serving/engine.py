"""ONNX Runtime as the engine: loads a model, describes its tensors in the protocol's terms, and runs it."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from crossfade_serving.errors import EngineError, ModelFailure

Tensor = NDArray[Any]

_DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}
_QUIET = 4
"""ONNX Runtime's own log level "fatal": its failures are raised, and logged once by us."""


@dataclass(frozen=True)
class TensorSpec:
    """Name, Open Inference Protocol datatype and shape of a tensor; -1 is a free dimension."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def as_metadata(self) -> dict[str, Any]:
        """Return the tensor as the protocol's metadata shows it."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}

    def admits(self, shape: Sequence[int]) -> bool:
        """Whether a tensor of this shape fits."""
        return len(shape) == len(self.shape) and all(
            theirs >= 0 and mine in (-1, theirs) for mine, theirs in zip(self.shape, shape, strict=True)
        )


class OnnxEngine:
    """A loaded ONNX model. Running it is thread-safe and releases the interpreter's lock."""

    def __init__(self, model_file: Path, threads: int = 1) -> None:
        """Load the model.

        Args:
            model_file: the ``.onnx`` file; external data is found next to it.
            threads: threads within one inference. With 1, the calling thread does all of the work.

        Raises:
            EngineError: ONNX Runtime refuses the model, or a tensor of it has no place in the protocol.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _QUIET
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(str(model_file), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise EngineError(f"ONNX Runtime cannot load {model_file}: {error}") from error
        self.inputs = tuple(_spec(node, model_file) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(node, model_file) for node in self._session.get_outputs())
        self.version: str | None = self._session.get_modelmeta().custom_metadata_map.get("version")

    def run(self, feeds: Mapping[str, Tensor], outputs: Sequence[str]) -> list[Tensor]:
        """Run one inference and return the named outputs in their order.

        Raises:
            ModelFailure: the model failed on this input.
        """
        try:
            results: list[Tensor] = self._session.run(outputs, dict(feeds))
        except Exception as error:
            raise ModelFailure(f"the model failed: {error}") from error
        return results

    def neutral_feeds(self) -> dict[str, Tensor]:
        """Return an input of zeros (or empty strings), with 1 for every free dimension."""
        return {spec.name: _neutral(spec) for spec in self.inputs}


def _spec(node: Any, model_file: Path) -> TensorSpec:
    datatype = _DATATYPES.get(node.type)
    if datatype is None:
        raise EngineError(
            f"{model_file}: {node.name!r} is a {node.type}, which the Open Inference Protocol cannot carry; "
            "export the model with plain tensors (for scikit-learn: without ZipMap)"
        )
    return TensorSpec(node.name, datatype, tuple(d if isinstance(d, int) else -1 for d in node.shape))


def _neutral(spec: TensorSpec) -> Tensor:
    shape = [1 if dimension == -1 else dimension for dimension in spec.shape]
    if spec.datatype == "BYTES":
        return np.full(shape, "", dtype=np.object_)
    return np.zeros(shape, dtype=NUMPY_TYPES[spec.datatype])


NUMPY_TYPES: Mapping[str, type[np.generic]] = {
    "BOOL": np.bool_,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
