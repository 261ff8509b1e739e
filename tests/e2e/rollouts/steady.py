"""Scenarios that leave the rest of the cluster alone: a candidate earns its slices, or loses them."""

from __future__ import annotations

from crossfade_operator.cli.rollouts.view import Rollout
from dev.cluster.waiting import NotYetError
from dev.demo.kube import SYSTEM
from dev.demo.traffic import Traffic
from tests.e2e.support import checks
from tests.e2e.support.manifests import LATENCY, THREE_STEPS, Json, rollout, step
from tests.e2e.support.scene import Scene
from tests.e2e.support.stage import is_ready

WRONG_DIGEST = f"sha256:{'0' * 64}"
HALF = (step("50%", "10m"),)
"""A step that nothing but evidence or a person ends while a scenario lasts."""


def promotion_through_three_steps(scene: Scene) -> None:
    """A good model takes three steps, everybody is answered by it, and the old one goes after its delay."""
    first = scene.open(routers=2)
    with scene.users(rate=60) as users:
        scene.apply(rollout("v2"))
        promoted = scene.promoted(seconds=300)
        _only_answered_by(scene, users, "v2")
        assert promoted.previous == first.stable
        scene.gone(str(first.stable), seconds=90)
        _only_answered_by(scene, users, "v2")
    checks.nobody_failed(scene.load)
    decisions = checks.since(first, promoted)
    checks.no_step_is_lost_doubled_or_early(decisions, THREE_STEPS)
    assert [decision.reason for decision in decisions[2:]] == ["StepProven", "StepProven", "AllStepsProven"]
    for decision in decisions[2:]:
        _verifies(scene, decision.evidence)


def rollback_by_errors(scene: Scene) -> None:
    """A model that fails some users is found by errors alone; what it failed was answered by stable instead."""
    judged: Json = {"metric": "error-rate", "role": "Guardrail", "margin": {"absolute": "1%"}}
    _found_out(scene, metric="error-rate", metrics=[judged])


def rollback_by_latency(scene: Scene) -> None:
    """A model that is slow for the busiest users is found by latency alone."""
    _found_out(scene, metric="latency", metrics=[LATENCY])


def _found_out(scene: Scene, *, metric: str, metrics: list[Json]) -> None:
    first = scene.open(metrics=metrics)
    with scene.users(rate=75, warmed_up=1500) as users:
        scene.apply(rollout("v3", steps=HALF, metrics=metrics))
        back = scene.rolled_back(seconds=400)
        _only_answered_by(scene, users, "v1")
        scene.gone(str(back.failed_revision), seconds=90)
    checks.nobody_failed(scene.load)
    decisions = checks.since(first, back)
    assert checks.made(decisions) == ["Start", "Advance", "Rollback"]
    assert decisions[-1].reason == "EvidenceOfHarm"
    (shown,) = back.metrics
    assert (shown.name, shown.verdict) == (metric, "Harmful")
    assert shown.ratio is None or shown.ratio > 1, "none where control had none to divide by"
    assert scene.load is not None
    assert 0 < scene.load["models"]["v3"]["users"] < scene.load["users"], "some users were exposed, and not all"
    assert (back.stable, back.slice) == (first.stable, "100%")
    _verifies(scene, decisions[-1].evidence)


def crash_looping_candidate(scene: Scene) -> None:
    """A candidate that cannot start is never exposed, and is given up at its deadline with the reason of its crash."""
    first = scene.open()
    with scene.users(rate=15) as users:
        scene.apply(rollout("v2", arguments=["--model-digest", WRONG_DIGEST], progressDeadline="40s"))
        scene.wait_until("the crash to be told", 60, lambda seen: "CrashLoopBackOff" in seen.message)
        back = scene.rolled_back(seconds=90)
        _only_answered_by(scene, users, "v1")
        scene.gone(str(back.failed_revision), seconds=90)
    checks.nobody_failed(scene.load)
    _was_never_exposed(scene, checks.made(checks.since(first, back)))
    assert back.reason == "ProgressDeadlineExceeded"
    assert back.stable == first.stable


