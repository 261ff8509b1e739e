"""Experiments that go wrong by themselves: their users fall back to stable, and nobody else notices."""

from __future__ import annotations

import re
from collections.abc import Callable

from dev.cluster.waiting import NotYetError
from dev.demo.traffic import Traffic
from tests.e2e.support import checks
from tests.e2e.support.experiments import (
    EXPERIMENT,
    bad_template,
    between,
    experiment,
    more,
    nobody_else_notices,
    objects,
    phase_of,
    reach,
    run,
    seen,
    template,
    users,
    windows,
)
from tests.e2e.support.manifests import Json
from tests.e2e.support.scene import Scene

BEHAVES = 320
"""Inferences before an arm goes wrong: enough to see how things are while all is well."""

NOTICEABLE = 5.0
"""Percent of the treatment's requests. A machine that is busy otherwise makes stable answer some of any arm's."""

_OTHERS_ANSWERED = re.compile(r"([0-9.]+)% of treatment's requests were answered by another revision")


def an_arm_crash_loops(scene: Scene) -> None:
    _goes_wrong(scene, "crash")


def an_arm_leaks_memory_until_killed(scene: Scene) -> None:
    _goes_wrong(scene, "leak")


def an_arm_answers_500(scene: Scene) -> None:
    _goes_wrong(scene, "fail")


def an_arm_hangs(scene: Scene) -> None:
    _goes_wrong(scene, "hang")


def _goes_wrong(scene: Scene, fault: str) -> None:
    """The treatment's users are answered by stable from then on, and the analysis takes it as the treatment's doing."""
    _open(scene)
    run(scene, bad_template(fault, BEHAVES))
    with users(scene) as traffic:
        scene.wait("looks that find nothing wrong", lambda: _all_is_well(scene), 60)
        quiet = between(*more(scene, traffic, 100))
        scene.wait("stable to cover for the treatment", lambda: _covered(traffic), 180)
        disturbed = between(*more(scene, traffic, 400))
        shown = scene.wait("the failure to be told", lambda: _told(scene), 180)
    checks.nobody_failed(scene.load)
    nobody_else_notices(quiet, disturbed)
    assert "treatment" in shown, shown
    assert seen(scene)["status"].get("recommendation") != "Ship"


def _covered(traffic: Traffic) -> None:
    """Stable answers some of the treatment's users; before, none."""
    models = traffic.latest["slices"].get("treatment", {}).get("models", {})
    if not models.get("v1"):
        raise NotYetError(f"the treatment's users were answered by {models}")


def _all_is_well(scene: Scene) -> None:
    found = seen(scene)
    if not found["status"].get("checks") or _trouble(found["status"]):
        raise NotYetError(f"{phase_of(found)}; {_trouble(found['status'])}")


def _told(scene: Scene) -> str:
    """What the status says once it says that something is wrong."""
    found = seen(scene)
    status = found["status"]
    if not (trouble := _trouble(status)) and status["phase"] == "Running":
        raise NotYetError(phase_of(found))
    return "; ".join([*trouble, status.get("message", "")])


def _trouble(status: Json) -> list[str]:
    """What is wrong with the treatment: others answer for it, it does harm, or its pods are not all ready."""
    said = [_OTHERS_ANSWERED.search(one["message"]) for one in status.get("checks", ())]
    covered = [found[0] for found in said if found and float(found[1]) >= NOTICEABLE]
    harmed = [f"treatment: {one['message']}" for one in status.get("results", ()) if one["verdict"] == "Inferior"]
    unready = [f"{one['name']}: {one['readyReplicas']} ready" for one in status.get("arms", ()) if _lacks_pods(one)]
    return [*covered, *harmed, *unready]


def _lacks_pods(arm: Json) -> bool:
    return bool(arm["name"] == "treatment" and arm["readyReplicas"] < arm["replicas"])


