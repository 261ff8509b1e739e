"""The Open Inference Protocol over gRPC: KServe's servicer, with our accounting and error codes."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc

from crossfade_serving.errors import problem_of
from crossfade_serving.inference import Inferences
from crossfade_serving.kserve_sdk import (
    InferenceServicer,
    InferRequest,
    InferResponse,
    grpc_predict_v2_pb2_grpc,
)
from crossfade_serving.kserve_sdk import grpc_predict_v2_pb2 as messages
from crossfade_serving.lifecycle import ServingDataPlane

DIGEST_METADATA = "x-model-digest"
Answer = TypeVar("Answer")


class Servicer(InferenceServicer):  # type: ignore[misc]
    """Serves one model; the digest of the model is in the trailing metadata of its answers."""

    def __init__(self, dataplane: ServingDataPlane, inferences: Inferences) -> None:
        super().__init__(dataplane, None)
        self._dataplane = dataplane
        self._inferences = inferences

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol's name)
        """Answer an inference request."""

        def decode() -> Any:
            self.validate_grpc_request(request)
            return InferRequest.from_grpc(request)

        return await self._answer(
            context,
            lambda: self._inferences.answer(
                dict(context.invocation_metadata()),
                request.model_name,
                request.model_version or None,
                decode,
                lambda response: encode(response, binary=bool(request.raw_input_contents)),
            ),
        )

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Describe the model."""

        async def describe() -> Any:
            self._dataplane.model(request.name, request.version or None)
            return messages.ModelMetadataResponse(**await self._dataplane.model_metadata(request.name))

        return await self._answer(context, describe)

    async def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Say whether requests for the model should be sent here."""
        return await self._answer(context, lambda: super(Servicer, self).ModelReady(request, context))

    async def RepositoryModelLoad(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refuse: which model a server serves is decided when it starts."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "models cannot be loaded over the network")

    async def RepositoryModelUnload(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refuse, as for loading."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "models cannot be unloaded over the network")

    async def _answer(self, context: Any, work: Callable[[], Awaitable[Answer]]) -> Answer:
        if served := self._dataplane.served:
            context.set_trailing_metadata(((DIGEST_METADATA, served.digest),))
        try:
            return await work()
        except Exception as error:
            problem = problem_of(error)
            await context.abort(problem.code, problem.message)
            raise  # abort() has raised already; this is for readers and type checkers


def encode(response: InferResponse, *, binary: bool) -> Any:
    """Encode a response: tensors in binary for a request that came in binary, else as typed contents."""
    for output in response.outputs:
        output.set_data_from_numpy(output.data, binary_data=binary or output.datatype == "FP16")
    return response.to_grpc()


def create(servicer: Servicer, max_message_bytes: int) -> Any:
    """Create the gRPC server; the caller adds a port and starts it."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", max_message_bytes),
            ("grpc.so_reuseport", 0),
        ]
    )
    grpc_predict_v2_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    return server
