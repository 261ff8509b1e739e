"""What is sent, and above all what is not: applies and statuses that would change nothing, writes of a non-leader."""

from __future__ import annotations

from typing import Any, cast

import pytest

from crossfade_operator.adapters.api import Api, NotFound
from crossfade_operator.adapters.events import Recorder
from crossfade_operator.adapters.kubernetes import KubernetesCluster
from crossfade_operator.adapters.watchcache import CHILD_KINDS, WatchCache
from crossfade_operator.ports.cluster import Conflict, Key, NotLeader, Ref, Refused
from tests.fakes.api import Answer, Asked, FakeApi
from tests.fakes.telemetry import FakeTelemetry

KEY = Key("recs", "ranker")
MANIFEST: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "namespace": "recs", "labels": {"crossfade.dev/endpoint": "ranker"}},
    "spec": {"replicas": 1},
}
ROLLOUT: dict[str, Any] = {
    "apiVersion": "crossfade.dev/v1alpha1",
    "kind": "ModelRollout",
    "metadata": {"name": "ranker", "namespace": "recs", "uid": "u", "resourceVersion": "5"},
    "spec": {"endpoint": "ranker"},
    "status": {"phase": "Promoted"},
}


class Fence:
    def __init__(self) -> None:
        self.seconds = 60.0

    def remaining(self) -> float:
        return self.seconds


class Rig:
    """A cluster over a server that keeps Deployment `d` and counts generations as the real one does."""

    def __init__(self) -> None:
        self.api = FakeApi(self._answer)
        self.fence = Fence()
        self.live: dict[str, Any] | None = None
        self.version = 10
        telemetry = FakeTelemetry()
        api = cast(Api, self.api)
        self.cache = WatchCache(api, (), lambda _: None, telemetry, kinds=CHILD_KINDS)
        recorder = Recorder(api, "crossfade-serving", "one")
        self.cluster = KubernetesCluster(api, self.cache, self.fence, recorder, telemetry)

    def _answer(self, asked: Asked) -> Answer:
        if asked.method != "PATCH":
            return {"metadata": {"resourceVersion": "1", "name": "x"}}
        self.change(spec=asked.body["spec"])
        assert self.live is not None
        return self.live

    def change(self, *, learn: bool = False, **parts: Any) -> None:
        """The object changes on the server, by whomever; with `learn`, the watch tells of it."""
        before = self.live or {**MANIFEST, "metadata": {**MANIFEST["metadata"], "uid": "u", "generation": 0}}
        self.version += 1
        grown = ("spec" in parts and parts["spec"] != before.get("spec")) or self.live is None
        meta = {
            **before["metadata"],
            **parts.pop("metadata", {}),
            "resourceVersion": str(self.version),
            "generation": before["metadata"]["generation"] + grown,
        }
        self.live = {**before, **parts, "metadata": meta}
        if learn:
            self.cache.learn(self.live)


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_the_same_manifest_is_sent_once(rig: Rig) -> None:
    await rig.cluster.apply(MANIFEST)
    await rig.cluster.apply(MANIFEST)
    assert len(rig.api.sent("PATCH")) == 1


async def test_an_apply_is_forced_strict_and_under_our_name(rig: Rig) -> None:
    await rig.cluster.apply(MANIFEST)
    sent = rig.api.sent("PATCH")[0]
    assert sent.path == "/apis/apps/v1/namespaces/recs/deployments/d"
    assert sent.content_type == "application/apply-patch+yaml"
    assert sent.query == {"fieldManager": "crossfade-serving", "force": "true", "fieldValidation": "Strict"}


async def test_another_manifest_is_sent(rig: Rig) -> None:
    await rig.cluster.apply(MANIFEST)
    await rig.cluster.apply({**MANIFEST, "spec": {"replicas": 2}})
    assert len(rig.api.sent("PATCH")) == 2


async def test_a_change_of_status_alone_does_not_make_it_sent_again(rig: Rig) -> None:
    await rig.cluster.apply(MANIFEST)
    rig.change(learn=True, status={"readyReplicas": 1})
    await rig.cluster.apply(MANIFEST)
    assert len(rig.api.sent("PATCH")) == 1