def bad_image(scene: Scene) -> None:
    """A candidate whose image cannot be had is never exposed; the stable template again ends the matter."""
    first = scene.open()
    with scene.users(rate=15):
        scene.apply(rollout("v2", image="localhost/crossfade-serving:nowhere", progressDeadline="25s"))
        scene.wait_until("the missing image to be told", 60, lambda seen: "ErrImageNeverPull" in seen.message)
        back = scene.rolled_back(seconds=90)
        scene.apply(rollout("v1", progressDeadline="25s"))
        again = scene.promoted(seconds=30)
    checks.nobody_failed(scene.load)
    _was_never_exposed(scene, checks.made(checks.since(first, back)))
    assert back.reason == "ProgressDeadlineExceeded"
    assert again.stable == first.stable
    assert checks.since(back, again) == []


def _was_never_exposed(scene: Scene, actions: list[str]) -> None:
    assert actions == ["Start", "Rollback"]
    assert scene.load is not None
    assert scene.load["models"].keys() == {"v1"}


def crash_after_exposure(scene: Scene) -> None:
    """A candidate that dies under its users: stable answers them, and a candidate that keeps dying is taken out."""
    first = scene.open()
    with scene.users(rate=30) as users:
        scene.apply(rollout("v2", steps=HALF))
        exposed = scene.exposed(step=1, seconds=120)
        candidate = str(exposed.candidate)
        _answers(scene, users, "v2")
        _replaced(scene, candidate)
        meanwhile = checks.since(exposed, scene.rollout())
        assert [decision.reason for decision in meanwhile] in ([], ["EvidenceOfHarm"]), (
            "a lost pod ends nothing but by what its users saw"
        )
        back = scene.wait(
            "the rollback of a candidate that keeps dying", lambda: _kill_until_out(scene, candidate), 240
        )
        _only_answered_by(scene, users, "v1")
    checks.nobody_failed(scene.load)
    decisions = checks.since(first, back)
    assert checks.made(decisions) == ["Start", "Advance", "Rollback"]
    assert decisions[-1].reason in ("CrashLooping", "EvidenceOfHarm")
    assert checks.answered(scene.load, "v2") > 0
    assert back.stable == first.stable


def _replaced(scene: Scene, revision: str) -> None:
    """Delete the revision's pods without grace, and return when others are ready in their place."""
    lost = {pod["metadata"]["name"] for pod in scene.pods_of(revision)}
    scene.stage.delete_at_once(scene.name, *lost)

    def others_ready() -> None:
        ready = {pod["metadata"]["name"] for pod in scene.pods_of(revision) if is_ready(pod)}
        if not ready - lost:
            raise NotYetError(f"ready: {sorted(ready)}")

    scene.wait(f"other pods than {sorted(lost)}", others_ready, 90)


def _kill_until_out(scene: Scene, candidate: str) -> Rollout:
    """One blow: whatever of the candidate lives is killed; its rollout once that is over."""
    seen = scene.rollout()
    if seen.ended and seen.phase == "RolledBack":
        return seen
    for pod in scene.pods_of(candidate):
        scene.stage.kill_program(pod, "crossfade-serving")
    raise NotYetError(f"{seen.phase} {seen.reason}: {seen.message}")


def supersede(scene: Scene) -> None:
    """A newer template in mid-rollout: the old candidate's slice goes back to stable before the new one gets any."""
    first = scene.open()
    with scene.users(rate=30) as users:
        scene.apply(rollout("v2", steps=HALF))
        old = str(scene.exposed(step=1, seconds=120).candidate)
        _answers(scene, users, "v2")
        scene.apply(rollout("v2", steps=[step("20%", "10s"), step("50%", "10s")], environment={"BUILD": "b"}))
        _goes_back_to_stable_first(scene, old)
        promoted = scene.promoted(seconds=240)
        scene.gone(old, seconds=90)
    checks.nobody_failed(scene.load)
    decisions = checks.since(first, promoted)
    new = str(promoted.stable)
    assert checks.made(decisions) == ["Start", "Advance", "Supersede", "Start", "Advance", "Advance", "Promote"]
    assert [decision.revision for decision in decisions] == [old] * 3 + [new] * 4