def experiments_that_cannot_start(scene: Scene) -> None:
    """A bad image, an unknown metric, a slice for which there is no room: each says so, and nobody is exposed."""
    _open(scene)
    bad_image = template()
    bad_image["spec"]["containers"][0]["image"] = "localhost/no-such-image:dev"
    unknown = {"metric": "no-such-metric", "role": "Deterioration"}
    guardrail = {"metric": "error-rate", "role": "Guardrail", "margin": {"absolute": "5%"}}
    greedy = experiment(template(), name="greedy")
    greedy["spec"]["design"]["slice"] = "90%"
    scene.apply(experiment(bad_image, name="bad-image"))
    scene.apply(experiment(template(), name="bad-metric", metrics=[guardrail, unknown]))
    scene.apply(greedy)
    with users(scene, warmed_up=100) as traffic:
        _says(scene, "bad-image", lambda text: "no-such-image" in text or "ImageNeverPull" in text or "control" in text)
        _says(scene, "bad-metric", lambda text: "no-such-metric" in text)
        _says(scene, "greedy", lambda text: "%" in text)
        later = between(*more(scene, traffic, 200))
        assert not [entry for entry in scene.endpoint()["status"].get("ledger", ()) if entry["arm"] == "experiment"]
    checks.nobody_failed(scene.load)
    assert set(later.models) == {"v1"}


def _says(scene: Scene, name: str, holds: Callable[[str], bool]) -> None:
    def check() -> None:
        found = seen(scene, name)
        status = found.get("status", {})
        if status.get("phase") not in ("InReview", "Approved") or not holds(status.get("message", "")):
            raise NotYetError(phase_of(found))

    scene.wait(f"{name} to say what is wrong", check, 240)


def an_experiment_is_deleted_while_it_runs(scene: Scene) -> None:
    """Its users go back to stable, the table is what it was, and nothing is left but records."""
    _open(scene)
    with users(scene, warmed_up=100):
        before, table = objects(scene), scene.endpoint()["status"]["route"]["digest"]
        scene.apply(experiment(template()))
        reach(scene, "Running", 240)
        windows(scene, 1, 120)
        arms = scene.stage.pods(scene.name, "crossfade.dev/component=arm")
        assert {pod["spec"]["priority"] for pod in arms} == {-10}, "arms yield to whatever serves users"
        during = scene.endpoint()["status"]["route"]["digest"]
        assert during != table
        scene.stage.kube.kubectl("delete", "experiment", EXPERIMENT, "--namespace", scene.name, "--timeout=60s")
        scene.wait("the table to be what it was", lambda: _same_table(scene, table), 60)
        scene.wait("nothing to be left", lambda: _nothing_left(scene, before), 120)
    checks.nobody_failed(scene.load)
    last = scene.stage.get("decisions", scene.name, f"{EXPERIMENT}-exp-000002")
    assert (last["spec"]["action"], last["spec"]["reason"]) == ("Stop", "Deleted"), last["spec"]
    assert scene.endpoint()["status"]["route"]["decision"] == last["metadata"]["name"], "what the table says it is for"


def _same_table(scene: Scene, digest: str) -> None:
    route = scene.endpoint()["status"]["route"]
    if route["digest"] != digest or route["confirmedGeneration"] < route["generation"]:
        raise NotYetError(f"{route}")


def _nothing_left(scene: Scene, before: set[str]) -> None:
    if (left := objects(scene)) != before:
        raise NotYetError(f"{left ^ before}")


def _open(scene: Scene) -> None:
    scene.open()
    patch = '{"spec": {"router": {"tryTimeout": "2s", "requestTimeout": "10s"}, "policy": {"coolDown": "10s"}}}'
    scene.stage.kube.kubectl(
        "patch", "modelendpoint", "ranker", "--namespace", scene.name, "--type=merge", f"--patch={patch}"
    )


SCENARIOS = (
    an_arm_crash_loops,
    an_arm_leaks_memory_until_killed,
    an_arm_answers_500,
    an_arm_hangs,
    experiments_that_cannot_start,
    an_experiment_is_deleted_while_it_runs,
)
