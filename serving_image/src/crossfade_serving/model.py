"""The served model: what KServe's data plane calls, in terms of the protocol's requests and responses."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossfade_serving.engine import NUMPY_TYPES, OnnxEngine, Tensor, TensorSpec
from crossfade_serving.kserve_sdk import (
    InferenceModel,
    InferenceVerb,
    InferOutput,
    InferRequest,
    InferResponse,
    InvalidInput,
)

PLATFORM = "onnxruntime_onnx"


@dataclass(frozen=True)
class Identity:
    """Which model this is: the name it is served under, its version and its digest (``sha256:…``)."""

    name: str
    version: str
    digest: str


class OnnxModel(InferenceModel):  # type: ignore[misc]
    """Checks a request against the model's tensors, runs the engine and builds the response."""

    def __init__(self, identity: Identity, engine: OnnxEngine, executor: Executor | None) -> None:
        """Bind an engine to its name.

        Args:
            identity: what the protocol shows.
            engine: the loaded model.
            executor: where inferences run; ``None`` runs them on the event loop, which is
                faster for models of some tens of microseconds and blocks everything else for all others.
        """
        super().__init__(identity.name)
        self.identity = identity
        self._engine = engine
        self._executor = executor
        self._inputs = {spec.name: spec for spec in engine.inputs}
        self._outputs = {spec.name: spec for spec in engine.outputs}
        self.ready = True

    async def __call__(
        self, body: Any, headers: Mapping[str, str] | None = None, verb: Any = InferenceVerb.PREDICT
    ) -> tuple[Any, dict[str, str]]:
        """Answer one inference request; the second part are response headers, of which there are none."""
        feeds = self._feeds(body)
        names = self._requested(body)
        results = await self._run(feeds, names)
        outputs = [self._output(name, result) for name, result in zip(names, results, strict=True)]
        response = InferResponse(
            response_id=body.id or (headers or {}).get("x-request-id") or str(uuid.uuid4()),
            model_name=self.name,
            model_version=self.identity.version,
            infer_outputs=outputs,
            use_binary_outputs=body.use_binary_outputs,
            requested_outputs=body.request_outputs,
        )
        return response, {}

    def get_input_types(self) -> list[dict[str, Any]]:
        """Return the metadata of the inputs."""
        return [spec.as_metadata() for spec in self._engine.inputs]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Return the metadata of the outputs."""
        return [spec.as_metadata() for spec in self._engine.outputs]

    def neutral_feeds(self) -> dict[str, Tensor]:
        """Return an input of zeros, of the smallest shape that fits."""
        return self._engine.neutral_feeds()

    async def _run(self, feeds: Mapping[str, Tensor], names: list[str]) -> list[Tensor]:
        if self._executor is None:
            return self._engine.run(feeds, names)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._engine.run, feeds, names)

    def _feeds(self, request: InferRequest) -> dict[str, Tensor]:
        """Decode all inputs, or say which one does not fit the model."""
        given = {tensor.name: tensor for tensor in request.inputs}
        if given.keys() != self._inputs.keys() or len(given) != len(request.inputs):
            raise InvalidInput(
                f"model {self.name!r} takes the inputs {sorted(self._inputs)}, each once; "
                f"the request has {[tensor.name for tensor in request.inputs]}"
            )
        return {name: _decode(tensor, self._inputs[name]) for name, tensor in given.items()}

    def _requested(self, request: InferRequest) -> list[str]:
        names = [output.name for output in request.request_outputs or []] or list(self._outputs)
        unknown = sorted(set(names) - self._outputs.keys())
        if unknown:
            raise InvalidInput(f"model {self.name!r} has the outputs {sorted(self._outputs)}, not {unknown}")
        return names

    def _output(self, name: str, result: Tensor) -> InferOutput:
        return InferOutput(name=name, shape=list(result.shape), datatype=self._outputs[name].datatype, data=result)


def is_empty(response: InferResponse) -> bool:
    """Whether the answer holds no result: its first output has no element, or only negative ids (padding)."""
    first = response.outputs[0].data
    return first.size == 0 or (first.dtype.kind == "i" and bool((first < 0).all()))


def _decode(tensor: Any, spec: TensorSpec) -> Tensor:
    if tensor.datatype != spec.datatype:
        raise InvalidInput(f"input {spec.name!r} must have the datatype {spec.datatype}, not {tensor.datatype!r}")
    if not spec.admits(tensor.shape):
        raise InvalidInput(f"input {spec.name!r} must have the shape {list(spec.shape)} (-1: any), not {tensor.shape}")
    try:
        _refuse_fractions(tensor, spec)
        values: Tensor = tensor.as_numpy()
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(
            f"input {spec.name!r} does not hold {spec.datatype} data of the shape {tensor.shape}: {error}"
        ) from error
    return _as_text(values) if spec.datatype == "BYTES" else values


def _refuse_fractions(tensor: Any, spec: TensorSpec) -> None:
    """NumPy would cut 1.7 down to 1, and the user would get another user's answer."""
    is_whole = np.issubdtype(NUMPY_TYPES.get(spec.datatype, np.object_), np.integer)
    if is_whole and tensor.data and np.array(tensor.data).dtype.kind == "f":
        raise ValueError("it has fractions")


def _as_text(values: Tensor) -> Tensor:
    """ONNX strings are text; the protocol's BYTES are bytes when sent in binary."""
    text = [value.decode() if isinstance(value, bytes) else str(value) for value in values.flat]
    return np.array(text, dtype=np.object_).reshape(values.shape)
