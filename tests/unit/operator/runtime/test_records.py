"""Objects of decisions are made in order, each once, and what is in the way is remembered and told."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade_operator.api.modelrollout_status import ModelRolloutStatus
from crossfade_operator.ports.cluster import NotLeader, Unreachable
from crossfade_operator.runtime.records import Records
from tests.fakes.cluster import FakeCluster

ROLLOUT = {"metadata": {"uid": "uid-1", "name": "ranker"}}
NOTHING = ModelRolloutStatus()


def decision(number: int, uid: str = "uid-1") -> dict[str, Any]:
    return {
        "apiVersion": "crossfade.dev/v1alpha1",
        "kind": "Decision",
        "metadata": {"name": f"ranker-{number:06d}", "namespace": "recs"},
        "spec": {"subject": {"uid": uid}},
    }


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


async def test_what_was_made_is_remembered_until_the_status_says_so(cluster: FakeCluster) -> None:
    records = Records(cluster)
    assert await records.make(ROLLOUT, [decision(1), decision(2)])
    assert [obj["metadata"]["name"] for obj in cluster.all("Decision")] == ["ranker-000001", "ranker-000002"]
    assert (records.made(ROLLOUT, NOTHING), records.problem(ROLLOUT)) == (2, None)
    assert records.made(ROLLOUT, ModelRolloutStatus(decisions_recorded=5)) == 5
    assert records.made(ROLLOUT, NOTHING) == 0, "what the status said once need not be remembered"


async def test_what_exists_is_fine(cluster: FakeCluster) -> None:
    cluster.put(decision(1))
    assert await Records(cluster).make(ROLLOUT, [decision(1)])


async def test_none_is_made_after_one_that_is_refused(cluster: FakeCluster) -> None:
    cluster.refuse = lambda obj: "no more records" if obj["metadata"]["name"] == "ranker-000002" else None
    records = Records(cluster)
    assert not await records.make(ROLLOUT, [decision(1), decision(2), decision(3)])
    assert records.problem(ROLLOUT) == "Decision ranker-000002 could not be made: no more records"
    assert records.made(ROLLOUT, NOTHING) == 1
    cluster.refuse = lambda _: None
    assert await records.make(ROLLOUT, [decision(2), decision(3)])
    assert (records.problem(ROLLOUT), records.made(ROLLOUT, NOTHING)) == (None, 3)


async def test_an_outage_is_a_finding_for_a_rollback_must_go_on(cluster: FakeCluster) -> None:
    def down(_verb: str, _kind: str) -> None:
        raise Unreachable("the webhook timed out")

    cluster.fail = down
    records = Records(cluster)
    assert not await records.make(ROLLOUT, [decision(1)])
    assert "the webhook timed out" in (records.problem(ROLLOUT) or "")


async def test_whoever_no_longer_leads_goes_no_further(cluster: FakeCluster) -> None:
    def deposed(_verb: str, _kind: str) -> None:
        raise NotLeader("another leads")

    cluster.fail = deposed
    with pytest.raises(NotLeader):
        await Records(cluster).make(ROLLOUT, [decision(1)])


async def test_a_record_about_another_object_is_not_taken_for_ours(cluster: FakeCluster) -> None:
    cluster.put(decision(1, uid="uid-0"))
    records = Records(cluster)
    assert not await records.make(ROLLOUT, [decision(1)])
    assert "is about another object" in (records.problem(ROLLOUT) or "")
