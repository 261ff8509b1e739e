"""A rollout in mid-step, and a cluster in memory that keeps what the commands ask of it."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from crossfade_operator.cli.names import Kind
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


DIGEST = "sha256:" + "ab" * 32
MODELS = {"control": "sha256:" + "c0" * 32, "treatment": "sha256:" + "7e" * 32}


def running_experiment(name: str = "new-ranker", namespace: str = "recs") -> dict[str, Any]:
    return {
        "apiVersion": "crossfade.dev/v1alpha1",
        "kind": "Experiment",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": "6a1f0000-0000-4000-8000-000000000001",
            "generation": 3,
            "resourceVersion": "200",
            "creationTimestamp": "2026-11-15T09:00:00Z",
        },
        "spec": {
            "endpoint": "ranker",
            "owner": "team-ranking",
            "decisionMaker": "ana@example.com",
            "desiredState": "Running",
            "design": {
                "hypothesis": "Two-tower ranking raises plays per session by 1%: it knows what was played last.",
                "slice": "20%",
                "arms": [
                    {"name": "control", "role": "Control", "replicas": 2, "revision": "Stable"},
                    {
                        "name": "treatment",
                        "role": "Treatment",
                        "replicas": 2,
                        "template": {
                            "spec": {
                                "containers": [
                                    {
                                        "name": "model",
                                        "image": "registry/ranker:two-tower",
                                        "ports": [{"name": "http", "containerPort": 8080}],
                                    }
                                ]
                            }
                        },
                    },
                ],
                "metrics": [
                    {"metric": "plays", "role": "Success", "mde": {"relative": "1%"}},
                    {"metric": "error-rate", "role": "Guardrail", "margin": {"absolute": "0.5%"}},
                    {"metric": "latency", "role": "Deterioration"},
                ],
                "analysis": {"method": "GroupSequential", "looks": 5},
                "minRuntime": "7d",
                "maxRuntime": "28d",
            },
        },
        "status": {
            "observedGeneration": 3,
            "run": 1,
            "phase": "Running",
            "reason": "NotYet",
            "message": "2 of 5 looks were taken; the next one is planned for 60% of the information",
            "designHash": "sha256:" + "de" * 32,
            "approvals": 2,
            "arms": [
                {
                    "name": arm,
                    "role": arm.capitalize(),
                    "revision": revision,
                    "replicas": 2,
                    "readyReplicas": 2,
                    "modelDigest": MODELS[arm],
                    "slice": "10%",
                }
                for arm, revision in (("control", STABLE), ("treatment", CANDIDATE))
            ],
            "slice": "20%",
            "startedAt": "2026-11-17T10:00:00Z",
            "nextLookAt": "2026-11-22T15:12:30Z",
            "look": 2,
            "windows": 7212,
            "progress": "41%",
            "results": [
                {
                    "metric": "plays",
                    "treatment": "treatment",
                    "role": "Success",
                    "verdict": "Inconclusive",
                    "control": "3.412",
                    "value": "3.473",
                    "relative": "0.0179",
                    "lower": "-0.0021",
                    "upper": "0.0389",
                    "progress": "41%",
                    "message": "not shown to be better at this look",
                },
                {
                    "metric": "error-rate",
                    "treatment": "treatment",
                    "role": "Guardrail",
                    "verdict": "NonInferior",
                    "control": "0.0123",
                    "value": "0.0119",
                    "relative": "-0.031",
                    "lower": "-0.084",
                    "upper": "0.022",
                    "progress": "88%",
                },
                {
                    "metric": "latency",
                    "treatment": "treatment",
                    "role": "Deterioration",
                    "verdict": "Inconclusive",
                    "relative": "0.004",
                    "lower": "-0.012",
                    "upper": "0.020",
                    "progress": "62%",
                },
            ],
            "checks": [
                {"name": "SampleRatio", "passed": True, "message": "50.1% of 1,204,332 requests, nominal 50%"},
                {"name": "Fallback", "passed": True, "message": "0.02% were answered by stable, at most 1%"},
                {"name": "StartSkew", "passed": False, "message": "treatment was counted 14 minutes after control"},
            ],
            "recommendation": "Extend",
            "recommendedAt": "2026-11-21T10:00:00Z",
            "evidence": DIGEST,
        },
    }


def endpoint(name: str = "ranker", namespace: str = "recs") -> dict[str, Any]:
    """With a candidate, another experiment and a cool-down in its ledger."""
    return {
        "apiVersion": "crossfade.dev/v1alpha1",
        "kind": "ModelEndpoint",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "unit": {"header": "x-user-id"},
            "policy": {
                "stableFloor": "20%",
                "maxExperimentSlice": "40%",
                "gates": {"approvals": 2},
                "reviews": {"approvals": 2, "overrideApprovals": 1},
            },
        },
        "status": {
            "stableRevision": STABLE,
            "ledger": [
                {"holder": "ModelRollout/ranker", "arm": "candidate", "revision": CANDIDATE, "positions": 100,
                 "ranges": [{"from": 0, "to": 99}]},
                {"holder": "Experiment/bigger-index", "arm": "experiment", "label": "bigger-index.control",
                 "revision": STABLE, "positions": 50, "ranges": [{"from": 200, "to": 249}]},
                {"holder": "Experiment/bigger-index", "arm": "experiment", "label": "bigger-index.big",
                 "revision": CANDIDATE, "positions": 50, "ranges": [{"from": 300, "to": 349}]},
                {"holder": "Experiment/older", "arm": "cooldown", "positions": 20, "until": "2026-11-23T10:00:00Z",
                 "ranges": [{"from": 500, "to": 519}]},
            ],
        },
    }  # fmt: skip


def plays() -> dict[str, Any]:
    return {
        "apiVersion": "crossfade.dev/v1alpha1",
        "kind": "Metric",
        "metadata": {"name": "plays", "namespace": "recs"},
        "spec": {
            "type": "Mean",
            "direction": "HigherIsBetter",
            "prometheus": {"numerator": "plays_sum", "denominator": "plays_count"},
        },
        "status": {
            "conditions": [{"type": "Ready", "status": "False", "reason": "ContractBroken", "message": "no series"}]
        },
    }


def review(
    subject: str, reviewer: str, verdict: str, *, at: str = "2026-11-22T10:05:00Z", **more: Any
) -> dict[str, Any]:
    """`subject`: Kind/name; `more`: fields of spec, and of spec.subject for design and revision."""
    kind, _, name = subject.partition("/")
    pins = {key: more.pop(key) for key in ("design", "revision") if key in more}
    return {
        "apiVersion": "crossfade.dev/v1alpha1",
        "kind": "Review",
        "metadata": {"name": f"{name}-{verdict}-{reviewer}".lower(), "namespace": "recs", "creationTimestamp": at},
        "spec": {"subject": {"kind": kind, "name": name, **pins}, "verdict": verdict, "reviewer": reviewer, **more},
    }


class MemoryCluster:
    """`client.Cluster` over dicts; `patches` and `created` hold what was asked, `answers` what the analyzer says."""

    namespace = "recs"

    def __init__(self, *objects: dict[str, Any], me: str = "ana@example.com") -> None:
        self.objects = list(objects)
        self.me = me
        self.patches: list[tuple[str, Mapping[str, Any]]] = []
        self.created: list[dict[str, Any]] = []
        self.later: list[list[dict[str, Any]]] = []
        self.services = ["crossfade-system/crossfade-analyzer"]
        self.answers: dict[str, Any] = {}
        self.questions: list[tuple[str, str, str, Any]] = []

    def find(self, kind: Kind, name: str) -> dict[str, Any] | None:
        return next((obj for obj in self.select(kind) if obj["metadata"]["name"] == name), None)

    def get(self, kind: Kind, name: str) -> dict[str, Any]:
        if found := self.find(kind, name):
            return found
        names = ", ".join(obj["metadata"]["name"] for obj in self.select(kind))
        raise Problem(f"there is no {kind.name} {name} in namespace recs.", f"it has: {names}")

    def select(
        self, kind: Kind, fields: Mapping[str, str] | None = None, *, everywhere: bool = False
    ) -> list[dict[str, Any]]:
        found = [obj for obj in self.objects if obj["kind"] == kind.name]
        return [
            copy.deepcopy(obj)
            for obj in found
            if all((_field(obj, path) or "") == value for path, value in (fields or {}).items())
        ]

    def patch(self, kind: Kind, name: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        self.patches.append((f"{kind.word}/{name}", patch))
        return {**self.get(kind, name), "patched": True}

    def create(self, kind: Kind, obj: Mapping[str, Any]) -> dict[str, Any]:
        made = {"apiVersion": "crossfade.dev/v1alpha1", "kind": kind.name, **copy.deepcopy(dict(obj))}
        made["metadata"] |= {"namespace": self.namespace, "creationTimestamp": "2026-11-22T10:12:31Z"}
        self.created.append(made)
        self.objects.append(made)
        return made

    def changes(self, kind: Kind, name: str, seconds: int) -> Iterator[dict[str, Any]]:
        yield self.get(kind, name)
        if not self.later:
            raise Problem(f"{name} was deleted.")
        yield from self.later.pop(0)

    def whoami(self) -> str:
        return self.me

    def analyzers(self) -> list[str]:
        return self.services

    def ask(self, service: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        self.questions.append((service, method, path, body))
        answer = self.answers[path]
        if isinstance(answer, Exception):
            raise answer
        return answer


def _field(obj: Mapping[str, Any], path: str) -> Any:
    value: Any = obj
    for part in path.split("."):
        value = (value or {}).get(part)
    return value


@pytest.fixture
def rollout_object() -> dict[str, Any]:
    return in_mid_step()


@pytest.fixture
def experiment_object() -> dict[str, Any]:
    return running_experiment()


@pytest.fixture
def endpoint_object() -> dict[str, Any]:
    return endpoint()


@pytest.fixture
def metric_object() -> dict[str, Any]:
    return plays()


@pytest.fixture
def reviewed() -> Callable[..., dict[str, Any]]:
    return review


@pytest.fixture
def cluster() -> Callable[..., MemoryCluster]:
    return MemoryCluster


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares text with a file beside the test; CROSSFADE_WRITE_GOLDEN=1 writes it anew, to be read and committed."""

    def check(name: str, text: str) -> None:
        path = request.path.parent / "golden" / f"{name}.txt"
        if os.environ.get("CROSSFADE_WRITE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert text == path.read_text()

    return check
