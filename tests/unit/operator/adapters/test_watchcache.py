"""The cache against a scripted API server: lists, watches, gaps, ghosts and failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from crossfade_operator.adapters import watchcache as module
from crossfade_operator.adapters.api import Api, Expired
from crossfade_operator.adapters.watchcache import CONFIG_MAP, DEPLOYMENT, Store, WatchCache
from crossfade_operator.ports.cluster import Key, Unreachable
from tests.fakes.api import Answer, Asked, FakeApi
from tests.fakes.telemetry import FakeTelemetry

RANKER, OTHER = Key("recs", "ranker"), Key("recs", "other")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_pause", lambda _failures: 0.0)


def deployment(name: str, version: int, key: Key = RANKER, uid: str | None = None) -> dict[str, Any]:
    meta = {
        "name": name,
        "namespace": key.namespace,
        "uid": uid or f"uid-{name}",
        "resourceVersion": str(version),
        "labels": {"crossfade.dev/endpoint": key.endpoint},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"replicas": 1}}


def event(what: str, obj: dict[str, Any]) -> dict[str, Any]:
    return {"type": what, "object": obj}


def lists(*pages: list[dict[str, Any]], version: int = 10) -> Callable[[Asked], Answer]:
    """Each list request gets the next of `pages`; the last one stays."""
    left = list(pages)

    def answer(_: Asked) -> Answer:
        items = left.pop(0) if len(left) > 1 else left[0]
        return {"metadata": {"resourceVersion": str(version)}, "items": items}

    return answer


class Rig:
    def __init__(self, api: FakeApi, cache: WatchCache, woken: list[Key], telemetry: FakeTelemetry) -> None:
        self.api, self.cache, self.woken, self.telemetry = api, cache, woken, telemetry

    async def tell(self, *events: dict[str, Any] | Exception | None) -> None:
        for one in events:
            self.api.events.put_nowait(one)
        for _ in range(50):
            await asyncio.sleep(0)

    def names(self, key: Key = RANKER) -> list[str]:
        return [obj["metadata"]["name"] for obj in self.cache.store(DEPLOYMENT).of(key)]


@asynccontextmanager
async def running(answer: Callable[[Asked], Answer], namespaces: tuple[str, ...] = ()) -> AsyncIterator[Rig]:
    api, woken, telemetry = FakeApi(answer), list[Key](), FakeTelemetry()
    cache = WatchCache(cast(Api, api), namespaces, woken.append, telemetry, kinds=(DEPLOYMENT,))
    task = asyncio.create_task(cache.run())
    await asyncio.wait_for(cache.synced(), 5)
    try:
        yield Rig(api, cache, woken, telemetry)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_is_listed_is_kept_by_endpoint_and_wakes_it() -> None:
    async with running(lists([deployment("a", 1), deployment("b", 2, OTHER)])) as rig:
        assert (rig.names(RANKER), rig.names(OTHER)) == (["a"], ["b"])
        assert sorted(rig.woken) == [OTHER, RANKER]


async def test_a_list_in_pages_is_read_to_its_end() -> None:
    def answer(asked: Asked) -> Answer:
        last = asked.query.get("continue") == "more"
        more = {} if last else {"continue": "more"}
        return {
            "metadata": {"resourceVersion": "10", **more},
            "items": [deployment("b" if last else "a", 2 if last else 1)],
        }

    async with running(answer) as rig:
        assert rig.names() == ["a", "b"]


async def test_the_watch_begins_where_the_list_ended() -> None:
    async with running(lists([], version=42)) as rig:
        await rig.tell()
        assert rig.api.watched[0].query["resourceVersion"] == "42"
        assert rig.api.watched[0].query["labelSelector"] == module.SELECTOR


async def test_events_change_what_is_kept_before_they_wake() -> None:
    async with running(lists([])) as rig:
        await rig.tell(event("ADDED", deployment("a", 11)))
        assert (rig.names(), rig.woken) == (["a"], [RANKER])
        await rig.tell(event("MODIFIED", deployment("a", 12)))
        assert rig.cache.find("apps/v1", "Deployment", "recs", "a") is not None
        assert len(rig.woken) == 2
        await rig.tell(event("DELETED", deployment("a", 13)))
        assert (rig.names(), len(rig.woken)) == ([], 3)


async def test_an_object_that_changes_its_endpoint_wakes_both() -> None:
    async with running(lists([deployment("a", 1)])) as rig:
        rig.woken.clear()
        await rig.tell(event("MODIFIED", deployment("a", 11, OTHER)))
        assert sorted(rig.woken) == [OTHER, RANKER]
        assert (rig.names(RANKER), rig.names(OTHER)) == ([], ["a"])


async def test_a_watch_that_ends_in_order_goes_on_from_the_last_version_without_a_list() -> None:
    async with running(lists([])) as rig:
        await rig.tell(event("ADDED", deployment("a", 11)), event("BOOKMARK", deployment("", 30)), None)
        assert rig.api.watched[-1].query["resourceVersion"] == "30"
        assert len(rig.api.sent("GET")) == 1


async def test_what_vanished_while_nobody_watched_is_dropped_and_wakes() -> None:
    async with running(lists([deployment("a", 1), deployment("b", 2)], [deployment("b", 2)], version=50)) as rig:
        rig.woken.clear()
        await rig.tell(Expired("too old"))
        assert rig.names() == ["b"]
        assert rig.woken == [RANKER]


async def test_an_error_event_that_says_gone_lists_again() -> None:
    async with running(lists([deployment("a", 1)], [])) as rig:
        await rig.tell(event("ERROR", {"code": 410, "message": "too old resource version"}))
        assert rig.names() == []


async def test_one_failure_resumes_and_a_second_in_a_row_lists_anew() -> None:
    async with running(lists([])) as rig:
        await rig.tell(event("ADDED", deployment("a", 11)), Unreachable("reset"))
        assert rig.api.watched[-1].query["resourceVersion"] == "11"
        assert len(rig.api.sent("GET")) == 1
        await rig.tell(Unreachable("reset"))
        assert len(rig.api.sent("GET")) == 2
        assert ("watch_restarted", ("deployments", "failed"), {}) in rig.telemetry.told


async def test_a_list_that_fails_is_tried_until_it_succeeds() -> None:
    answers: list[Answer] = [Unreachable("down"), Unreachable("down")]

    def answer(asked: Asked) -> Answer:
        return answers.pop(0) if answers else lists([deployment("a", 1)])(asked)

    async with running(answer) as rig:
        assert rig.names() == ["a"]


async def test_an_older_server_after_a_restore_is_believed() -> None:
    async with running(lists([deployment("a", 900)], [deployment("a", 3)], version=5)) as rig:
        await rig.tell(Expired("gone"))
        kept = rig.cache.find("apps/v1", "Deployment", "recs", "a")
        assert kept is not None
        assert kept["metadata"]["resourceVersion"] == "3"


async def test_each_namespace_is_listed_and_ghosts_are_looked_for_in_it_alone() -> None:
    def answer(asked: Asked) -> Answer:
        namespace = asked.path.split("/")[5]
        return {"metadata": {"resourceVersion": "10"}, "items": [deployment("a", 1, Key(namespace, "ranker"))]}

    async with running(answer, ("one", "two")) as rig:
        assert rig.names(Key("one", "ranker")) == rig.names(Key("two", "ranker")) == ["a"]
        assert {asked.path for asked in rig.api.sent("GET")} == {
            "/apis/apps/v1/namespaces/one/deployments",
            "/apis/apps/v1/namespaces/two/deployments",
        }


async def test_an_answer_to_our_own_write_is_seen_at_once_and_wakes_nobody() -> None:
    async with running(lists([])) as rig:
        rig.cache.learn(deployment("a", 11))
        assert rig.names() == ["a"]
        await rig.tell(event("ADDED", deployment("a", 11)))
        assert rig.woken == []


async def test_an_answer_that_comes_after_the_watch_told_of_the_end_makes_no_ghost() -> None:
    async with running(lists([])) as rig:
        await rig.tell(event("ADDED", deployment("a", 11)), event("DELETED", deployment("a", 12)))
        rig.cache.learn(deployment("a", 11))
        assert rig.names() == []


async def test_what_the_watch_tells_late_does_not_undo_what_our_write_answered() -> None:
    async with running(lists([])) as rig:
        rig.cache.learn(deployment("a", 15))
        await rig.tell(event("ADDED", deployment("a", 11)))
        kept = rig.cache.find("apps/v1", "Deployment", "recs", "a")
        assert kept is not None
        assert kept["metadata"]["resourceVersion"] == "15"
        assert rig.woken == []
        await rig.tell(event("DELETED", deployment("a", 16)))
        assert rig.names() == []


async def test_of_metadata_kinds_nothing_else_is_kept() -> None:
    api = FakeApi(lists([]))
    cache = WatchCache(cast(Api, api), (), lambda _: None, FakeTelemetry(), kinds=(CONFIG_MAP,))
    meta = deployment("a", 1)["metadata"]
    cache.learn({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"lds.json": "x" * 1000}})
    assert set(cache.find("v1", "ConfigMap", "recs", "a") or ()) == {"apiVersion", "kind", "metadata"}


async def test_a_kind_that_is_not_watched_is_not_found() -> None:
    async with running(lists([])) as rig:
        assert rig.cache.find("v1", "Secret", "recs", "a") is None


class TestStore:
    def test_a_namesake_is_not_dropped_by_its_predecessors_end(self) -> None:
        store = Store()
        store.put(deployment("a", 5, uid="new"))
        assert not store.drop(deployment("a", 4, uid="old"))
        assert len(store) == 1

    def test_the_same_version_is_no_news(self) -> None:
        store = Store()
        assert store.put(deployment("a", 5))
        assert not store.put(deployment("a", 5))

    def test_objects_of_an_endpoint_come_by_name(self) -> None:
        store = Store()
        for name in "cab":
            store.put(deployment(name, 1))
        assert [obj["metadata"]["name"] for obj in store.of(RANKER)] == ["a", "b", "c"]
        assert store.of(OTHER) == ()
