from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from crossfade_operator.adapters.api import Api, configuration
from dev.cluster.controlplane import ControlPlane
from tests.contract.cluster.rig import install_kinds
from tests.fakes.telemetry import FakeTelemetry
from tests.integration.handlers.serving.processes import Site


@pytest.fixture
async def site(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Site]:
    """A namespace of its own, and the means to run controllers for it."""
    async with Api(await configuration(control_plane.kubeconfig), FakeTelemetry()) as api:
        await install_kinds(api)
        namespace = f"serving-{uuid4().hex[:8]}"
        await api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": namespace}})
        async with Site(api, namespace, control_plane.kubeconfig, control_plane.url, tmp_path) as site:
            yield site
