from collections.abc import Iterator

import pytest
from kubernetes import client

from dev.cluster.controlplane import ControlPlane
from tests.integration.api.server import Server, install


@pytest.fixture(scope="session")
def _definitions(kubernetes_client: client.ApiClient) -> client.ApiClient:
    install(kubernetes_client)
    return kubernetes_client


@pytest.fixture(scope="session")
def dry_server(_definitions: client.ApiClient, control_plane: ControlPlane) -> Server:
    """Our kinds are served; a namespace in which nothing is kept."""
    return _server(_definitions, control_plane)


@pytest.fixture
def server(_definitions: client.ApiClient, control_plane: ControlPlane) -> Iterator[Server]:
    """Our kinds are served; a namespace for this test."""
    ours = _server(_definitions, control_plane)
    yield ours
    client.CoreV1Api(_definitions).delete_namespace(ours.namespace)


def _server(api: client.ApiClient, plane: ControlPlane) -> Server:
    body = {"metadata": {"generateName": "api-"}}
    namespace = client.CoreV1Api(api).create_namespace(body).metadata.name
    return Server(api, plane.kubeconfig, namespace)
