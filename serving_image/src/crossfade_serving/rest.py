"""The Open Inference Protocol over REST: KServe's endpoints, with the path of an inference kept short.

KServe's application validates, dispatches and times every request through layers that cost more than a small model.
Inference is therefore a plain route that uses KServe's types and codecs directly; everything else is KServe's own.
The repository extension (loading and unloading over the network) and the v1 protocol are not offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import exposition
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crossfade_serving import __version__
from crossfade_serving.errors import InferenceProblem, problem_of
from crossfade_serving.inference import Inferences
from crossfade_serving.kserve_sdk import (
    INFERENCE_CONTENT_LENGTH_HEADER,
    InferenceRequest,
    InferRequest,
    InferResponse,
    InvalidInput,
    ListModelsResponse,
    ModelMetadataResponse,
    ModelNotFound,
    ModelNotReady,
    ModelReadyResponse,
    ServerLiveResponse,
    ServerMetadataResponse,
    ServerNotReady,
    ServerReadyResponse,
    V2Endpoints,
)
from crossfade_serving.lifecycle import Lifecycle, ServingDataPlane
from crossfade_serving.metrics import ServingMetrics
from crossfade_serving.outcomes import MOST_BYTES, Outcomes

DIGEST_HEADER = "x-model-digest"
_BINARY = "application/octet-stream"


class IdentifiedModelMetadata(ModelMetadataResponse):  # type: ignore[misc]
    """The protocol's model metadata, with the model's digest among the parameters."""

    parameters: dict[str, str]


def application(
    dataplane: ServingDataPlane,
    inferences: Inferences,
    outcomes: Outcomes,
    metrics: ServingMetrics,
    lifecycle: Lifecycle,
    max_request_bytes: int,
) -> ASGIApp:
    """Build the HTTP application."""
    app = FastAPI(title="Crossfade model server", version=__version__, docs_url=None, redoc_url=None)
    _add_inference(app, dataplane, inferences, max_request_bytes)
    _add_outcomes(app, outcomes)
    _add_metadata(app, dataplane)
    _add_metrics(app, metrics)
    for kind in (ModelNotFound, ModelNotReady, ServerNotReady, HTTPException, Exception):
        app.add_exception_handler(kind, _error_response)
    return _CloseWhenDraining(app, lifecycle)


class _CloseWhenDraining:
    """Asks clients to close their connection after each answer while the server is draining."""

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle) -> None:
        self._app = app
        self._lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start" and self._lifecycle.draining:
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, closing)


def _add_inference(app: FastAPI, dataplane: ServingDataPlane, inferences: Inferences, max_request_bytes: int) -> None:
    async def infer(request: Request) -> Response:
        headers = dict(request.headers)
        name, version = request.path_params["model_name"], request.path_params.get("model_version")
        body = await _body(request, max_request_bytes)
        try:
            response = await inferences.answer(headers, name, version, lambda: decode(body, headers, name), encode)
        except InferenceProblem as problem:
            response = _problem_response(problem)
        if served := dataplane.served:
            response.headers[DIGEST_HEADER] = served.digest
        return response

    for path in ("/v2/models/{model_name}/infer", "/v2/models/{model_name}/versions/{model_version}/infer"):
        app.add_route(path, infer, methods=["POST"])


def _add_outcomes(app: FastAPI, outcomes: Outcomes) -> None:
    async def report(request: Request) -> Response:
        try:
            outcomes.report(request.headers, await _body(request, MOST_BYTES))
        except InvalidInput as error:
            return _problem_response(problem_of(error))
        return Response(status_code=204)

    app.add_route("/v1/outcomes", report, methods=["POST"])


async def _body(request: Request, limit: int) -> bytes | None:
    """Read the body, or return ``None`` as soon as it is longer than ``limit``."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


def decode(body: bytes | None, headers: Mapping[str, str], model_name: str) -> InferRequest:
    """Decode a JSON request, or one with binary tensor data after the JSON.

    Raises:
        InvalidInput: it is too long, or not a request of the protocol.
    """
    if body is None:
        raise InvalidInput("the request is too long: send smaller batches, or raise --max-request-bytes")
    try:
        json_length = headers.get(INFERENCE_CONTENT_LENGTH_HEADER)
        if json_length is not None:
            return InferRequest.from_bytes(body, int(json_length), model_name)
        return InferRequest.from_inference_request(InferenceRequest.model_validate_json(body), model_name)
    except ValidationError as error:
        raise InvalidInput(_first_finding(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"not a v2 inference request with binary data: {error!r}") from error


def _first_finding(error: ValidationError) -> str:
    finding = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in finding["loc"])
    return f"not a v2 inference request: {where + ': ' if where else ''}{finding['msg']}"


def encode(response: InferResponse) -> Response:
    """Encode a response as JSON, or with binary tensor data after the JSON if the request asked for it."""
    content, json_length = response.to_rest()
    if json_length is None:
        return Response(orjson.dumps(content), media_type="application/json")
    return Response(content, media_type=_BINARY, headers={INFERENCE_CONTENT_LENGTH_HEADER: str(json_length)})


def _add_metadata(app: FastAPI, dataplane: ServingDataPlane) -> None:
    endpoints = V2Endpoints(dataplane)

    async def model_metadata(model_name: str, model_version: str | None = None) -> IdentifiedModelMetadata:
        identity = dataplane.model(model_name, model_version).identity
        metadata = await dataplane.model_metadata(model_name)
        return IdentifiedModelMetadata(**metadata, parameters={"digest": identity.digest})

    async def model_ready(model_name: str, model_version: str | None = None) -> Any:
        if model_version:
            dataplane.model(model_name, model_version)
        return await endpoints.model_ready(model_name)

    routes: tuple[tuple[str, Any, Any], ...] = (
        ("/v2", endpoints.metadata, ServerMetadataResponse),
        ("/v2/health/live", endpoints.live, ServerLiveResponse),
        ("/v2/health/ready", endpoints.ready, ServerReadyResponse),
        ("/v2/models", endpoints.models, ListModelsResponse),
        ("/v2/models/{model_name}", model_metadata, IdentifiedModelMetadata),
        ("/v2/models/{model_name}/versions/{model_version}", model_metadata, IdentifiedModelMetadata),
        ("/v2/models/{model_name}/ready", model_ready, ModelReadyResponse),
        ("/v2/models/{model_name}/versions/{model_version}/ready", model_ready, ModelReadyResponse),
    )
    for path, endpoint, answer in routes:
        app.add_api_route(path, endpoint, methods=["GET"], response_model=answer)


def _add_metrics(app: FastAPI, metrics: ServingMetrics) -> None:
    async def show(request: Request) -> Response:
        encoder, content_type = exposition.choose_encoder(request.headers.get("accept", ""))
        return Response(encoder(metrics.registry), headers={"content-type": content_type})

    app.add_route("/metrics", show, methods=["GET"])


async def _error_response(_: Request, error: Exception) -> Response:
    """Answer in the protocol's form for errors, whatever the error was."""
    if isinstance(error, HTTPException):
        return JSONResponse({"error": str(error.detail)}, status_code=error.status_code, headers=error.headers)
    if isinstance(error, ServerNotReady):
        return JSONResponse({"error": str(error)}, status_code=503)
    return _problem_response(problem_of(error))


def _problem_response(problem: InferenceProblem) -> Response:
    return JSONResponse({"error": problem.message}, status_code=problem.status)
