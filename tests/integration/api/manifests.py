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
SPECS = {"ModelEndpoint": ENDPOINT, "ModelRollout": ROLLOUT, "Metric": METRIC}


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
