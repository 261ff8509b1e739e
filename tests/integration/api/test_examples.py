"""Every example is taken by the API server as it stands, and by our models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from crossfade_operator.api.crd import RESOURCES
from crossfade_operator.api.meta import API_VERSION
from tests.integration.api.server import ROOT, Server

pytestmark = pytest.mark.integration

EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
SPECS = {resource.kind: resource.spec for resource in RESOURCES}


def ours(path: Path) -> list[dict[str, Any]]:
    documents = yaml.safe_load_all(path.read_text())
    return [each for each in documents if each and each.get("apiVersion") == API_VERSION]


def test_there_are_examples() -> None:
    assert {path.name for path in EXAMPLES} >= {"smallest.yaml", "full.yaml", "metric.yaml"}


@pytest.mark.parametrize("path", EXAMPLES, ids=[str(path.relative_to(ROOT)) for path in EXAMPLES])
def test_an_example_is_taken(server: Server, path: Path) -> None:
    for obj in ours(path):
        metadata = {key: value for key, value in obj["metadata"].items() if key != "namespace"}
        stored = server.create(obj | {"metadata": metadata}, keep=True)
        model = SPECS[obj["kind"]]
        assert model.model_validate(stored["spec"]) == model.model_validate(obj["spec"])


def test_the_smallest_useful_pair_fits_forty_lines() -> None:
    path = ROOT / "examples" / "smallest.yaml"
    assert [each["kind"] for each in ours(path)] == ["ModelEndpoint", "ModelRollout"]
    assert len(path.read_text().splitlines()) <= 40


def test_metrics_that_an_example_names_are_shown_too() -> None:
    defined = {obj["metadata"]["name"] for path in EXAMPLES for obj in ours(path) if obj["kind"] == "Metric"}
    named = {
        use["metric"]
        for path in EXAMPLES
        for obj in ours(path)
        for use in obj["spec"].get("strategy", {}).get("analysis", {}).get("metrics", ())
    }
    assert named - defined <= {"error-rate", "latency"}
