"""Parts of Crossfade die in mid-rollout. Alone on the stage: everybody else's rollout would wait as well."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from crossfade_operator.cli.rollouts.view import Rollout
from dev.cluster.waiting import NotYetError
from dev.demo.kube import SYSTEM
from tests.e2e.support import checks
from tests.e2e.support.manifests import THREE_STEPS, rollout, step
from tests.e2e.support.scene import Scene
from tests.e2e.support.stage import restarts

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="a node without a container engine needs root"),
]

OUTAGE = 120.0


def test_controller_killed_in_mid_step(scene: Scene) -> None:
    """Once its process is killed, once its pod is deleted without grace: no step is lost, doubled or early."""
    steps = (step("20%", "15s"), step("40%", "15s"), step("60%", "15s"))
    first = scene.open(routers=2)
    with scene.users(rate=60):
        scene.apply(rollout("v2", steps=steps))
        scene.exposed(step=1, seconds=120)
        _kill_the_process(scene)
        scene.exposed(step=2, seconds=180)
        _delete_the_pod(scene)
        promoted = scene.promoted(seconds=240)
    checks.nobody_failed(scene.load)
    checks.no_step_is_lost_doubled_or_early(checks.since(first, promoted), steps)


def _kill_the_process(scene: Scene) -> None:
    (pod,) = scene.stage.system_pods("serving")
    before = restarts(pod)
    scene.stage.kill_program(pod, "crossfade-operator")

    def restarted() -> None:
        (now,) = scene.stage.system_pods("serving")
        if restarts(now) <= before:
            raise NotYetError(f"{restarts(now)} restarts")

    scene.wait("the controller's container to be started again", restarted, 60)


def _delete_the_pod(scene: Scene) -> None:
    old = scene.stage.leader()
    scene.stage.delete_at_once(SYSTEM, old)

    def another_leads() -> None:
        if scene.stage.leader() == old:
            raise NotYetError(f"{old} still leads")

    scene.wait("another controller to lead", another_leads, 90)


def test_prometheus_gone_for_two_minutes(scene: Scene) -> None:
    """Without Prometheus the rollout holds and says why; when it is back, with nothing remembered, it goes on."""
    first = scene.open(routers=2)
    with scene.users(rate=60):
        scene.apply(rollout("v2"))
        scene.exposed(step=1, seconds=120)
        scene.stage.scale("prometheus", 0)
        try:
            held = scene.wait_until("the outage to be told", 60, _holds_without_metrics)
            scene.stays(OUTAGE, lambda seen: _holds_without_metrics(seen) and seen.decisions == held.decisions)
        finally:
            scene.stage.scale("prometheus", 1)
        promoted = scene.promoted(seconds=300)
    checks.nobody_failed(scene.load)
    decisions = checks.since(first, promoted)
    checks.no_step_is_lost_doubled_or_early(decisions, THREE_STEPS)
    next_one = decisions[len(checks.since(first, held))]
    assert checks.at(next_one) - checks.at(held.decisions[-1]) >= timedelta(seconds=OUTAGE)


def _holds_without_metrics(seen: Rollout) -> bool:
    return (seen.phase, seen.reason) == ("Holding", "MetricsUnavailable")
