"""Scenarios: plain functions of a scene. Playing one gives it a scene, and a failure everything that was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager

from tests.e2e.support.scene import Scene
from tests.e2e.support.stage import Stage

Scenario = Callable[[Scene], None]


def title(scenario: Scenario) -> str:
    """The scenario's name in words that DNS allows; it names the namespace and the test."""
    return scenario.__name__.replace("_", "-")[:40].rstrip("-")


@contextmanager
def reported(scene: Scene) -> Iterator[None]:
    """A failure within carries the scene's report as a note."""
    try:
        yield
    except BaseException as failure:
        failure.add_note(scene.report())
        raise


def play(scenario: Scenario, stage: Stage) -> None:
    """Play one scenario from its empty namespace to the end."""
    scene = Scene(stage, title(scenario))
    with reported(scene):
        scenario(scene)
    scene.close()


def outcome(scenario: Scenario, playing: dict[Scenario, Future[None]], stage: Stage) -> None:
    """Wait for a scenario that is being played; asked again, for it failed, play it anew when others have ended."""
    played = playing.pop(scenario, None)
    if played is not None:
        played.result()
        return
    wait(playing.values())
    play(scenario, stage)