def _goes_back_to_stable_first(scene: Scene, old: str) -> None:
    """Until the new candidate holds a slice, the ledger shows the old one's or none, and none comes before the new."""
    seen: list[str] = []

    def given_to_another() -> None:
        status = scene.endpoint()["status"]
        holders = {entry["revision"] for entry in status.get("ledger", ()) if entry["arm"] == "candidate"}
        route = status["route"]
        confirmed = route["confirmedGeneration"] >= route["generation"]
        state = "none, confirmed" if not holders and confirmed else ", ".join(sorted(holders)) or "none"
        if not seen or seen[-1] != state:
            seen.append(state)
        if not holders - {old}:
            raise NotYetError(f"holders so far: {seen}")

    scene.wait("the new candidate's slice", given_to_another, 120)
    assert "none, confirmed" in seen[:-1], seen


def verbs_and_deletion(scene: Scene) -> None:
    """Pause, resume, abort, retry and promote by the plugin; then what was created is deleted and leaves nothing."""
    first = scene.open()
    with scene.users(rate=15):
        scene.apply(rollout("v2", steps=HALF))
        scene.exposed(step=1, seconds=120)
        scene.crossfade("pause")
        paused = scene.wait_until("the pause", 20, lambda seen: seen.phase == "Paused")
        scene.crossfade("resume")
        scene.wait_until("the end of the pause", 20, lambda seen: seen.phase in ("Progressing", "Holding"))
        scene.crossfade("abort")
        aborted = scene.rolled_back(seconds=60)
        scene.crossfade("retry")
        retried = scene.exposed(step=1, seconds=120)
        scene.crossfade("promote --full --emergency -m tested")
        promoted = scene.promoted(seconds=60)
    checks.nobody_failed(scene.load)
    assert paused.paused
    assert aborted.reason == "AbortRequested"
    assert retried.candidate == aborted.failed_revision == promoted.stable
    decisions = checks.since(first, promoted)
    assert checks.made(decisions) == ["Start", "Advance", "Rollback", "Start", "Advance", "Promote"]
    asked = [decision.by for decision in decisions if not decision.by.startswith("rollout@")]
    assert len(asked) == 3
    assert not {"", "unnamed"} & set(asked), "the plugin signs what it asks for"
    _deleted_leaves_nothing(scene)


KINDS = "modelrollouts,modelendpoints,deployments,replicasets,pods,services,configmaps,controllerrevisions,pdb"


def _deleted_leaves_nothing(scene: Scene) -> None:
    kubectl = scene.stage.kube.kubectl
    ours = ("--namespace", scene.name, "--selector", "crossfade.dev/endpoint", "--output", "name")
    assert len(kubectl("get", KINDS, *ours).split()) >= 10, "the selector finds what there is"
    kubectl("delete", "modelrollout,modelendpoint", "--all", "--namespace", scene.name)

    def nothing_left() -> None:
        left = kubectl("get", KINDS, *ours).split()
        if left:
            raise NotYetError(", ".join(left))

    scene.wait("everything to be gone", nothing_left, 120)


# What several scenarios look at --------------------------------------------------------------------------------


def _answers(scene: Scene, users: Traffic, model: str) -> None:
    """Return when `model` answers some users."""

    def some() -> None:
        if not users.answered_by(model).requests:
            raise NotYetError(f"{users.latest['requests']} requests, none answered by {model}")

    scene.wait(f"{model} to answer", some, 30)


def _only_answered_by(scene: Scene, users: Traffic, model: str) -> None:
    """Return when some hundred requests in a row were answered by `model`."""
    marks: dict[str, int] = {}

    def in_a_row() -> None:
        counts = {name: int(one["requests"]) for name, one in users.latest["models"].items()}
        others = sum(count for name, count in counts.items() if name != model)
        if marks.get("others") != others:
            marks.update(others=others, mine=counts.get(model, 0))
        if counts.get(model, 0) - marks["mine"] < 100:
            raise NotYetError(f"answered so far: {counts}")

    scene.wait(f"all answers to come from {model}", in_a_row, 60)


def _verifies(scene: Scene, digest: str | None) -> None:
    """The analyzer recomputes the decision's evidence from its store alone."""
    assert digest, "the decision names no evidence"
    scene.stage.kube.kubectl(
        "exec", "--namespace", SYSTEM, "deployment/crossfade-analyzer", "--", "crossfade-analyzer", "verify", digest
    )


SCENARIOS = (
    rollback_by_errors,
    supersede,
    promotion_through_three_steps,
    rollback_by_latency,
    crash_looping_candidate,
    crash_after_exposure,
    verbs_and_deletion,
    bad_image,
)
"""The longest first, so that none is left alone at the end."""
