"""What is read of Reviews and Decisions, when, and whose word is whose."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade_operator.api.decision import SubjectKind
from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelrollout_status import ModelRolloutStatus, ReviewDue
from crossfade_operator.ports.cluster import Key
from crossfade_operator.runtime.opinions import (
    conclusions,
    decisions_for,
    reviewed,
    reviews_of,
    seen,
    without_predecessors,
)
from tests.fakes.cluster import FakeCluster

KEY = Key("recs", "ranker")
AT = "2026-03-01T12:00:00Z"


def record(kind: str, name: str, subject: str, about: str, **spec: Any) -> dict[str, Any]:
    body = {"subject": {"kind": subject, "name": about}, **spec}
    meta = {"name": name, "namespace": "recs"}
    return {"apiVersion": "crossfade.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": body}


def review(name: str, subject: str = "ModelRollout", about: str = "ranker", reviewer: str = "ben") -> dict[str, Any]:
    return record("Review", name, subject, about, verdict="Approve", reviewer=reviewer)


def decision(name: str, action: str = "Ship", about: str = "taste", **spec: Any) -> dict[str, Any]:
    return record("Decision", name, "Experiment", about, action=action, endpoint="ranker", at=AT, **spec)


def rollout(*, stage: str | None = "Analyzing", due: str | None = None, gates: Any = ()) -> dict[str, Any]:
    status: dict[str, Any] = {"candidate": {"stage": stage}} if stage else {}
    if due:
        status["reviewsDue"] = [{"decision": due, "by": "ana"}]
    return {"metadata": {"name": "ranker"}, "spec": {"gates": list(gates)}, "status": status}


def endpoint(**gates: Any) -> ModelEndpointSpec:
    return ModelEndpointSpec.model_validate({"unit": {"header": "x"}, "policy": {"gates": gates}})


@pytest.fixture
def cluster() -> FakeCluster:
    found = FakeCluster()
    for one in (
        review("of-it"),
        review("of-another", about="another"),
        review("afterwards", "Decision", "ranker-000007"),
        decision("taste-exp-000001"),
        decision("smell-exp-000001", "Abort", "smell"),
    ):
        found.put(one)
    return found


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        pytest.param(rollout(), ["of-it"], id="a candidate"),
        pytest.param(rollout(stage=None), [], id="a rollout at rest"),
        pytest.param(rollout(stage=None, due="ranker-000007"), ["afterwards"], id="a review is due"),
    ],
)
async def test_reviews_are_read_when_they_matter(cluster: FakeCluster, asked: dict[str, Any], read: list[str]) -> None:
    assert [one["metadata"]["name"] for one in await reviews_of(cluster, KEY, asked)] == read


TASTE, SMELL = {"experiment": "taste"}, {"experiment": "smell"}


@pytest.mark.parametrize(
    ("asked", "policy", "read"),
    [
        pytest.param(rollout(gates=[TASTE, SMELL]), {}, ["smell-exp-000001", "taste-exp-000001"], id="those named"),
        pytest.param(rollout(gates=[{"approvals": 1}]), {}, [], id="no experiment is asked for"),
        pytest.param(rollout(), {"experiment": "Required"}, ["taste-exp-000001"], id="any that has shipped"),
        pytest.param(rollout(gates=[SMELL]), {"experiment": "Required"}, ["smell-exp-000001"], id="the one meant"),
        pytest.param(rollout(stage="Withdrawing", gates=[TASTE]), {}, [], id="nothing on its way out"),
        pytest.param(rollout(stage=None, gates=[TASTE]), {}, [], id="nothing at rest"),
    ],
)
async def test_decisions_are_read_when_a_gate_asks(
    cluster: FakeCluster, asked: dict[str, Any], policy: dict[str, str], read: list[str]
) -> None:
    found = await decisions_for(cluster, KEY, asked, endpoint(**policy))
    assert [one["metadata"]["name"] for one in found] == read


def test_only_ends_are_conclusions_and_what_replaced_them_is_known() -> None:
    made = conclusions(
        [
            decision("taste-exp-000001", "Run"),
            decision("taste-exp-000002", expiresAt=AT, aFieldOfANewerVersion=1),
            decision("taste-exp-000003", "Abort", supersedes="taste-exp-000002"),
        ]
    )
    assert [(one.name, one.action, one.superseded_by) for one in made] == [
        ("taste-exp-000002", "Ship", "taste-exp-000003"),
        ("taste-exp-000003", "Abort", None),
    ]
    assert made[0].expires_at is not None


@pytest.mark.parametrize(("reviewer", "done"), [("ben", True), ("ana", False)], ids=["another person", "oneself"])
def test_a_review_afterwards_is_anothers(reviewer: str, done: bool) -> None:
    status = ModelRolloutStatus(reviews_due=(ReviewDue(decision="ranker-000007", by="ana"),))
    made = review("r", "Decision", "ranker-000007", reviewer)
    made["metadata"]["creationTimestamp"] = AT
    assert reviewed(status, [made]) == ({"ranker-000007"} if done else set())


def test_reviews_are_read_oldest_first_and_of_one_kind() -> None:
    ones = [review("b"), review("a"), review("c", "Decision", "ranker-000007")]
    for one in ones:
        one["metadata"]["creationTimestamp"] = AT
    assert [one.name for one in seen(ones, SubjectKind.MODEL_ROLLOUT)] == ["a", "b"]


def test_a_gate_means_the_experiment_that_has_the_name_now() -> None:
    made = [decision("taste-exp-000001"), decision("taste-exp-000002"), decision("smell-exp-000001", about="smell")]
    for one, uid in zip(made, ("former", "present", "deleted"), strict=True):
        one["spec"]["subject"]["uid"] = uid
    running = [{"metadata": {"name": "taste", "uid": "present"}}]
    found = without_predecessors(made, running)
    assert [one["metadata"]["name"] for one in found] == ["taste-exp-000002", "smell-exp-000001"]
