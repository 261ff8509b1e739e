"""What can go wrong, as a tree of exceptions.

::

    ServingError
    ├── StartError                the server refuses to start; the sentence says what to do
    │   ├── SettingsError         an option or environment variable is wrong
    │   ├── ArtefactError         the model's files are missing, ambiguous or not the expected ones
    │   └── EngineError           ONNX Runtime cannot load the model, or its warm-up fails
    └── InferenceProblem          one request cannot be answered; carries the HTTP status and the gRPC code
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from dataclasses import dataclass

import grpc

from crossfade_serving.kserve_sdk import InvalidInput, ModelNotFound, ModelNotReady


class ServingError(Exception):
    """Base of all errors of the model server."""


class StartError(ServingError):
    """The server refuses to start."""


class SettingsError(StartError):
    """An option or environment variable is wrong."""


class ArtefactError(StartError):
    """The model's files are missing, ambiguous, or not the ones that were expected."""


class EngineError(StartError):
    """The engine cannot load the model or run its warm-up."""


class ModelFailure(ServingError):
    """The model itself failed on a well-formed request."""


@dataclass(eq=False)
class InferenceProblem(ServingError):
    """One request that cannot be answered.

    ``fault`` is ``"client"`` for a request that no server could answer, ``"server"`` for all others; only the latter
    count as errors of the model.
    """

    status: int
    code: grpc.StatusCode
    fault: str
    message: str

    def __str__(self) -> str:
        return self.message


def problem_of(error: Exception) -> InferenceProblem:
    """Translate any exception from answering a request."""
    match error:
        case InferenceProblem():
            return error
        case InvalidInput():
            return InferenceProblem(400, grpc.StatusCode.INVALID_ARGUMENT, "client", str(error))
        case ModelNotFound():
            return InferenceProblem(404, grpc.StatusCode.NOT_FOUND, "client", str(error))
        case ModelNotReady():
            return InferenceProblem(503, grpc.StatusCode.UNAVAILABLE, "server", str(error))
        case ModelFailure():
            return InferenceProblem(500, grpc.StatusCode.INTERNAL, "server", str(error))
    text = f"the server failed while answering ({type(error).__name__}: {error})"
    return InferenceProblem(500, grpc.StatusCode.INTERNAL, "server", text)
