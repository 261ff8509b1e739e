"""gRPC inference goes to the gRPC port, by the same assignment, and its errors are counted by its own status."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from dataclasses import replace

import grpc  # type: ignore[import-untyped]
import pytest

from crossfade_operator.core.assignment import assign
from crossfade_operator.core.routing import Backend
from tests.dataplane.conftest import NewRouter
from tests.dataplane.rig import LOOPBACK, Model, Router, eventually, free_ports
from tests.dataplane.tables import SALT, candidate, table

METHOD = "/inference.GRPCInferenceService/ModelInfer"


class GrpcModel(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A model server for any method: answers its name, or aborts with `fault`."""

    def __init__(self, name: str) -> None:
        self.name, self.port = name, free_ports(1)[0]
        self.fault: grpc.StatusCode | None = None
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[self])
        self._server.add_insecure_port(f"{LOOPBACK}:{self.port}")
        self._server.start()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        told = {pair.key: pair.value for pair in details.invocation_metadata}

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            if self.fault:
                context.abort(self.fault, "as the test wants it")
            return f"{self.name} {told['x-arm']}/{told['x-abucket']} {request.decode()}".encode()

        return grpc.unary_unary_rpc_method_handler(answer)

    def stop(self) -> None:
        self._server.stop(None).wait()


@pytest.fixture
def stable_grpc() -> Iterator[GrpcModel]:
    model = GrpcModel("stable-grpc")
    yield model
    model.stop()


@pytest.fixture
def candidate_grpc() -> Iterator[GrpcModel]:
    model = GrpcModel("candidate-grpc")
    yield model
    model.stop()


def call(router: Router, unit: str) -> bytes:
    with grpc.insecure_channel(f"{LOOPBACK}:{router.port}") as channel:
        infer = channel.unary_unary(METHOD)
        return bytes(infer(b"tensors", metadata=(("x-user-id", unit),), timeout=10))


def both(model: Model, grpc_model: GrpcModel) -> Backend:
    return replace(model.backend, grpc_port=grpc_model.port)


def test_grpc_is_assigned_like_http_and_reaches_the_grpc_port(
    new_router: NewRouter,
    stable_model: Model,
    candidate_model: Model,
    stable_grpc: GrpcModel,
    candidate_grpc: GrpcModel,
) -> None:
    slices = (candidate(both(candidate_model, candidate_grpc), 500),)
    router = new_router(table(both(stable_model, stable_grpc), slices=slices))
    for number in range(30):
        expected = assign(SALT, f"u{number}")
        arm = "candidate" if expected.position < 500 else "stable"
        assert call(router, f"u{number}").decode() == f"{arm}-grpc {arm}/{expected.bucket} tensors"
    eventually("calls counted", lambda: router.total("requests") == 30)
    assert router.total("errors") == 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (grpc.StatusCode.INTERNAL, True),
        (grpc.StatusCode.UNKNOWN, True),
        (grpc.StatusCode.INVALID_ARGUMENT, False),
        (grpc.StatusCode.NOT_FOUND, False),
    ],
)
def test_a_grpc_status_of_the_servers_making_is_an_error(
    new_router: NewRouter, stable_model: Model, stable_grpc: GrpcModel, fault: grpc.StatusCode, error: bool
) -> None:
    router = new_router(table(both(stable_model, stable_grpc)))
    stable_grpc.fault = fault
    for number in range(5):
        with pytest.raises(grpc.RpcError) as raised:
            call(router, f"u{number}")
        assert raised.value.code() == fault
    eventually("calls counted", lambda: router.total("requests", arm="stable") == 5)
    assert router.total("errors", arm="stable") == (5 if error else 0)


def test_stable_covers_for_a_candidates_grpc_port(
    new_router: NewRouter,
    stable_model: Model,
    candidate_model: Model,
    stable_grpc: GrpcModel,
    candidate_grpc: GrpcModel,
) -> None:
    slices = (candidate(both(candidate_model, candidate_grpc), 950),)
    router = new_router(table(both(stable_model, stable_grpc), slices=slices))
    candidate_grpc.fault = grpc.StatusCode.INTERNAL
    assert {call(router, f"u{number}").split()[0] for number in range(20)} == {b"stable-grpc"}
    candidate_grpc.stop()
    assert {call(router, f"u{number}").split()[0] for number in range(20)} == {b"stable-grpc"}
    assert router.total("errors") == 0
    assert router.total("requests", arm="candidate", served=stable_model.revision) > 30
