"""Fixtures that give tests a real Kubernetes API.

A suite takes them by importing them in its ``conftest.py``::

    from dev.cluster.pytest_plugin import control_plane, kubernetes_client
"""

from collections.abc import Iterator

import pytest
from kubernetes import client, config

from dev.cluster.controlplane import ControlPlane, LoopbackControlPlane
from dev.cluster.programs import Programs


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd, kube-apiserver and kube-controller-manager on loopback, for the whole session.

    The programs are built on first use, which takes minutes; afterwards it starts in seconds. There is no node:
    Deployments get their ReplicaSets and Pods, and those stay Pending.
    """
    plane = LoopbackControlPlane(Programs.cached(), tmp_path_factory.mktemp("control-plane"))
    running = plane.start()
    try:
        yield running
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def kubernetes_client(control_plane: ControlPlane) -> Iterator[client.ApiClient]:
    """An ``ApiClient`` of the official Python client, as cluster administrator."""
    with config.new_client_from_config(str(control_plane.kubeconfig)) as api:  # type: ignore[no-untyped-call]
        yield api
