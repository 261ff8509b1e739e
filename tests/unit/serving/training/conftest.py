"""The trained versions, made once per run."""

from __future__ import annotations

import pytest

from serving_image.training import train
from serving_image.training.listening import Histories, generate
from serving_image.training.preferences import SEED


@pytest.fixture(scope="session")
def histories() -> Histories:
    return generate(SEED)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, histories: Histories) -> dict[str, train.Trained]:
    output = tmp_path_factory.mktemp("models")
    return {version.version: version for version in train.write_all(histories, output)}
