"""Looking: which objects a turn is made from, whom it asks, and what it makes of what it saw."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytest

from crossfade_operator.core.children.router import GENERATION_ANNOTATION
from crossfade_operator.core.rollout.view import View
from crossfade_operator.ports.routers import RouterPod, RouterReport
from crossfade_operator.runtime import gather
from tests.fakes.cluster import FakeCluster
from tests.scenario.world import KEY, START, endpoint, revision, rollout

STABLE, CANDIDATE = revision("v1"), revision("v2")
LATEST = {GENERATION_ANNOTATION: "5"}
CANDIDATE_STATUS = {
    "revision": CANDIDATE,
    "stage": "Starting",
    "startedAt": "2026-03-01T12:00:00Z",
    "deadlineAt": "2026-03-01T12:10:00Z",
}


class Asked:
    """Routers that note whom they were asked about."""

    def __init__(self) -> None:
        self.pods: list[str] = []
        self.names: Collection[str] = ()

    async def reports(self, pods: Sequence[RouterPod], *, names: Collection[str] = ()) -> Sequence[RouterReport]:
        self.pods, self.names = [pod.name for pod in pods], names
        return [RouterReport(pod.name, 5) for pod in pods]


def route(generation: int, confirmed: int) -> dict[str, Any]:
    return {
        "generation": generation,
        "digest": "d",
        "decision": "",
        "writtenAt": "2026-03-01T12:00:00Z",
        "confirmedGeneration": confirmed,
    }


def router_pod(name: str, *, ready: bool = True, ip: str | None = "10.0.0.1", **annotations: str) -> dict[str, Any]:
    labels = {"crossfade.dev/endpoint": "ranker", "crossfade.dev/component": "router"}
    status: dict[str, Any] = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    if ip:
        status["podIP"] = ip
    meta = {"name": name, "namespace": "recs", "labels": labels, "annotations": annotations or LATEST}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": status}


async def looked(*objects: dict[str, Any]) -> tuple[gather.World, Asked]:
    cluster, asked = FakeCluster(), Asked()
    for obj in objects:
        cluster.put(obj)
    return await gather.look(cluster, asked, KEY, START), asked


async def seen(*objects: dict[str, Any]) -> View:
    """The view of the rollout `ranker`."""
    world, _ = await looked(*objects)
    assert world.active is not None
    found = gather.endpoint_view(world, world.endpoint, None) if world.endpoint else None
    return gather.rollout_view(world, world.active, found, {})


# What is read ------------------------------------------------------------------------------------------------


async def test_an_object_on_its_way_out_is_not_there() -> None:
    leaving = rollout("v1")
    leaving["metadata"]["deletionTimestamp"] = "now"
    world, _ = await looked(endpoint(), leaving)
    assert (world.rollouts, world.active) == ([], None)


@pytest.mark.parametrize(
    ("recorded", "holder"),
    [
        pytest.param(None, "first", id="the oldest, when nobody is recorded"),
        pytest.param("second", "second", id="the recorded one"),
        pytest.param("gone", "first", id="the oldest, when the recorded one is gone"),
    ],
)
async def test_the_endpoint_is_held_by(recorded: str | None, holder: str) -> None:
    held = {**endpoint(), "status": {"rollout": recorded}}
    world, _ = await looked(held, rollout("v1", name="first"), rollout("v2", name="second"))
    assert world.active is not None
    assert world.active["metadata"]["name"] == holder


async def test_without_an_endpoint_nobody_is_asked() -> None:
    world, asked = await looked(rollout("v1"), router_pod("router-0"))
    assert (world.endpoint, asked.pods) == (None, [])


async def test_only_metrics_that_are_used_and_not_built_in_are_read() -> None:
    use = [{"metric": "plays", "role": "Deterioration"}, {"metric": "latency", "role": "Deterioration"}]
    spec = {"type": "Count", "prometheus": {"numerator": "a", "denominator": "b"}}
    metrics = [
        {"apiVersion": "x", "kind": "Metric", "metadata": {"name": name, "namespace": "recs"}, "spec": spec}
        for name in ("plays", "latency", "other")
    ]
    world, _ = await looked(endpoint(), rollout("v1", analysis={"metrics": use}), *metrics)
    assert set(world.metrics) == {"plays"}


# Whom it asks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "pods", "asked"),
    [
        pytest.param({}, [router_pod("r0")], [], id="nobody before the first table"),
        pytest.param({"route": route(5, 5)}, [router_pod("r0")], [], id="nobody when all is confirmed"),
        pytest.param({"route": route(5, 4)}, [router_pod("r0"), router_pod("r1")], ["r0", "r1"], id="all when not"),
        pytest.param(
            {"route": route(5, 5)},
            [router_pod("r0", **{GENERATION_ANNOTATION: "4"}), router_pod("r1")],
            ["r0", "r1"],
            id="all when one was not poked",
        ),
        pytest.param({"route": route(5, 4)}, [router_pod("r0", ready=False)], [], id="not one that is not ready"),
        pytest.param({"route": route(5, 4)}, [router_pod("r0", ip=None)], [], id="not one without an address"),
    ],
)
async def test_routers_are_asked(status: dict[str, Any], pods: list[dict[str, Any]], asked: list[str]) -> None:
    _, found = await looked({**endpoint(), "status": status}, rollout("v1"), *pods)
    assert (found.pods, found.names) == (asked, [])


@pytest.mark.parametrize(("stage", "revision_"), [("Starting", CANDIDATE), ("Analyzing", None)])
async def test_routers_are_asked_about_a_starting_candidate(stage: str, revision_: str | None) -> None:
    candidate = {**CANDIDATE_STATUS, "stage": stage}
    starting = {**rollout("v2"), "status": {"candidate": candidate}}
    _, found = await looked({**endpoint(), "status": {"route": route(5, 5)}}, starting, router_pod("r0"))
    assert found.names == ([revision_] if revision_ else [])
    assert bool(found.pods) is (revision_ is not None)


# What it makes of it -----------------------------------------------------------------------------------------


async def test_the_endpoint_as_read() -> None:
    table = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ranker-router", "namespace": "recs"}}
    table["metadata"] |= {"labels": {"crossfade.dev/endpoint": "ranker"}, "annotations": LATEST}  # type: ignore[operator]
    world, _ = await looked(endpoint(), router_pod("r0"), router_pod("r1", ready=False), table)
    assert world.endpoint is not None
    found = gather.endpoint_view(world, world.endpoint, "refused")
    assert (found.name, found.routers, found.routers_ready) == ("recs/ranker", 2, 1)
    assert (found.written_generation, found.refusal) == (5, "refused")


async def test_the_rollout_as_read() -> None:
    found = await seen(endpoint(), {**rollout("v2"), "status": {"stableRevision": STABLE}})
    assert (found.name, found.target, found.status.stable_revision) == ("ranker", CANDIDATE, STABLE)
    assert (found.endpoint_found, found.claimed_by, found.now) == (True, None, START)
    assert found.plan is None, "nothing is planned without a candidate"


async def test_a_rollout_without_its_endpoint() -> None:
    found = await seen(rollout("v1"))
    assert (found.endpoint_found, found.routes.confirmed, found.plan) == (False, False, None)


async def test_a_rollout_beside_the_one_that_holds_the_endpoint() -> None:
    world, _ = await looked(endpoint(), rollout("v1", name="first"), rollout("v2", name="second"))
    assert world.endpoint is not None
    held = gather.endpoint_view(world, world.endpoint, None)
    views = [gather.rollout_view(world, one, held, {}) for one in world.rollouts]
    assert [view.claimed_by for view in views] == [None, "first"]


async def test_only_our_annotations_are_requests_cut_to_what_a_status_can_keep() -> None:
    asked = rollout("v1")
    asked["metadata"]["annotations"] = {
        "crossfade.dev/abort": "x" * 600,
        "crossfade.dev/other": "y",
        "promote": "z",
    }
    assert dict((await seen(endpoint(), asked)).requests) == {"abort": "x" * 512}


def pod_of(image: str, name: str, rollout_: str = "ranker") -> dict[str, Any]:
    labels = {
        "crossfade.dev/endpoint": "ranker",
        "crossfade.dev/rollout": rollout_,
        "crossfade.dev/revision": revision(image),
    }
    waiting = [{"name": name, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]
    meta = {"name": name, "namespace": "recs", "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": {"containerStatuses": waiting}}


def deployment_of(image: str, ready: int) -> dict[str, Any]:
    meta = {**pod_of(image, f"ranker-{revision(image)}")["metadata"]}
    status = {"observedGeneration": 1, "readyReplicas": ready}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"replicas": 2}, "status": status}


async def test_each_revision_has_its_own_pods() -> None:
    status = {"stableRevision": STABLE, "candidate": CANDIDATE_STATUS}
    found = await seen(
        endpoint(),
        {**rollout("v2"), "status": status},
        deployment_of("v1", 2),
        deployment_of("v2", 1),
        pod_of("v2", "mine"),
        pod_of("v1", "theirs", rollout_="another"),
    )
    assert (found.pods[STABLE].ready, found.pods[STABLE].crashing) == (2, None)
    assert (found.pods[CANDIDATE].ready, found.pods[CANDIDATE].current) == (1, True)
    assert "container mine" in (found.pods[CANDIDATE].crashing or "")


HELD = endpoint(holdout={"slice": "45%", "until": "2027-01-01T00:00:00Z"})


@pytest.mark.parametrize(
    ("stage", "step", "refused"),
    [
        pytest.param("Starting", 0, None, id="a starting candidate wants its first step"),
        pytest.param("Shifting", 2, "a slice of 51%", id="a shifting one its own"),
        pytest.param("Analyzing", 1, "a slice of 51%", id="an analysed one the next"),
        pytest.param("Analyzing", 2, "a slice of 51%", id="in the last step there is no next"),
        pytest.param("Withdrawing", 2, None, id="one that goes wants nothing"),
    ],
)
async def test_whether_the_next_slice_fits(stage: str, step: int, refused: str | None) -> None:
    steps = [{"slice": "1%"}, {"slice": "10%"}, {"slice": "51%"}]
    candidate = {**CANDIDATE_STATUS, "stage": stage, "step": step, "positions": 510}
    status = {"stableRevision": STABLE, "candidate": candidate}
    found = await seen(HELD, {**rollout("v2", steps=steps), "status": status})
    assert (found.no_room or "").startswith(refused or "")
    assert bool(found.no_room) is bool(refused)


async def test_a_candidates_analysis_is_planned_or_the_problem_told() -> None:
    status = {"stableRevision": STABLE, "candidate": CANDIDATE_STATUS}
    found = await seen(endpoint(), {**rollout("v2"), "status": status})
    assert found.plan is not None
    assert found.plan.endpoint == "recs/ranker"
    use = [{"metric": "plays", "role": "Deterioration"}]
    broken = await seen(endpoint(), {**rollout("v2", analysis={"metrics": use}), "status": status})
    assert broken.plan is None
    assert "'plays'" in (broken.plan_problem or "")
