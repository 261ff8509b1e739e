"""Every manifest in the plugin's pages is one that the API server takes, and every command one that the plugin has."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import yaml
from kubernetes import client, dynamic

from crossfade_operator.cli.main import _parser
from tests.integration.cli.conftest import ROOT

PAGES = ("kubectl-plugin.md", "decisions.md", "experiments.md")
_BLOCK = re.compile(r"^```(?P<language>yaml|sh)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)


def _blocks(language: str) -> list[tuple[str, str]]:
    pages = [(page, (ROOT / "docs" / page).read_text()) for page in PAGES]
    return [
        (page, found["text"])
        for page, text in pages
        for found in _BLOCK.finditer(text)
        if found["language"] == language
    ]


def _manifests() -> list[Any]:
    documents = [(page, one) for page, text in _blocks("yaml") for one in yaml.safe_load_all(text)]
    return [pytest.param(one, id=f"{page}-{one['kind']}-{one['metadata']['name']}") for page, one in documents]


def _commands() -> list[str]:
    lines = [line for _, text in _blocks("sh") for line in text.splitlines()]
    return [line for line in lines if line.startswith("kubectl crossfade ")]


@pytest.mark.integration
@pytest.mark.parametrize("manifest", _manifests())
def test_the_api_server_takes_it(
    kinds: client.CustomObjectsApi, kubernetes_client: client.ApiClient, namespace: str, manifest: dict[str, Any]
) -> None:
    resource = dynamic.DynamicClient(kubernetes_client).resources.get(
        api_version=manifest["apiVersion"], kind=manifest["kind"]
    )
    manifest["metadata"]["namespace"] = namespace
    made = resource.create(body=manifest, namespace=namespace, dry_run="All", field_validation="Strict")
    assert made.metadata.name == manifest["metadata"]["name"]


@pytest.mark.parametrize("line", _commands())
def test_the_plugin_takes_it(line: str) -> None:
    words = shlex.split(line, comments=True)[2:]
    assert callable(_parser().parse_args(words).command)
