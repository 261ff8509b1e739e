"""What `ports.cluster.Cluster` promises, held against the fake that scenarios run on and against a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from crossfade_operator.ports.cluster import Children, Conflict, Key, NotLeader, Refused
from tests.contract.cluster.rig import (
    WITHIN,
    FakeRig,
    Rig,
    config_map,
    decision,
    endpoint,
    experiment,
    metric,
    pod,
    real_rig,
    ref,
    review,
    rollout,
)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.integration)])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    if request.param == "fake":
        yield FakeRig()
        return
    plane = request.getfixturevalue("control_plane")
    async with real_rig(plane.kubeconfig, f"contract-{uuid4().hex[:8]}") as real:
        yield real


@pytest.fixture
def key(rig: Rig) -> Key:
    return Key(rig.namespace, "ranker")


async def children(rig: Rig, key: Key, until: Callable[[Children], bool]) -> Children:
    """Children may lag by a moment; wait for them until a deadline."""
    found = await rig.cluster.children(key)
    try:
        async with asyncio.timeout(WITHIN):
            while not until(found):
                await asyncio.sleep(0.02)
                found = await rig.cluster.children(key)
    except TimeoutError:
        pytest.fail(f"the children never came to be as expected: {found}")
    return found


def names(objects: object) -> list[str]:
    assert isinstance(objects, list | tuple)
    return sorted(obj["metadata"]["name"] for obj in objects)


class TestReading:
    async def test_an_endpoint_that_is_not_there_is_none(self, rig: Rig, key: Key) -> None:
        assert await rig.cluster.endpoint(key) is None

    async def test_an_endpoint_says_its_kind_and_what_guards_it(self, rig: Rig, key: Key) -> None:
        await rig.put(endpoint(rig.namespace))
        found = await rig.cluster.endpoint(key)
        assert found is not None
        assert (found["apiVersion"], found["kind"]) == ("crossfade.dev/v1alpha1", "ModelEndpoint")
        assert {"uid", "resourceVersion", "generation"} <= set(found["metadata"])

    async def test_rollouts_are_those_of_the_endpoint_oldest_first(self, rig: Rig, key: Key) -> None:
        for name, of in (("b", "ranker"), ("x", "other"), ("a", "ranker")):
            await rig.put(rollout(rig.namespace, name, of))
        found = await rig.cluster.rollouts(key)
        created = [(obj["metadata"]["creationTimestamp"], obj["metadata"]["name"]) for obj in found]
        assert created == sorted(created)
        assert names(found) == ["a", "b"]
        assert {obj["kind"] for obj in found} == {"ModelRollout"}

    async def test_rollouts_are_read_fresh(self, rig: Rig, key: Key) -> None:
        assert await rig.cluster.rollouts(key) == []
        await rig.put(rollout(rig.namespace, "a"))
        assert names(await rig.cluster.rollouts(key)) == ["a"]
        await rig.remove("ModelRollout", "a")
        assert await rig.cluster.rollouts(key) == []

    async def test_of_the_metrics_asked_for_those_that_exist_are_found(self, rig: Rig, key: Key) -> None:
        await rig.put(metric(rig.namespace, "empty"))
        found = await rig.cluster.metrics(rig.namespace, ["empty", "missing"])
        assert list(found) == ["empty"]
        assert found["empty"]["spec"]["type"] == "Count"

    async def test_no_metrics_asked_for_are_none(self, rig: Rig) -> None:
        assert await rig.cluster.metrics(rig.namespace, []) == {}

    async def test_decisions_are_those_whose_fields_have_these_values(self, rig: Rig) -> None:
        for name, about in (("ranker-000001", "ranker"), ("other-000001", "other"), ("ranker-000002", "ranker")):
            await rig.put(decision(rig.namespace, name, about))
        fields = {"spec.subject.kind": "ModelRollout", "spec.subject.name": "ranker"}
        found = await rig.cluster.decisions(rig.namespace, fields)
        assert names(found) == ["ranker-000001", "ranker-000002"]
        assert {obj["kind"] for obj in found} == {"Decision"}
        assert await rig.cluster.decisions(rig.namespace, {"spec.action": "Ship"}) == []

    async def test_reviews_are_those_whose_fields_have_these_values(self, rig: Rig) -> None:
        for name, about in (("a", "ranker"), ("b", "other")):
            await rig.put(review(rig.namespace, name, about))
        fields = {"spec.subject.kind": "ModelRollout", "spec.subject.name": "ranker"}
        assert names(await rig.cluster.reviews(rig.namespace, fields)) == ["a"]

    async def test_experiments_are_those_of_the_endpoint(self, rig: Rig, key: Key) -> None:
        for name, of in (("taste", "ranker"), ("smell", "other")):
            await rig.put(experiment(rig.namespace, name, of))
        found = await rig.cluster.experiments(key)
        assert names(found) == ["taste"]
        assert {obj["kind"] for obj in found} == {"Experiment"}

    async def test_children_are_those_labelled_with_the_endpoint(self, rig: Rig, key: Key) -> None:
        other = config_map(rig.namespace, "other", {"a": "1"})
        other["metadata"]["labels"]["crossfade.dev/endpoint"] = "other"
        for manifest in (other, config_map(rig.namespace, "mine", {"a": "1"})):
            await rig.cluster.apply(manifest)
        found = await children(rig, key, lambda seen: bool(seen.config_maps))
        assert names(found.config_maps) == ["mine"]

    async def test_a_child_that_a_user_deletes_is_gone_soon(self, rig: Rig, key: Key) -> None:
        await rig.cluster.apply(config_map(rig.namespace, "mine", {"a": "1"}))
        await children(rig, key, lambda seen: bool(seen.config_maps))
        await rig.remove("ConfigMap", "mine")
        await children(rig, key, lambda seen: not seen.config_maps)


class TestApplying:
    async def test_it_makes_what_is_not_there(self, rig: Rig, key: Key) -> None:
        made = await rig.cluster.apply(config_map(rig.namespace, "c", {"a": "1"}))
        assert made["metadata"]["uid"]
        found = await rig.read("ConfigMap", "c")
        assert found is not None
        assert found["data"] == {"a": "1"}

    async def test_doing_it_twice_changes_nothing(self, rig: Rig, key: Key) -> None:
        first = await rig.cluster.apply(config_map(rig.namespace, "c", {"a": "1"}))
        again = await rig.cluster.apply(config_map(rig.namespace, "c", {"a": "1"}))
        assert first["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]

    async def test_it_changes_what_differs(self, rig: Rig, key: Key) -> None:
        await rig.cluster.apply(config_map(rig.namespace, "c", {"a": "1"}))
        await rig.cluster.apply(config_map(rig.namespace, "c", {"a": "2"}))
        found = await rig.read("ConfigMap", "c")
        assert found is not None
        assert found["data"] == {"a": "2"}

    async def test_an_annotation_of_somebody_else_survives(self, rig: Rig, key: Key) -> None:
        manifest = config_map(rig.namespace, "c", {"a": "1"})
        await rig.cluster.apply(manifest)
        foreign = {**manifest, "metadata": {**manifest["metadata"], "annotations": {"team": "recs"}}}
        await rig.put(foreign)
        await rig.cluster.apply(config_map(rig.namespace, "c", {"a": "2"}))
        found = await rig.read("ConfigMap", "c")
        assert found is not None
        assert found["metadata"]["annotations"]["team"] == "recs"

    async def test_what_somebody_changed_of_ours_is_set_right(self, rig: Rig, key: Key) -> None:
        ours = config_map(rig.namespace, "c", {"a": "1"})
        version = (await rig.cluster.apply(ours))["metadata"]["resourceVersion"]
        changed = await rig.put(config_map(rig.namespace, "c", {"a": "9"}))
        assert changed["metadata"]["resourceVersion"] != version
        newest = changed["metadata"]["resourceVersion"]
        await children(rig, key, lambda seen: _version(seen) == newest)
        await rig.cluster.apply(ours)
        found = await rig.read("ConfigMap", "c")
        assert found is not None
        assert found["data"] == {"a": "1"}

    async def test_what_the_server_refuses_is_said_in_its_words(self, rig: Rig, key: Key) -> None:
        with pytest.raises(Refused) as refused:
            await rig.cluster.apply(await rig.refusal())
        assert str(refused.value)
        assert not refused.value.retry


class TestMaking:
    async def test_it_makes_what_is_not_there(self, rig: Rig) -> None:
        made = await rig.cluster.create(decision(rig.namespace, "ranker-000001"))
        assert made["metadata"]["uid"]
        assert await rig.read("Decision", "ranker-000001") is not None

    async def test_what_is_there_is_given_back_and_left_as_it_is(self, rig: Rig) -> None:
        first = await rig.cluster.create(decision(rig.namespace, "ranker-000001"))
        again = await rig.cluster.create(decision(rig.namespace, "ranker-000001", about="another"))
        assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        assert again["spec"]["subject"]["name"] == "ranker"

    async def test_what_the_server_refuses_is_said_in_its_words(self, rig: Rig) -> None:
        with pytest.raises(Refused) as refused:
            await rig.cluster.create(await rig.refusal())
        assert str(refused.value)

    async def test_without_the_lease_nothing_is_made(self, rig: Rig) -> None:
        rig.lose_the_lease()
        with pytest.raises(NotLeader):
            await rig.cluster.create(decision(rig.namespace, "ranker-000001"))
        assert await rig.read("Decision", "ranker-000001") is None


class TestDeleting:
    async def test_it_removes_the_object(self, rig: Rig) -> None:
        made = await rig.cluster.apply(config_map(rig.namespace, "c", {"a": "1"}))
        await rig.cluster.delete(ref(dict(made)))
        assert await rig.read("ConfigMap", "c") is None

    async def test_what_is_gone_already_is_fine(self, rig: Rig) -> None:
        made = await rig.cluster.apply(config_map(rig.namespace, "c", {"a": "1"}))
        await rig.cluster.delete(ref(dict(made)))
        await rig.cluster.delete(ref(dict(made)))

    async def test_a_namesake_is_left_alone(self, rig: Rig) -> None:
        made = await rig.cluster.apply(config_map(rig.namespace, "c", {"a": "1"}))
        other = replace(ref(dict(made)), uid="00000000-0000-0000-0000-000000000000")
        with pytest.raises(Conflict):
            await rig.cluster.delete(other)
        assert await rig.read("ConfigMap", "c") is not None


class TestWritingStatus:
    async def test_it_replaces_the_status_and_nothing_else(self, rig: Rig, key: Key) -> None:
        made = await rig.put(endpoint(rig.namespace))
        first = await rig.cluster.write_status(made, {"observedGeneration": 1, "salt": "s", "replicas": 2})
        await rig.cluster.write_status(first, {"observedGeneration": 1, "salt": "s"})
        found = await rig.cluster.endpoint(key)
        assert found is not None
        assert found["status"] == {"observedGeneration": 1, "salt": "s"}
        assert found["metadata"]["generation"] == made["metadata"]["generation"]

    async def test_the_answer_guards_the_next_write(self, rig: Rig, key: Key) -> None:
        made = await rig.put(endpoint(rig.namespace))
        first = await rig.cluster.write_status(made, {"salt": "a"})
        second = await rig.cluster.write_status(first, {"salt": "b"})
        assert second["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]

    async def test_of_two_writers_who_read_the_same_the_second_conflicts(self, rig: Rig, key: Key) -> None:
        made = await rig.put(endpoint(rig.namespace))
        await rig.cluster.write_status(made, {"salt": "a"})
        with pytest.raises(Conflict):
            await rig.cluster.write_status(made, {"salt": "b"})
        found = await rig.cluster.endpoint(key)
        assert found is not None
        assert found["status"] == {"salt": "a"}

    async def test_an_edit_by_a_user_since_the_read_is_a_conflict(self, rig: Rig, key: Key) -> None:
        made = await rig.put(rollout(rig.namespace, "r"))
        await rig.put(rollout(rig.namespace, "r", image="ranker:2"))
        with pytest.raises(Conflict):
            await rig.cluster.write_status(made, {"phase": "Progressing"})

    async def test_an_object_that_is_gone_is_a_conflict(self, rig: Rig, key: Key) -> None:
        made = await rig.put(endpoint(rig.namespace))
        await rig.remove("ModelEndpoint", "ranker")
        with pytest.raises(Conflict):
            await rig.cluster.write_status(made, {"salt": "a"})


class TestTouching:
    async def test_pods_are_annotated_and_missing_ones_passed_over(self, rig: Rig, key: Key) -> None:
        await rig.put(pod(rig.namespace, "p"))
        await rig.cluster.annotate_pods(key, ["gone", "p"], "crossfade.dev/route-generation", "7")
        found = await rig.read("Pod", "p")
        assert found is not None
        assert found["metadata"]["annotations"]["crossfade.dev/route-generation"] == "7"

    async def test_an_event_never_raises(self, rig: Rig, key: Key) -> None:
        made = await rig.put(endpoint(rig.namespace))
        await rig.cluster.event(made, "Normal", "Reason", "message")
        await rig.cluster.event({**made, "metadata": {**made["metadata"], "namespace": "gone"}}, "Normal", "R", "m")


async def test_nothing_is_written_without_the_lease(rig: Rig, key: Key) -> None:
    made = await rig.put(endpoint(rig.namespace))
    await rig.put(pod(rig.namespace, "p"))
    rig.lose_the_lease()
    for write in (
        rig.cluster.apply(config_map(rig.namespace, "c", {"a": "1"})),
        rig.cluster.delete(ref(made)),
        rig.cluster.write_status(made, {"salt": "a"}),
        rig.cluster.annotate_pods(key, ["p"], "x", "1"),
    ):
        with pytest.raises(NotLeader):
            await write
    assert await rig.read("ConfigMap", "c") is None
    assert await rig.read("ModelEndpoint", "ranker") == await rig.cluster.endpoint(key)


def _version(seen: Children) -> str | None:
    return next((obj["metadata"]["resourceVersion"] for obj in seen.config_maps), None)
