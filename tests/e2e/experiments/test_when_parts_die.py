"""Parts die under a running experiment: nobody is served differently, and earlier evidence stays as it is."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from crossfade_operator.adapters.routers import HEALTHY, OPS_PORT
from dev.cluster.waiting import NotYetError
from dev.demo.kube import ENDPOINT, SYSTEM
from dev.demo.traffic import Traffic
from tests.e2e.support import checks
from tests.e2e.support.experiments import (
    Met,
    between,
    evidence,
    more,
    nobody_else_notices,
    phase_of,
    reach,
    seen,
    users,
    windows,
)
from tests.e2e.support.manifests import rollout, step
from tests.e2e.support.scene import Scene
from tests.e2e.support.shortage import all_pods, evidence_folder, evidence_on_a_small_disk, no_memory
from tests.e2e.support.stage import is_ready, restarts

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.faults,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="a node without a container engine needs root"),
]


def test_the_system_that_learns_dies(scene: Scene) -> None:
    """Analyzer, Prometheus, evidence store, learning controller: users of both arms are served as before."""
    with users(scene) as traffic:
        windows(scene, 2, 120)
        quiet = between(*more(scene, traffic, 150))
        for fault, sign in (
            (_no_analyzer, "analyzer"),
            (_frozen_prometheus, "in time"),
            (_no_prometheus, "Prometheus"),
            (_renamed_label, "abucket"),
            (_read_only_store, "readonly"),
            (_full_store, "full"),
        ):
            before = evidence(scene)
            with fault(scene):
                scene.wait(f"{fault.__name__} to be told", partial(_is_interrupted, scene, sign), 180)
                nobody_else_notices(quiet, _both_arms_answer(scene, traffic))
            _goes_on(scene, before)
        before = evidence(scene)
        for _ in range(2):
            _kill_the_learning_controller(scene)
            nobody_else_notices(quiet, _both_arms_answer(scene, traffic))
        _goes_on(scene, before)
    checks.nobody_failed(scene.load)


def test_the_system_that_serves_has_incidents(scene: Scene) -> None:
    """A promotion, a rollback, dead controllers, routers and stable pods: arms stay what they were pinned to."""
    first = scene.rollout()
    with users(scene) as traffic:
        windows(scene, 2, 120)
        before = evidence(scene)
        scene.apply(rollout("v2", steps=(step("15%", "10s"), step("30%", "10s"))))
        promoted = scene.promoted(seconds=300)
        assert promoted.stable != first.stable
        scene.apply(rollout("v3", steps=(step("15%", "10m"),)))
        scene.exposed(step=1, seconds=180)
        scene.crossfade("abort")
        scene.rolled_back(seconds=90)
        _kill_the_process(scene, "serving")
        _kill_stable(scene, str(promoted.stable))
        _restart_a_router(scene)
        _both_arms_answer(scene, traffic)
        _goes_on(scene, before)
    checks.nobody_failed(scene.load)


def test_the_node_is_out_of_memory_for_a_minute(scene: Scene) -> None:
    """Whoever was killed: the experiment goes on by itself, and what it had found out before is what it was."""
    before = evidence(scene)
    no_memory(scene, 60)
    with users(scene, warmed_up=0):
        scene.wait("all parts to be ready again", lambda: _all_ready(scene), 300)
        _goes_on(scene, before)
    assert seen(scene)["status"]["phase"] == "Running"


# The experiment ----------------------------------------------------------------------------------------------


def _all_ready(scene: Scene) -> None:
    if late := [pod["metadata"]["name"] for pod in all_pods(scene) if not is_ready(pod)]:
        raise NotYetError(f"not ready: {', '.join(late)}")


def _is_interrupted(scene: Scene, sign: str) -> None:
    """With a message that holds `sign`, so that what is told is what was done."""
    found = seen(scene)
    if found["status"]["phase"] != "Interrupted" or sign not in found["status"]["message"]:
        raise NotYetError(phase_of(found))


def _both_arms_answer(scene: Scene, traffic: Traffic) -> Met:
    """Control's users get v1 and the treatment's v2, whatever else is stable by now. What everybody else met meanwhile.

    But for one in ten: a machine that is busy makes stable answer some of any arm's.
    """
    earlier, later = more(scene, traffic, 250)
    for arm, model in (("control", "v1"), ("treatment", "v2")):
        answered = between(earlier, later, arm).models
        assert answered.get(model, 0) >= 0.9 * sum(answered.values()), (arm, answered)
    return between(earlier, later)


def _goes_on(scene: Scene, before: list[str]) -> None:
    """The experiment runs again, has more evidence, and what there was before is the beginning of what there is."""
    reach(scene, "Running", 240)
    windows(scene, int(seen(scene)["status"]["windows"]), 180)
    now = evidence(scene)
    assert now[: len(before)] == before, "earlier evidence has changed"
    assert len(now) > len(before)


# Violence ----------------------------------------------------------------------------------------------------


@contextmanager
def _no_analyzer(scene: Scene) -> Iterator[None]:
    scene.stage.scale("analyzer", 0)
    try:
        yield
    finally:
        scene.stage.scale("analyzer", 1)


@contextmanager
def _no_prometheus(scene: Scene) -> Iterator[None]:
    scene.stage.scale("prometheus", 0)
    try:
        yield
    finally:
        scene.stage.scale("prometheus", 1)


@contextmanager
def _frozen_prometheus(scene: Scene) -> Iterator[None]:
    """Queries take for ever, and nothing is scraped, until the kubelet has it started anew, if that comes first."""
    (pod,) = scene.stage.system_pods("prometheus")
    scene.stage.signal_program(pod, "prometheus", signal.SIGSTOP)
    try:
        yield
    finally:
        signalled = partial(scene.stage.signal_program, pod, "prometheus", signal.SIGCONT)
        scene.wait("Prometheus to be thawed", signalled, 60)


@contextmanager
def _renamed_label(scene: Scene) -> Iterator[None]:
    """Whoever runs Prometheus gives the label of the analysis buckets another name."""
    renamed = {"source_labels": ["abucket"], "target_label": "bucket_of_request"}
    dropped = {"regex": "abucket", "action": "labeldrop"}
    before = scene.stage.prometheus_config()
    scene.stage.configure_prometheus(
        {
            **before,
            "scrape_configs": [
                {**job, "metric_relabel_configs": [renamed, dropped]} for job in before["scrape_configs"]
            ],
        }
    )
    try:
        yield
    finally:
        scene.stage.configure_prometheus(before)


@contextmanager
def _read_only_store(scene: Scene) -> Iterator[None]:
    """The volume cannot be written any more, and the analyzer's process starts anew on it.

    In the same pod: with a new one the kubelet would give the volume to the pod's group again.
    """
    folder = evidence_folder(scene.stage)
    paths = [folder, *folder.iterdir()]
    modes = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        for pod in scene.stage.system_pods("analyzer"):
            scene.stage.kill_program(pod, "crossfade-analyzer")
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
        _start_anew(scene)


@contextmanager
def _full_store(scene: Scene) -> Iterator[None]:
    """Nothing more fits on the disk. Once there is room again, it goes on by itself."""
    disk = evidence_on_a_small_disk(scene.stage)
    with _no_analyzer(scene):
        disk.mount(room=4)
    try:
        disk.fill()
        yield
        disk.free()
        reach(scene, "Running", 240)
    finally:
        with _no_analyzer(scene):
            disk.unmount()


def _start_anew(scene: Scene) -> None:
    for pod in scene.stage.system_pods("analyzer"):
        scene.stage.delete_at_once(SYSTEM, pod["metadata"]["name"])


def _kill_the_learning_controller(scene: Scene) -> None:
    _kill_the_process(scene, "learning")


def _kill_the_process(scene: Scene, component: str) -> None:
    pods = scene.stage.system_pods(component)
    before = {pod["metadata"]["name"]: restarts(pod) for pod in pods}
    scene.stage.kill_program(pods[0], "crossfade-operator")

    def restarted() -> None:
        now = scene.stage.system_pods(component)
        again = [pod for pod in now if restarts(pod) > before.get(pod["metadata"]["name"], -1)]
        if not again or not all(map(is_ready, now)):
            raise NotYetError(f"{[(pod['metadata']['name'], restarts(pod)) for pod in now]}")

    scene.wait(f"the {component} controller to be started again", restarted, 120)


def _kill_stable(scene: Scene, revision: str) -> None:
    """One of two stable pods loses its process; the other one answers."""
    scene.stage.kube.kubectl(
        "patch", "modelrollout", ENDPOINT, "--namespace", scene.name, "--type=merge", '--patch={"spec":{"replicas":2}}'
    )
    pods = scene.wait("two stable pods", lambda: _ready(scene, revision, 2), 120)
    # A pod is ready before cluster DNS names it: were it killed until then, the routers would know of no other.
    scene.wait("every router to know both", lambda: _routers_know(scene, revision, 2), 60)
    scene.stage.kill_program(pods[0], "crossfade-serving")
    scene.wait("two stable pods again", lambda: _ready(scene, revision, 2), 120)


def _ready(scene: Scene, revision: str, wanted: int) -> list[dict[str, object]]:
    selector = f"crossfade.dev/component=revision,crossfade.dev/revision={revision}"
    pods = [pod for pod in scene.stage.pods(scene.name, selector) if is_ready(pod)]
    if len(pods) < wanted:
        raise NotYetError(f"{len(pods)} pods are ready")
    return pods


def _routers_know(scene: Scene, revision: str, wanted: int) -> None:
    """Every router finds so many healthy pods behind the name of stable."""
    for pod in scene.stage.pods(scene.name, "crossfade.dev/component=router"):
        where = f"/api/v1/namespaces/{scene.name}/pods/{pod['metadata']['name']}:{OPS_PORT}/proxy/metrics"
        healthy = dict(HEALTHY.findall(scene.stage.kube.kubectl("get", "--raw", where)))
        if healthy.get(revision) != str(wanted):
            raise NotYetError(f"{pod['metadata']['name']} finds {healthy}")


def _restart_a_router(scene: Scene) -> None:
    """As when a node is drained: the router says goodbye, and another takes its place."""
    selector = "crossfade.dev/component=router"
    before = [pod["metadata"]["name"] for pod in scene.stage.pods(scene.name, selector)]
    scene.stage.kube.kubectl("delete", "pod", before[0], "--namespace", scene.name, "--wait=false")

    def replaced() -> None:
        ready = [pod["metadata"]["name"] for pod in scene.stage.pods(scene.name, selector) if is_ready(pod)]
        if len(ready) != len(before) or before[0] in ready:
            raise NotYetError(f"{ready} are ready")

    scene.wait("another router", replaced, 150)
