"""One server for the tests that do not end it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.serving.server_process import Server, running
from tests.unit.serving.onnx_models import lookup


@pytest.fixture(scope="session")
def lookup_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``item`` [N] → ``row`` [N, 2]; items 0 … 3 are known, 3 has no result."""
    return lookup(tmp_path_factory.mktemp("lookup") / "model.onnx", rows=4)


@pytest.fixture(scope="session")
def server(lookup_model: Path) -> Iterator[Server]:
    with running("--model-path", str(lookup_model.parent), "--model-name", "lookup", "--warmup", "3") as server:
        yield server
