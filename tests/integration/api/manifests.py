"""Specs that the API server accepts, to spoil in one point at a time."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

ENDPOINT: dict[str, Any] = {"unit": {"header": "x-user-id"}}
ROLLOUT: dict[str, Any] = {
    "endpoint": "ranker",
    "template": {
        "spec": {"containers": [{"name": "model", "image": "m:1", "ports": [{"name": "http", "containerPort": 8080}]}]}
    },
}
METRIC: dict[str, Any] = {
    "type": "Count",
    "prometheus": {"numerator": 'empty_total{app="recs"}', "denominator": "results_total"},
}
CONTROL: dict[str, Any] = {"name": "control", "role": "Control", "revision": "Stable"}
TREATMENT: dict[str, Any] = {"name": "treatment", "role": "Treatment", "template": ROLLOUT["template"]}
SUCCESS: dict[str, Any] = {"metric": "plays", "role": "Success", "mde": {"relative": "1%"}}
EXPERIMENT: dict[str, Any] = {
    "endpoint": "ranker",
    "owner": "team-ranking",
    "decisionMaker": "ana@example.com",
    "design": {
        "hypothesis": "Two-tower ranking raises plays by 1 %.",
        "slice": "20%",
        "arms": [CONTROL, TREATMENT],
        "metrics": [SUCCESS],
    },
}
DECISION: dict[str, Any] = {
    "subject": {"kind": "ModelRollout", "name": "ranker", "uid": "5f4d"},
    "endpoint": "ranker",
    "action": "Advance",
    "basis": "Evidence",
    "actor": "rollout@1",
    "rule": "rollout@1",
    "reason": "StepComplete",
    "at": "2026-11-25T12:00:00.000000Z",
    "retainUntil": "2028-11-25T12:00:00.000000Z",
}
REVIEW: dict[str, Any] = {
    "subject": {"kind": "Experiment", "name": "new-ranker"},
    "verdict": "Approve",
    "reviewer": "ana@example.com",
}
SPECS = {
    "ModelEndpoint": ENDPOINT,
    "ModelRollout": ROLLOUT,
    "Metric": METRIC,
    "Experiment": EXPERIMENT,
    "Decision": DECISION,
    "Review": REVIEW,
}


def with_values(spec: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `spec` with values put at paths such as `strategy.analysis.alpha`; None takes a field away."""
    changed = copy.deepcopy(dict(spec))
    for path, value in values.items():
        *parents, last = path.split(".")
        part = changed
        for parent in parents:
            part = part.setdefault(parent, {})
        if value is None:
            part.pop(last, None)
        else:
            part[last] = value
    return changed
