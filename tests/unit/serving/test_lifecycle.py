"""The server's phases and what they mean for requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfade_serving.engine import OnnxEngine
from crossfade_serving.kserve_sdk import ModelNotFound, ModelNotReady
from crossfade_serving.lifecycle import Lifecycle, Phase, ServingDataPlane
from crossfade_serving.metrics import ServingMetrics
from crossfade_serving.model import Identity, OnnxModel
from tests.unit.serving.onnx_models import lookup


@pytest.fixture
def lifecycle() -> Lifecycle:
    return Lifecycle(ServingMetrics())


@pytest.fixture
def dataplane(lifecycle: Lifecycle, tmp_path: Path) -> ServingDataPlane:
    dataplane = ServingDataPlane("lookup", lifecycle)
    dataplane.serve(OnnxModel(Identity("lookup", "7", "sha256:ab"), OnnxEngine(lookup(tmp_path / "m.onnx")), None))
    return dataplane


def test_a_phase_is_never_entered_again(lifecycle: Lifecycle) -> None:
    lifecycle.advance(Phase.READY)
    lifecycle.advance(Phase.DRAINING)
    with pytest.raises(ValueError, match="the server is DRAINING, it cannot become READY again"):
        lifecycle.advance(Phase.READY)


async def test_requests_are_refused_before_and_answered_after_the_start(
    lifecycle: Lifecycle, dataplane: ServingDataPlane
) -> None:
    with pytest.raises(ModelNotReady):
        dataplane.model("lookup")
    assert not await dataplane.ready()
    lifecycle.advance(Phase.READY)
    assert dataplane.model("lookup").identity.version == "7"
    assert await dataplane.ready()


async def test_while_draining_the_probe_fails_and_requests_are_answered(
    lifecycle: Lifecycle, dataplane: ServingDataPlane
) -> None:
    lifecycle.advance(Phase.READY)
    lifecycle.advance(Phase.DRAINING)
    assert not await dataplane.ready()
    assert not await dataplane.model_ready("lookup")
    assert dataplane.model("lookup").identity.version == "7"


@pytest.mark.parametrize(("name", "version"), [("other", None), ("lookup", "8")])
def test_another_model_or_version_is_not_found(
    lifecycle: Lifecycle, dataplane: ServingDataPlane, name: str, version: str | None
) -> None:
    lifecycle.advance(Phase.READY)
    with pytest.raises(ModelNotFound):
        dataplane.model(name, version)


async def test_metadata_names_platform_version_and_tensors(lifecycle: Lifecycle, dataplane: ServingDataPlane) -> None:
    lifecycle.advance(Phase.READY)
    metadata = await dataplane.model_metadata("lookup")
    assert metadata["versions"] == ["7"]
    assert metadata["platform"] == "onnxruntime_onnx"
    assert metadata["inputs"] == [{"name": "item", "datatype": "INT64", "shape": [-1]}]
