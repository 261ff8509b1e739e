"""Acting: in order, through refusals, but not past anything that makes the turn void."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade_operator.core.children.router import GENERATION_ANNOTATION
from crossfade_operator.core.effects import Announce, Apply, Delete, Poke
from crossfade_operator.ports.cluster import ClusterError, Conflict, Key, NotLeader, Ref, Unreachable
from crossfade_operator.runtime.act import Actors, apply_all
from tests.fakes.cluster import FakeCluster

KEY = Key("recs", "ranker")
ROLLOUT = {"kind": "ModelRollout", "metadata": {"name": "ranker", "namespace": "recs"}}


def thing(name: str, kind: str = "Service") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "recs"}}


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def actors(cluster: FakeCluster) -> Actors:
    return Actors(cluster, KEY, {("ModelRollout", "ranker"): ROLLOUT})


async def test_every_effect_does_its_work(cluster: FakeCluster, actors: Actors) -> None:
    old, router = cluster.put(thing("old")), cluster.put(thing("router-0", "Pod"))
    effects = [
        Apply(thing("new")),
        Delete(Ref.of(old)),
        Poke(("router-0", "gone-1"), 7),
        Announce("ModelRollout", "ranker", "Warning", "CrashLooping", "why"),
    ]
    assert await apply_all(actors, effects) is None
    assert cluster.get("Service", "recs", "new") is not None
    assert cluster.get("Service", "recs", "old") is None
    assert router["metadata"]["annotations"] == {GENERATION_ANNOTATION: "7"}
    assert cluster.events == [("ranker", "Warning", "CrashLooping", "why")]


async def test_effects_are_applied_in_order(cluster: FakeCluster, actors: Actors) -> None:
    await apply_all(actors, [Apply(thing("a")), Apply(thing("b")), Apply(thing("c"))])
    assert [name for _, _, name in cluster.writes] == ["a", "b", "c"]


async def test_a_refusal_is_told_and_the_others_are_applied(cluster: FakeCluster, actors: Actors) -> None:
    cluster.refuse = lambda obj: f"no {obj['metadata']['name']}" if obj["metadata"]["name"] != "good" else None
    told = await apply_all(actors, [Apply(thing("bad")), Apply(thing("worse")), Apply(thing("good"))])
    assert told == "no bad", "the first one is shown"
    assert cluster.get("Service", "recs", "good") is not None


@pytest.mark.parametrize("error", [Conflict, Unreachable, NotLeader])
async def test_what_makes_the_turn_void_ends_it(
    cluster: FakeCluster, actors: Actors, error: type[ClusterError]
) -> None:
    def fail(_verb: str, _kind: str) -> None:
        raise error("now")

    cluster.fail = fail
    with pytest.raises(error):
        await apply_all(actors, [Apply(thing("a")), Apply(thing("b"))])
    assert cluster.objects == {}


async def test_a_namesake_is_not_deleted(cluster: FakeCluster, actors: Actors) -> None:
    old = Ref.of(cluster.put(thing("one")))
    cluster.remove("Service", "recs", "one")
    cluster.put(thing("one"))
    with pytest.raises(Conflict):
        await apply_all(actors, [Delete(old)])
    assert cluster.get("Service", "recs", "one") is not None
