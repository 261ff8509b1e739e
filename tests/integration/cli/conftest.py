"""Our kinds on a real API server, and the plugin called as a person calls it."""

# ruff: noqa: F811  fixtures take the imported ones by name

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kubernetes import client, utils

from crossfade_operator.cli.main import run
from dev.cluster.controlplane import ControlPlane
from dev.cluster.pytest_plugin import control_plane, kubernetes_client  # noqa: F401
from dev.cluster.waiting import NotYetError, wait_for

ROOT = Path(__file__).parents[3]
GROUP, VERSION = "crossfade.dev", "v1alpha1"
PLURALS = ("modelrollouts", "modelendpoints", "experiments", "metrics", "decisions", "reviews")

Command = Callable[..., tuple[int, str]]


@pytest.fixture(scope="session")
def kinds(kubernetes_client: client.ApiClient) -> client.CustomObjectsApi:
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        utils.create_from_yaml(kubernetes_client, str(path))
    api = client.CustomObjectsApi(kubernetes_client)
    _wait_until_served(api)
    return api


def _wait_until_served(api: client.CustomObjectsApi) -> None:
    def served() -> None:
        try:
            for plural in PLURALS:
                api.list_cluster_custom_object(GROUP, VERSION, plural)
        except client.ApiException as error:
            raise NotYetError(f"HTTP {error.status}") from error

    wait_for("the kinds to be served", served, timeout=30)


@pytest.fixture
def namespace(kubernetes_client: client.ApiClient) -> Iterator[str]:
    core = client.CoreV1Api(kubernetes_client)
    made = core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(generate_name="recs-")))
    yield made.metadata.name
    core.delete_namespace(made.metadata.name)


@pytest.fixture
def command(control_plane: ControlPlane, kinds: client.CustomObjectsApi, namespace: str) -> Command:
    def call(*arguments: str) -> tuple[int, str]:
        out = io.StringIO()
        code = run([*arguments, "--kubeconfig", str(control_plane.kubeconfig), "--namespace", namespace], out=out)
        return code, out.getvalue()

    return call
