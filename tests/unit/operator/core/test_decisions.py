"""The object of a decision says what was decided, on what, by whom, and for how long it must be kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossfade_operator.api.decision import Basis, CheckFinding, DecisionSpec, Recommendation, ReviewNote
from crossfade_operator.api.modelendpoint_status import Route
from crossfade_operator.api.modelrollout_status import Action, ArmResult, Decision, MetricResult, Role, Verdict
from crossfade_operator.core.decisions import About, checks_of, decision_object, pending
from tests.unit.operator.core.rollout.views import (
    CANDIDATE,
    DIGEST,
    GONE,
    HALF,
    ONE,
    PROVEN,
    blind,
    candidate,
    spec,
    view,
)
from tests.unit.operator.core.rollout.views import status as rollout_status

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ROUTE = Route(generation=7, digest="sha256:aa", decision="ranker-000002", written_at=NOW)
ROW = MetricResult(
    name="error-rate",
    role=Role.GUARDRAIL,
    verdict=Verdict.PROVEN,
    control=ArmResult(events=100, total=10_000, value="0.01"),
    candidate=ArmResult(events=101, total=10_000, value="0.0101"),
    ratio="1.01",
    lower="0.9",
    upper="1.1",
    message="ok",
)
ABOUT = About(
    namespace="recs",
    name="ranker",
    uid="uid-7",
    spec=spec(owner="team-ranking"),
    retention=timedelta(days=730),
    route=ROUTE,
    stable_decision="ranker-000002",
    metrics=(ROW,),
    checks=(CheckFinding(name="PodsReady", passed=True),),
    reviews=(ReviewNote(name="r1", reviewer="ben", verdict="Dissent", reason="too early"),),
)


def entry(action: Action = Action.PROMOTE, **fields: Any) -> Decision:
    usual: dict[str, Any] = {
        "name": "ranker-000003",
        "action": action,
        "revision": CANDIDATE,
        "step": 3,
        "slice": "100%",
        "reason": "AllStepsProven",
        "message": "everyone is served by it",
        "at": NOW,
        "evidence": DIGEST,
        "by": "rollout@1",
        "recommendation": Recommendation.PROMOTE,
        "attempt": 2,
        "model_digest": "sha256:bb",
        "design_hash": "sha256:cc",
    }
    return Decision(**{**usual, **fields})


def made(one: Decision, about: About = ABOUT, *, newest: bool = True) -> DecisionSpec:
    return DecisionSpec.model_validate(decision_object(one, about, newest=newest)["spec"])


def test_a_promotion_is_told_whole() -> None:
    obj = decision_object(entry(), ABOUT)
    assert obj["metadata"] == {
        "name": "ranker-000003",
        "namespace": "recs",
        "labels": {
            "app.kubernetes.io/managed-by": "crossfade",
            "crossfade.dev/endpoint": "ranker",
            "crossfade.dev/rollout": "ranker",
        },
    }
    assert obj["spec"] == {
        "subject": {
            "kind": "ModelRollout",
            "name": "ranker",
            "uid": "uid-7",
            "revision": CANDIDATE,
            "modelDigest": "sha256:bb",
            "attempt": 2,
        },
        "endpoint": "ranker",
        "owner": "team-ranking",
        "action": "Promote",
        "recommendation": "Promote",
        "basis": "Evidence",
        "actor": "rollout@1",
        "rule": "rollout@1",
        "reason": "AllStepsProven",
        "message": "everyone is served by it",
        "at": "2026-03-01T12:00:00.000000Z",
        "step": 3,
        "slice": "100%",
        "designHash": "sha256:cc",
        "evidence": {"digest": DIGEST, "locator": f"ModelRollout/recs/ranker/uid-7/{CANDIDATE}/2"},
        "results": [
            {
                "name": "error-rate",
                "role": "Guardrail",
                "verdict": "Proven",
                "control": "0.01",
                "value": "0.0101",
                "estimate": "1.01",
                "lower": "0.9",
                "upper": "1.1",
                "margin": "1% absolute",
                "message": "ok",
            }
        ],
        "checks": [{"name": "PodsReady", "passed": True, "blocking": True, "message": ""}],
        "reviews": [{"name": "r1", "reviewer": "ben", "verdict": "Dissent", "reason": "too early"}],
        "supersedes": "ranker-000002",
        "previousRoute": {"generation": 7, "digest": "sha256:aa", "decision": "ranker-000002"},
        "revisitAfter": "2026-03-04T12:00:00.000000Z",
        "retainUntil": "2028-02-29T12:00:00.000000Z",
    }


def test_nobody_owns_a_record() -> None:
    """It outlives the rollout: an owner reference would delete it with that."""
    assert "ownerReferences" not in decision_object(entry(), ABOUT)["metadata"]


@pytest.mark.parametrize(
    ("one", "supersedes", "revisited", "results"),
    [
        pytest.param(entry(Action.RESTORE), "ranker-000002", True, 0, id="a restore replaces the decision before"),
        pytest.param(entry(Action.ADVANCE), None, False, 1, id="a step replaces nothing"),
        pytest.param(entry(Action.HOLD), None, False, 1, id="a hold rests on what was seen"),
        pytest.param(entry(Action.ROLLBACK), None, False, 1, id="a rollback replaces nothing"),
        pytest.param(entry(Action.START, evidence=None), None, False, 0, id="a start has no results yet"),
        pytest.param(entry(Action.SUPERSEDE), None, False, 0, id="a newer template needs no results"),
    ],
)
def test_what_an_action_needs(one: Decision, supersedes: str | None, revisited: bool, results: int) -> None:
    found = made(one)
    assert (found.supersedes, found.revisit_after is not None, len(found.results)) == (supersedes, revisited, results)


def test_a_person_and_their_reason_are_named() -> None:
    one = entry(by="ana", basis=Basis.HUMAN, recommendation=Recommendation.HOLD, rationale="we know why")
    found = made(one)
    assert (found.actor, found.basis, found.recommendation, found.rationale, found.rule) == (
        "ana",
        "Human",
        "Hold",
        "we know why",
        "rollout@1",
    )


def test_without_evidence_none_is_pointed_to() -> None:
    assert made(entry(evidence=None)).evidence is None


def test_an_older_one_is_not_given_what_was_seen_later() -> None:
    found = made(entry(), newest=False)
    assert (found.results, found.checks, found.reviews, found.previous_route, found.supersedes) == (
        (),
        (),
        (),
        None,
        None,
    )
    assert found.evidence is not None


def test_a_first_decision_has_no_route_before_it() -> None:
    assert made(entry(), replace(ABOUT, route=None)).previous_route is None


@pytest.mark.parametrize(
    ("recorded", "left"), [(0, ["ranker-000002", "ranker-000003"]), (2, ["ranker-000003"]), (3, []), (9, [])]
)
def test_those_beyond_the_recorded_number_are_pending(recorded: int, left: list[str]) -> None:
    found = rollout_status(decisions=(entry(name="ranker-000002"), entry()), decision_count=3)
    assert [one.name for one in pending(found, recorded)] == left


@pytest.mark.parametrize(
    ("seen", "failed"),
    [
        pytest.param(view(candidate(), evaluation=PROVEN), [], id="all is well"),
        pytest.param(view(candidate(), pods=HALF), ["PodsReady"], id="a pod is missing"),
        pytest.param(
            view(candidate(), evaluation=blind("SampleRatioMismatch")),  # type: ignore[arg-type]
            ["EvidenceComplete", "SampleRatio"],
            id="the split is wrong",
        ),
        pytest.param(view(candidate(), evaluation=GONE), ["EvidenceComplete"], id="the analyzer is gone"),
        pytest.param(view(candidate(), evaluation=PROVEN, pods=ONE), ["SeveralPods"], id="a single pod"),
    ],
)
def test_checks(seen: Any, failed: list[str]) -> None:
    assert [check.name for check in checks_of(seen) if not check.passed] == failed


def test_without_a_candidate_nothing_is_checked() -> None:
    assert checks_of(view()) == ()


def test_a_single_pod_is_told_and_forbids_nothing() -> None:
    (told,) = [check for check in checks_of(view(candidate(), pods=ONE)) if not check.passed]
    assert not told.blocking
    assert "bad node" in told.message
    assert "spec.replicas" in told.message
