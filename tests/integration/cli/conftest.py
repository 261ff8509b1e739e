"""Our kinds on a real API server, and the plugin called as a person calls it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kubernetes import client

from crossfade_operator.cli.main import run
from dev.cluster.controlplane import ControlPlane
from tests.integration.api.server import install

ROOT = Path(__file__).parents[3]
GROUP, VERSION = "crossfade.dev", "v1alpha1"

Command = Callable[..., tuple[int, str]]


@pytest.fixture(scope="session")
def kinds(kubernetes_client: client.ApiClient) -> client.CustomObjectsApi:
    install(kubernetes_client)
    return client.CustomObjectsApi(kubernetes_client)


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
