"""Every YAML on every page is one that the API server takes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from kubernetes import dynamic

from tests.integration.api.server import ROOT, Server
from tests.repo.pages import blocks, pages

FRAGMENT = "# in spec.template.spec of a ModelRollout\n"
"""How a block begins that is no object of its own."""


def _object(text: str) -> list[dict[str, Any]]:
    """The block's objects; a marked fragment in the smallest rollout."""
    if not text.startswith(FRAGMENT):
        return list(yaml.safe_load_all(text))
    smallest = yaml.safe_load_all((ROOT / "examples" / "smallest.yaml").read_text())
    rollout = copy.deepcopy(next(one for one in smallest if one["kind"] == "ModelRollout"))
    rollout["spec"]["template"]["spec"] = yaml.safe_load(text)
    return [rollout]


def _manifests() -> list[Any]:
    found = [(page, one) for page in pages() for text in blocks(page, "yaml") for one in _object(text)]
    return [pytest.param(one, id=f"{page}-{one.get('kind')}-{number}") for number, (page, one) in enumerate(found)]


@pytest.mark.integration
@pytest.mark.parametrize("manifest", _manifests())
def test_the_api_server_takes_it(dry_server: Server, manifest: dict[str, Any]) -> None:
    assert {"apiVersion", "kind", "metadata"} <= set(manifest), f"a fragment begins with {FRAGMENT!r}"
    namespace = dry_server.namespace
    body = manifest | {"metadata": manifest["metadata"] | {"namespace": namespace}}
    resources = dynamic.DynamicClient(dry_server.api).resources
    resource = resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
    made = resource.create(body=body, namespace=namespace, dry_run="All", field_validation="Strict")
    assert made.metadata.name == manifest["metadata"]["name"]


def test_there_are_manifests_to_try() -> None:
    assert len(_manifests()) >= 10
