"""The parts of KServe's SDK that the server is made of, without the parts that it never uses.

``import kserve`` also loads KServe's Kubernetes client, its generated API models and pandas: more than half of the time
and a third of the memory of a starting server. The modules of the protocol do not need them, so they are imported
from under a package whose ``__init__`` has not run. pandas, which they mention in annotations, is loaded when
something really asks for a data frame.

Every other module of this package takes KServe's names from here.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class _LatePandas(ModuleType):
    """Stands for pandas until an attribute of it is used."""

    DataFrame: Any

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module("pandas"), name)


@contextmanager
def _protocol_only() -> Iterator[None]:
    """Make ``kserve.<module>`` importable without ``kserve/__init__.py`` and without pandas."""
    if "kserve" in sys.modules:
        yield
        return
    spec = importlib.util.find_spec("kserve")
    if spec is None:
        raise ModuleNotFoundError("kserve is not installed: install the crossfade-serving package", name="kserve")
    sys.modules["kserve"] = importlib.util.module_from_spec(spec)
    late, missing = _LatePandas("pandas"), "pandas" not in sys.modules
    late.DataFrame = object
    if missing:
        sys.modules["pandas"] = late
    try:
        yield
    finally:
        del late.DataFrame
        if missing:
            del sys.modules["pandas"]


with _protocol_only():
    from kserve.constants.constants import INFERENCE_CONTENT_LENGTH_HEADER
    from kserve.errors import InferenceError, InvalidInput, ModelNotFound, ModelNotReady, ServerNotReady
    from kserve.inference_client import InferenceGRPCClient
    from kserve.model import InferenceModel, InferenceVerb
    from kserve.model_repository import ModelRepository
    from kserve.protocol.dataplane import DataPlane
    from kserve.protocol.grpc import grpc_predict_v2_pb2, grpc_predict_v2_pb2_grpc
    from kserve.protocol.grpc.servicer import InferenceServicer
    from kserve.protocol.infer_type import InferInput, InferOutput, InferRequest, InferResponse
    from kserve.protocol.rest.v2_datamodels import (
        InferenceRequest,
        ListModelsResponse,
        ModelMetadataResponse,
        ModelReadyResponse,
        ServerLiveResponse,
        ServerMetadataResponse,
        ServerReadyResponse,
    )
    from kserve.protocol.rest.v2_endpoints import V2Endpoints

__all__ = [
    "INFERENCE_CONTENT_LENGTH_HEADER",
    "DataPlane",
    "InferInput",
    "InferOutput",
    "InferRequest",
    "InferResponse",
    "InferenceError",
    "InferenceGRPCClient",
    "InferenceModel",
    "InferenceRequest",
    "InferenceServicer",
    "InferenceVerb",
    "InvalidInput",
    "ListModelsResponse",
    "ModelMetadataResponse",
    "ModelNotFound",
    "ModelNotReady",
    "ModelReadyResponse",
    "ModelRepository",
    "ServerLiveResponse",
    "ServerMetadataResponse",
    "ServerNotReady",
    "ServerReadyResponse",
    "V2Endpoints",
    "grpc_predict_v2_pb2",
    "grpc_predict_v2_pb2_grpc",
]
