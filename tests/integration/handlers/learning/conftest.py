from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from crossfade_operator.adapters.api import Api, configuration
from dev.cluster.controlplane import ControlPlane
from tests.contract.cluster.rig import install_kinds
from tests.fakes.telemetry import FakeTelemetry
from tests.integration.handlers.learning.others import Others, analyzer_service
from tests.integration.handlers.serving.processes import Site
from tests.scenario.learning.analyst import FakeAnalyzer


@dataclass
class Lab:
    """A namespace with learning controllers, and the others that they work with."""

    site: Site
    analyzer: FakeAnalyzer
    others: Others


@pytest.fixture
async def lab(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Lab]:
    analyzer = FakeAnalyzer()
    async with (
        Api(await configuration(control_plane.kubeconfig), FakeTelemetry()) as api,
        analyzer_service(analyzer) as url,
    ):
        await install_kinds(api)
        namespace = f"learning-{uuid4().hex[:8]}"
        await api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": namespace}})
        others = Others(api, namespace)
        async with Site(api, namespace, control_plane.kubeconfig, control_plane.url, tmp_path, side="learning") as site:
            site.analyzer = url
            working = asyncio.create_task(others.run())
            yield Lab(site, analyzer, others)
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
