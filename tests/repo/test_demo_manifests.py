"""The demo's three rollouts differ in the model only, so that nothing else can be what its evidence shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelrollout import ModelRolloutSpec

DEMO = Path(__file__).parents[2] / "examples" / "demo"
VERSIONS = ("v1", "v2", "v3")


def _manifest(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEMO / f"{name}.yaml").read_text())
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_each_is_the_others_but_for_the_models_path(version: str) -> None:
    text = (DEMO / f"{version}.yaml").read_text().split("\n", 1)[1]
    first = (DEMO / "v1.yaml").read_text().split("\n", 1)[1]
    assert text == first.replace("/models/v1", f"/models/{version}")
    assert text.count(f"/models/{version}") == 1


def test_the_models_accept_them() -> None:
    endpoint = ModelEndpointSpec.model_validate(_manifest("endpoint")["spec"])
    assert endpoint.unit.header == "x-user-id"
    for version in VERSIONS:
        spec = ModelRolloutSpec.model_validate(_manifest(version)["spec"])
        assert spec.endpoint == _manifest("endpoint")["metadata"]["name"]
        assert len(spec.strategy.steps) == 3


@pytest.mark.parametrize("version", VERSIONS)
def test_the_pods_are_restricted(version: str) -> None:
    pod = _manifest(version)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
