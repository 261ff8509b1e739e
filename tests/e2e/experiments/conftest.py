"""The experiment under which parts die: brought up while scenarios are played, for that takes minutes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from tests.e2e.support.experiments import run, template
from tests.e2e.support.playbill import Scenario, reported
from tests.e2e.support.scene import Scene
from tests.e2e.support.stage import Stage

MAY_DIE = Path(__file__).with_name("test_when_parts_die.py")


@pytest.fixture(scope="package", autouse=True)
def coming(
    request: pytest.FixtureRequest, stage: Stage, side_by_side: dict[Scenario, Future[None]]
) -> Iterator[Future[Scene] | None]:
    """The scene on its way, where a selected test needs it."""
    if not any(item.path == MAY_DIE for item in request.session.items):
        yield None
        return
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool.submit(_bring_up, stage)


def _bring_up(stage: Stage) -> Scene:
    scene = Scene(stage, "parts-die-under-an-experiment")
    with reported(scene):
        scene.open(routers=2)
        run(scene, template())
    return scene


@pytest.fixture(scope="package")
def scene(coming: Future[Scene], side_by_side: dict[Scenario, Future[None]]) -> Iterator[Scene]:
    """A running experiment, once nobody else needs the parts any more."""
    scene = coming.result()
    wait(side_by_side.values())
    yield scene
    scene.close()
