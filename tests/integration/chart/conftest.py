from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

import pytest

from dev.cluster.controlplane import ControlPlane
from dev.cluster.programs import Programs, find_client
from dev.cluster.pytest_plugin import control_plane, kubernetes_client  # noqa: F401

Helm = Callable[..., str]


def run(argv: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """A program that was given `text` and ran to its end, well or not."""
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="session")
def helm(control_plane: ControlPlane) -> Helm:  # noqa: F811
    """Helm on the control plane; it returns all that was printed."""
    program = find_client(Programs.cached(), "helm")

    def call(*arguments: str) -> str:
        done = run([str(program), *arguments, "--kubeconfig", str(control_plane.kubeconfig)])
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return call
