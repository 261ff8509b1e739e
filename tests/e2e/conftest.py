"""One cluster for all rollouts, with the chart installed; and the scenarios that run side by side on it."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

pytest.register_assert_rewrite("tests.e2e.experiments", "tests.e2e.rollouts", "tests.e2e.support")

from dev.demo.kube import Kube  # noqa: E402
from dev.demo.show import Show  # noqa: E402
from dev.demo.staging import raise_stage  # noqa: E402
from tests.e2e.support.playbill import Scenario, play, title  # noqa: E402
from tests.e2e.support.scene import Scene  # noqa: E402
from tests.e2e.support.stage import Stage, train_models  # noqa: E402

NAME = "e2e"
AT_ONCE = 3
"""Scenarios played at once: each starts some six pods, and a model server takes a second or two of CPU to start."""

STANDING = "CROSSFADE_E2E_CLUSTER"
"""Names a cluster on which Crossfade is installed already: it is used as it stands and left standing."""


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """A cluster of its own with Crossfade in it, taken down at the end however the tests went."""
    train_models()
    standing = os.environ.get(STANDING)
    kube = Kube(standing or NAME)
    try:
        if not standing:
            raise_stage(kube, Show())
        yield Stage(kube)
    finally:
        if not standing:
            kube.backend.down()


@pytest.fixture(scope="session")
def side_by_side(request: pytest.FixtureRequest, stage: Stage) -> Iterator[dict[Scenario, Future[None]]]:
    """Every selected scenario, some at a time: mostly they only wait, each in its own namespace."""
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    selected = [call.params["scenario"] for call in calls if call is not None and "scenario" in call.params]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        playing = {scenario: pool.submit(play, scenario, stage) for scenario in selected}
        yield playing
        for one in playing.values():
            one.cancel()  # what has not begun when the tests end early never will


@pytest.fixture
def scene(request: pytest.FixtureRequest, stage: Stage, side_by_side: dict[Scenario, Future[None]]) -> Iterator[Scene]:
    """A scene for a scenario that disturbs all others: it begins when those have ended."""
    wait(side_by_side.values())
    scene = Scene(stage, title(request.function).removeprefix("test-"))
    yield scene
    scene.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """A failed test's report has everything that was seen of its scene, taken before the scene is removed."""
    report = yield
    scene = getattr(item, "funcargs", {}).get("scene")
    if isinstance(scene, Scene) and report.when == "call" and report.failed:
        report.sections.append(("the scene", scene.report()))
    return report
