"""Decisions as the controllers write them: one of each sort that people have to understand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

DIGEST = "sha256:" + "ab" * 32
MODEL = "sha256:" + "7e" * 32
ATTEMPT = "ModelRollout/recs/ranker/6a1f0000-0000-4000-8000-000000000002/kx7wq2m9bc/4"

Record = dict[str, Any]


def _record(name: str, **spec: Any) -> Record:
    return {
        "apiVersion": "crossfade.dev/v1alpha1",
        "kind": "Decision",
        "metadata": {"name": name, "namespace": "recs", "creationTimestamp": spec["at"]},
        "spec": {
            "endpoint": "ranker",
            "owner": "team-ranking",
            "basis": "Evidence",
            "retainUntil": "2028-11-21T10:00:00.000000Z",
            **spec,
        },
    }


def _of_experiment(number: int, **spec: Any) -> Record:
    subject = {
        "kind": "Experiment",
        "name": "new-ranker",
        "uid": "6a1f0000-0000-4000-8000-000000000001",
        "revision": "kx7wq2m9bc",
        "modelDigest": MODEL,
        "attempt": 1,
    }
    common = {
        "subject": subject,
        "evidence": {"digest": DIGEST, "locator": f"Experiment/recs/new-ranker/{subject['uid']}/1"},
        "rule": "experiment@1",
        "designHash": "sha256:" + "de" * 32,
        "treatment": "treatment",
        "slice": "0%",
    }
    return _record(f"new-ranker-exp-{number:06d}", **{**common, **spec})


def _of_rollout(number: int, **spec: Any) -> Record:
    subject = {
        "kind": "ModelRollout",
        "name": "ranker",
        "uid": "6a1f0000-0000-4000-8000-000000000002",
        "revision": "kx7wq2m9bc",
        "modelDigest": MODEL,
        "attempt": 4,
    }
    previous = {"generation": 41, "digest": "sha256:" + "41" * 32, "decision": f"ranker-{number - 1:06d}"}
    common = {"subject": subject, "rule": "rollout@1", "actor": "rollout@1", "previousRoute": previous}
    return _record(f"ranker-{number:06d}", **{**common, **spec})


PLAYS = {
    "name": "plays",
    "revision": "1a2b3c4d5e",
    "treatment": "treatment",
    "role": "Success",
    "verdict": "Superior",
    "control": "3.412",
    "value": "3.473",
    "estimate": "0.0179",
    "lower": "0.0061",
    "upper": "0.0301",
    "margin": "1% relative",
}
ERRORS = {
    "name": "error-rate",
    "treatment": "treatment",
    "role": "Guardrail",
    "verdict": "NonInferior",
    "control": "0.0123",
    "value": "0.0119",
    "estimate": "-0.031",
    "lower": "-0.084",
    "upper": "0.022",
    "margin": "0.5% absolute",
}
LATENCY = {
    "name": "latency",
    "treatment": "treatment",
    "role": "Deterioration",
    "verdict": "Inconclusive",
    "estimate": "0.004",
    "lower": "-0.012",
    "upper": "0.020",
}
CHECKS = [
    {"name": "SampleRatio", "passed": True, "message": "50.1% of 1,204,332 requests, nominal 50%"},
    {"name": "Fallback", "passed": True, "message": "0.02% were answered by stable, at most 1%"},
]
LATENCY_OF_ROLLOUT = {
    "name": "latency",
    "role": "Deterioration",
    "verdict": "Undecided",
    "estimate": "1.02",
    "lower": "0.93",
    "upper": "1.12",
}
PODS_READY = {"name": "PodsReady", "passed": True, "message": "4 of 4 pods are ready"}


def shipped() -> Record:
    """On the evidence, with one voice against it."""
    return _of_experiment(
        2,
        action="Ship",
        recommendation="Ship",
        actor="ana@example.com",
        reason="Shipped",
        message="The treatment may be rolled out.",
        rationale="Listeners come back more often, and nothing else moved.",
        at="2026-12-01T10:00:00.000000Z",
        outcome="Win",
        results=[PLAYS, ERRORS, LATENCY],
        checks=CHECKS,
        reviews=[
            {"name": "r1", "reviewer": "bo@example.com", "verdict": "Approve"},
            {
                "name": "r2",
                "reviewer": "cy@example.com",
                "verdict": "Dissent",
                "reason": "Plays are not listening time: autoplay alone would look like this.",
            },
        ],
        revisitAfter="2026-12-31T10:00:00.000000Z",
        expiresAt="2026-12-31T10:00:00.000000Z",
    )


def shipped_against_the_rule() -> Record:
    """Although the evidence does not suffice, with the second person that this takes."""
    plays = {**PLAYS, "verdict": "Inconclusive", "estimate": "0.0079", "lower": "-0.0023", "upper": "0.0181"}
    return _of_experiment(
        3,
        action="Ship",
        recommendation="Discuss",
        basis="Human",
        actor="ana@example.com",
        reason="Shipped",
        message="The treatment may be rolled out.",
        rationale="The old model's licence ends this month; no harm was seen.",
        at="2026-12-02T10:00:00.000000Z",
        outcome="NotReady",
        results=[plays, {**ERRORS, "verdict": "Inconclusive", "upper": "0.46"}, LATENCY],
        checks=[*CHECKS, {"name": "StartSkew", "passed": False, "message": "14 minutes between the arms"}],
        withoutExclusions={"recommendation": "Abort", "outcome": "RegressionFound", "reason": "Deterioration"},
        reviews=[
            {
                "name": "r3",
                "reviewer": "bo@example.com",
                "verdict": "Approve",
                "reason": "The licence leaves no choice.",
            }
        ],
        supersedes="new-ranker-exp-000002",
    )


def rolled_back() -> Record:
    """On evidence of harm."""
    errors = {
        "name": "error-rate",
        "role": "Guardrail",
        "verdict": "Harmful",
        "control": "0.0100",
        "value": "0.0212",
        "estimate": "2.12",
        "lower": "1.41",
        "upper": "3.18",
        "margin": "1% absolute",
    }
    return _of_rollout(
        7,
        action="Rollback",
        recommendation="Rollback",
        reason="EvidenceOfHarm",
        message="error-rate is worse than stable's",
        at="2026-11-22T10:30:00.000000Z",
        step=2,
        slice="0%",
        evidence={"digest": DIGEST, "locator": ATTEMPT},
        results=[errors, LATENCY_OF_ROLLOUT],
        checks=[PODS_READY],
    )


def promoted() -> Record:
    """On proof, after its last step."""
    errors = {
        "name": "error-rate",
        "role": "Guardrail",
        "verdict": "Proven",
        "control": "0.0100",
        "value": "0.0098",
        "estimate": "0.98",
        "lower": "0.90",
        "upper": "1.07",
        "margin": "1% absolute",
    }
    return _of_rollout(
        9,
        action="Promote",
        recommendation="Promote",
        reason="AllStepsProven",
        message="everyone is served by kx7wq2m9bc instead of p4rtz8vnd5",
        at="2026-11-23T10:30:00.000000Z",
        step=3,
        slice="100%",
        evidence={"digest": DIGEST, "locator": ATTEMPT},
        results=[errors, LATENCY_OF_ROLLOUT],
        checks=[PODS_READY],
        revisitAfter="2026-11-26T10:30:00.000000Z",
    )


def crashed() -> Record:
    """Without any evidence: the pods said enough."""
    return _of_rollout(
        5,
        action="Rollback",
        recommendation="Rollback",
        reason="CrashLooping",
        message="container model ends with exit code 1: no module named ranker",
        at="2026-11-21T08:03:00.000000Z",
        slice="0%",
    )


def hurried() -> Record:
    """A person's promotion past what was still to be proven, as an emergency."""
    return _of_rollout(
        11,
        action="Promote",
        recommendation="Hold",
        basis="Emergency",
        actor="ana@example.com",
        reason="PromoteRequested",
        message="everyone is served by kx7wq2m9bc instead of p4rtz8vnd5",
        rationale="INC-7: stable answers with another user's list.",
        at="2026-11-24T02:12:00.000000Z",
        step=1,
        slice="100%",
    )


SORTS = {
    "shipped": shipped,
    "shipped-against-the-rule": shipped_against_the_rule,
    "rolled-back": rolled_back,
    "promoted": promoted,
    "crashed": crashed,
    "hurried": hurried,
}


@pytest.fixture
def record() -> Callable[[str], Record]:
    """A Decision of the sort named."""
    return lambda sort: copy.deepcopy(SORTS[sort]())
