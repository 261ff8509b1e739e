"""Each request is counted, timed and logged exactly once, however it ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crossfade_serving.engine import OnnxEngine
from crossfade_serving.errors import InferenceProblem
from crossfade_serving.inference import Inferences
from crossfade_serving.kserve_sdk import InferInput, InferRequest, InvalidInput
from crossfade_serving.labels import Assignments
from crossfade_serving.lifecycle import Lifecycle, Phase, ServingDataPlane
from crossfade_serving.metrics import ServingMetrics
from crossfade_serving.model import Identity, OnnxModel
from tests.unit.serving.onnx_models import lookup

HEADERS = {"x-arm": "stable", "x-abucket": "5", "x-request-id": "r"}


class Bench:
    """Inferences over a small model, and what they counted."""

    def __init__(self, path: Path) -> None:
        self.metrics = ServingMetrics()
        self.lifecycle = Lifecycle(self.metrics)
        dataplane = ServingDataPlane("m", self.lifecycle)
        dataplane.serve(OnnxModel(Identity("m", "7", "sha256:ab"), OnnxEngine(lookup(path / "m.onnx", rows=4)), None))
        self.inferences = Inferences(dataplane, Assignments(["stable"]), self.metrics)

    async def answer(self, decode: Callable[[], Any], encode: Callable[[Any], Any] = lambda response: response) -> Any:
        return await self.inferences.answer(HEADERS, "m", None, decode, encode)

    def counts(self) -> dict[str, float]:
        labels = {"arm": "stable", "abucket": "5"}
        names = ("requests", "errors", "rejected_requests", "empty_results")
        values = {n: self.metrics.registry.get_sample_value(f"crossfade_serving_{n}_total", labels) for n in names}
        timed = self.metrics.registry.get_sample_value(
            "crossfade_serving_request_duration_seconds_count", {"arm": "stable"}
        )
        assert timed == values["requests"]
        assert self.metrics.registry.get_sample_value("crossfade_serving_requests_in_flight") == 0
        return {name: value for name, value in values.items() if value}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.lifecycle.advance(Phase.READY)
    return bench


def item(number: int) -> Callable[[], InferRequest]:
    return lambda: InferRequest("m", [InferInput("item", [1], "INT64", [number])], request_id="1")


def broken() -> InferRequest:
    raise InvalidInput("no request")


def unencodable(response: Any) -> Any:
    raise RuntimeError(f"cannot encode {response.id}")


async def test_an_answer(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    response = await bench.answer(item(1))
    assert response.outputs[0].data.tolist() == [[10, -1]]
    assert bench.counts() == {"requests": 1.0}
    assert not caplog.records


async def test_an_answer_without_a_result(bench: Bench) -> None:
    await bench.answer(item(3))
    assert bench.counts() == {"requests": 1.0, "empty_results": 1.0}


@pytest.mark.parametrize(
    ("decode", "encode", "counted", "status", "level"),
    [
        pytest.param(item(9), lambda r: r, "errors", 500, logging.ERROR, id="the model fails"),
        pytest.param(item(1), unencodable, "errors", 500, logging.ERROR, id="the answer cannot be encoded"),
        pytest.param(broken, lambda r: r, "rejected_requests", 400, logging.WARNING, id="the request is malformed"),
    ],
)
async def test_a_failure(
    bench: Bench,
    caplog: pytest.LogCaptureFixture,
    decode: Callable[[], Any],
    encode: Callable[[Any], Any],
    counted: str,
    status: int,
    level: int,
) -> None:
    with pytest.raises(InferenceProblem) as failure:
        await bench.answer(decode, encode)
    assert failure.value.status == status
    assert bench.counts() == {"requests": 1.0, counted: 1.0}
    (record,) = caplog.records
    assert record.levelno == level
    fields: dict[str, object] = vars(record)["fields"]
    assert fields["error"] == failure.value.message
    assert (fields["arm"], fields["abucket"], fields["request_id"]) == ("stable", "5", "r")
    assert (fields["model"], fields["version"], fields["digest"]) == ("m", "7", "sha256:ab")


async def test_a_request_before_the_start_is_over_is_an_error(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with pytest.raises(InferenceProblem) as failure:
        await bench.answer(item(1))
    assert failure.value.status == 503
    assert bench.counts() == {"requests": 1.0, "errors": 1.0}
