"""A rollout in mid-step, and a cluster in memory that keeps what the commands ask of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from crossfade_operator.cli.problem import Problem

CANDIDATE, STABLE = "kx7wq2m9bc", "p4rtz8vnd5"


def in_mid_step(name: str = "ranker", namespace: str = "recs") -> dict[str, Any]:
    return {
        "apiVersion": "crossfade.dev/v1alpha1",
        "kind": "ModelRollout",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "generation": 4,
            "resourceVersion": "100",
            "creationTimestamp": "2026-11-22T09:00:00Z",
        },
        "spec": {
            "endpoint": "ranker",
            "owner": "team-ranking",
            "strategy": {
                "steps": [
                    {"slice": "1%", "hold": "10m", "minRequests": 1000},
                    {"slice": "10%", "hold": "30m", "minRequests": 2000},
                ]
            },
        },
        "status": {
            "observedGeneration": 4,
            "phase": "Progressing",
            "reason": "Analyzing",
            "message": "error-rate is not proven yet",
            "step": 2,
            "steps": 2,
            "slice": "10%",
            "stableRevision": STABLE,
            "candidateRevision": CANDIDATE,
            "verdict": "Undecided",
            "replicas": 4,
            "readyReplicas": 3,
            "candidate": {
                "revision": CANDIDATE,
                "stage": "Analyzing",
                "startedAt": "2026-11-22T09:50:00Z",
                "deadlineAt": "2026-11-22T10:00:00Z",
                "stepStartedAt": "2026-11-22T10:00:00Z",
                "looks": 12,
                "requests": {"control": 12345, "candidate": 1234, "candidateInStep": 1100},
            },
            "metrics": [
                {
                    "name": "error-rate",
                    "role": "Guardrail",
                    "verdict": "Undecided",
                    "control": {"events": 123, "total": 12345, "value": "0.009964"},
                    "candidate": {"events": 11, "total": 1234, "value": "0.008914"},
                    "ratio": "0.8946",
                    "lower": "0.41",
                    "upper": "1.95",
                    "message": "not proven below the margin yet",
                }
            ],
            "decisions": [
                {
                    "name": "ranker-7",
                    "action": "Advance",
                    "revision": CANDIDATE,
                    "step": 2,
                    "slice": "10%",
                    "reason": "StepProven",
                    "message": "1,012 requests, nothing shown worse",
                    "at": "2026-11-22T10:00:00Z",
                    "evidence": "sha256:" + "ab" * 32,
                    "by": "rollout@1",
                }
            ],
        },
    }


class MemoryRollouts:
    """`client.Rollouts` over a dict; `patches` holds what was asked."""

    namespace = "recs"

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = {obj["metadata"]["name"]: obj for obj in objects}
        self.patches: list[tuple[str, Mapping[str, Any]]] = []
        self.later: list[list[dict[str, Any]]] = []

    def get(self, name: str) -> dict[str, Any]:
        if name not in self.objects:
            raise Problem(f"there is no ModelRollout {name} in namespace recs.", f"it has: {', '.join(self.objects)}")
        return copy.deepcopy(self.objects[name])

    def list(self, *, everywhere: bool = False) -> list[dict[str, Any]]:
        return [copy.deepcopy(obj) for obj in self.objects.values()]

    def patch(self, name: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        self.patches.append((name, patch))
        return {**self.get(name), "patched": True}

    def changes(self, name: str, seconds: int) -> Iterator[dict[str, Any]]:
        yield self.get(name)
        if not self.later:
            raise Problem(f"{name} was deleted.")
        yield from self.later.pop(0)


@pytest.fixture
def rollout_object() -> dict[str, Any]:
    return in_mid_step()


@pytest.fixture
def cluster() -> Callable[..., MemoryRollouts]:
    return MemoryRollouts
