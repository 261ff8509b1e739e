from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from dev.cluster.controlplane import ControlPlane
from dev.cluster.programs import Programs, find_client
from dev.cluster.pytest_plugin import control_plane, kubernetes_client  # noqa: F401

Helm = Callable[..., str]


@pytest.fixture(scope="session")
def helm(control_plane: ControlPlane) -> Helm:  # noqa: F811
    """Helm on the control plane; it returns all that was printed."""
    program = find_client(Programs.cached(), "helm")

    def call(*arguments: str) -> str:
        argv = [str(program), *arguments, "--kubeconfig", str(control_plane.kubeconfig)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return call