@pytest.mark.parametrize(
    "parts",
    [{"spec": {"replicas": 9}}, {"metadata": {"labels": {"crossfade.dev/endpoint": "ranker", "x": "y"}}}],
    ids=["its spec", "its labels"],
)
async def test_a_foreign_change_makes_it_sent_again(rig: Rig, parts: dict[str, Any]) -> None:
    await rig.cluster.apply(MANIFEST)
    rig.change(learn=True, **parts)
    await rig.cluster.apply(MANIFEST)
    assert len(rig.api.sent("PATCH")) == 2


async def test_a_deleted_object_is_made_again(rig: Rig) -> None:
    await rig.cluster.apply(MANIFEST)
    assert rig.live is not None
    rig.cache.store(CHILD_KINDS[0]).drop(rig.live)
    await rig.cluster.apply(MANIFEST)
    assert len(rig.api.sent("PATCH")) == 2


async def test_a_new_process_applies_once_whatever_it_finds(rig: Rig) -> None:
    await rig.cluster.apply(MANIFEST)
    after = Rig()
    after.live, after.version = rig.live, rig.version
    after.cache.learn(cast(dict[str, Any], rig.live))
    await after.cluster.apply(MANIFEST)
    assert len(after.api.sent("PATCH")) == 1


async def test_a_status_that_says_nothing_new_is_not_written(rig: Rig) -> None:
    await rig.cluster.write_status(ROLLOUT, {"phase": "Promoted"})
    assert rig.api.asked == []


async def test_a_status_is_written_whole_and_guarded_by_the_version_that_was_read(rig: Rig) -> None:
    await rig.cluster.write_status(ROLLOUT, {"phase": "Progressing"})
    sent = rig.api.sent("PUT")[0]
    assert sent.path == "/apis/crossfade.dev/v1alpha1/namespaces/recs/modelrollouts/ranker/status"
    assert sent.body["metadata"]["resourceVersion"] == "5"
    assert sent.body["status"] == {"phase": "Progressing"}


async def test_the_status_of_an_object_that_is_gone_is_a_conflict(rig: Rig) -> None:
    rig.api.answer = lambda _: NotFound("no such rollout")
    with pytest.raises(Conflict):
        await rig.cluster.write_status(ROLLOUT, {"phase": "Progressing"})


async def test_a_deletion_names_the_uid(rig: Rig) -> None:
    await rig.cluster.delete(Ref("apps/v1", "Deployment", "recs", "d", "u"))
    assert rig.api.sent("DELETE")[0].body == {"propagationPolicy": "Background", "preconditions": {"uid": "u"}}


async def test_deleting_what_is_gone_is_fine(rig: Rig) -> None:
    rig.api.answer = lambda _: NotFound("gone")
    await rig.cluster.delete(Ref("apps/v1", "Deployment", "recs", "d"))


async def test_a_pod_that_is_gone_is_passed_over(rig: Rig) -> None:
    rig.api.answer = lambda _: NotFound("gone")
    await rig.cluster.annotate_pods(KEY, ["a", "b"], "x", "1")
    assert len(rig.api.sent("PATCH")) == 2


async def test_a_process_that_may_not_lead_sends_no_write(rig: Rig) -> None:
    rig.fence.seconds = 0
    for write in (
        rig.cluster.apply(MANIFEST),
        rig.cluster.delete(Ref("apps/v1", "Deployment", "recs", "d")),
        rig.cluster.write_status(ROLLOUT, {}),
        rig.cluster.annotate_pods(KEY, ["a"], "x", "1"),
    ):
        with pytest.raises(NotLeader):
            await write
    await rig.cluster.event(ROLLOUT, "Normal", "Reason", "message")
    assert rig.api.asked == []


async def test_a_kind_that_is_not_ours_to_write_is_refused_by_name(rig: Rig) -> None:
    with pytest.raises(Refused, match="v1 Secret recs/d"):
        await rig.cluster.apply({**MANIFEST, "apiVersion": "v1", "kind": "Secret"})


async def test_rollouts_are_filtered_by_the_server_and_come_oldest_first(rig: Rig) -> None:
    def named(name: str, created: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "creationTimestamp": created}}

    rig.api.answer = lambda _: {"items": [named("b", "2026-02"), named("c", "2026-01"), named("a", "2026-02")]}
    found = await rig.cluster.rollouts(KEY)
    assert [obj["metadata"]["name"] for obj in found] == ["c", "a", "b"]
    assert {obj["kind"] for obj in found} == {"ModelRollout"}
    assert rig.api.asked[0].query == {"fieldSelector": "spec.endpoint=ranker"}
