"""Model servers and routers for the dataplane tests. Models that a test breaks are its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crossfade_operator.core.routing import RoutingTable
from tests.dataplane.rig import Model, Router

NewModel = Callable[..., Model]
NewRouter = Callable[..., Router]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.dataplane)


@pytest.fixture(scope="session")
def stable_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    model = Model("stablev1", tmp_path_factory.mktemp("stable")).start()
    yield model
    model.stop()


@pytest.fixture(scope="session")
def candidate_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    model = Model("candidate2", tmp_path_factory.mktemp("candidate")).start()
    yield model
    model.stop()


@pytest.fixture
def new_model(tmp_path: Path) -> Iterator[NewModel]:
    with contextlib.ExitStack() as stack:

        def start(revision: str, **options: Any) -> Model:
            model = Model(revision, tmp_path / revision, **options)
            stack.callback(model.stop)
            return model.start()

        yield start


@pytest.fixture
def new_router(tmp_path: Path) -> Iterator[NewRouter]:
    count = iter(range(100))
    with contextlib.ExitStack() as stack:

        def start(table: RoutingTable, **options: Any) -> Router:
            router = Router(tmp_path / f"router-{next(count)}", table, **options)
            stack.callback(router.stop)
            return router

        yield start
