"""The inferences before the first request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossfade_serving.engine import OnnxEngine
from crossfade_serving.errors import EngineError
from crossfade_serving.metrics import ServingMetrics
from crossfade_serving.model import Identity, OnnxModel
from crossfade_serving.settings import Settings
from crossfade_serving.warmup import warm_up
from tests.unit.serving.onnx_models import greeting, lookup


def model_of(path: Path) -> OnnxModel:
    return OnnxModel(Identity("m", "7", "sha256:ab"), OnnxEngine(path), None)


@pytest.mark.parametrize("build", [lookup, greeting])
async def test_zeros_of_the_right_shape_are_sent_as_often_as_asked(tmp_path: Path, build: object) -> None:
    assert callable(build)
    metrics = ServingMetrics()
    await warm_up(model_of(build(tmp_path / "m.onnx")), Settings(warmup=5), metrics)
    assert metrics.registry.get_sample_value("crossfade_serving_warmup_inferences_total") == 5.0


async def test_a_request_from_a_file_is_sent(tmp_path: Path) -> None:
    model = model_of(lookup(tmp_path / "m.onnx", rows=4))
    request = tmp_path / "request.json"
    settings = Settings(warmup=1, warmup_request=request)
    request.write_text(json.dumps({"inputs": [{"name": "item", "shape": [1], "datatype": "INT64", "data": [3]}]}))
    await warm_up(model, settings, ServingMetrics())
    request.write_text(json.dumps({"inputs": [{"name": "item", "shape": [1], "datatype": "INT64", "data": [4]}]}))
    with pytest.raises(EngineError, match=r"the warm-up with .*request\.json failed: .*idx=4.*--warmup-request"):
        await warm_up(model, settings, ServingMetrics())
