"""Warm-up: the first inferences, which allocate and compile, happen before anybody is served."""

from __future__ import annotations

from crossfade_serving.errors import EngineError
from crossfade_serving.kserve_sdk import InferInput, InferRequest
from crossfade_serving.metrics import ServingMetrics
from crossfade_serving.model import OnnxModel
from crossfade_serving.rest import decode
from crossfade_serving.settings import Settings


async def warm_up(model: OnnxModel, settings: Settings, metrics: ServingMetrics) -> None:
    """Run ``settings.warmup`` inferences the way requests are.

    Raises:
        EngineError: one of them fails; a model that cannot answer its warm-up should not get users.
    """
    for _ in range(settings.warmup):
        try:
            await model(_request(model, settings))
        except Exception as error:
            source = settings.warmup_request or "zeros"
            raise EngineError(
                f"the warm-up with {source} failed: {error}; "
                "give a request that the model can answer with --warmup-request, or turn it off with --warmup 0"
            ) from error
        metrics.warmups.inc()


def _request(model: OnnxModel, settings: Settings) -> InferRequest:
    if settings.warmup_request:
        return decode(settings.warmup_request.read_bytes(), {}, model.name)
    feeds = model.neutral_feeds()
    inputs = []
    for spec in model.get_input_types():
        values = feeds[spec["name"]]
        tensor = InferInput(spec["name"], list(values.shape), spec["datatype"])
        tensor.set_data_from_numpy(values, binary_data=spec["datatype"] != "BYTES")
        inputs.append(tensor)
    return InferRequest(model.name, inputs)
