"""Every failure of a request has one status, one gRPC code and one who is at fault."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest

from crossfade_serving.errors import InferenceProblem, ModelFailure, problem_of
from crossfade_serving.kserve_sdk import InvalidInput, ModelNotFound, ModelNotReady


@pytest.mark.parametrize(
    ("error", "status", "code", "fault"),
    [
        (InvalidInput("no"), 400, grpc.StatusCode.INVALID_ARGUMENT, "client"),
        (ModelNotFound("m"), 404, grpc.StatusCode.NOT_FOUND, "client"),
        (ModelNotReady("m"), 503, grpc.StatusCode.UNAVAILABLE, "server"),
        (ModelFailure("broke"), 500, grpc.StatusCode.INTERNAL, "server"),
        (RuntimeError("bug"), 500, grpc.StatusCode.INTERNAL, "server"),
    ],
)
def test_problem_of(error: Exception, status: int, code: grpc.StatusCode, fault: str) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.code, problem.fault) == (status, code, fault)
    assert str(error) in str(problem)


def test_a_problem_stays_what_it_is() -> None:
    problem = InferenceProblem(418, grpc.StatusCode.ABORTED, "client", "a teapot")
    assert problem_of(problem) is problem


def test_a_problem_passes_through_context_managers() -> None:
    """They set the traceback of what they let through, which a frozen exception would refuse."""

    @contextmanager
    def around() -> Iterator[None]:
        yield

    with pytest.raises(InferenceProblem, match="a teapot"), around():
        raise InferenceProblem(418, grpc.StatusCode.ABORTED, "client", "a teapot")
