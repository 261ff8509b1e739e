"""The demo's manifests, adapted to a test: its own steps, its own metrics, small requests for CPU."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import yaml

from dev.cluster.paths import REPOSITORY
from dev.demo.staging import example

Json = dict[str, Any]

ERRORS: Json = {"metric": "error-rate", "role": "Guardrail", "margin": {"absolute": "5%"}}
"""A margin so wide that some hundred requests of the candidate prove it."""

LATENCY: Json = {"metric": "latency", "role": "Deterioration"}


def step(share: str, hold: str, requests: int = 50, **more: Any) -> Json:
    """One step of a rollout."""
    return {"slice": share, "hold": hold, "minRequests": requests, **more}


THREE_STEPS = (step("20%", "10s"), step("40%", "10s"), step("60%", "10s"))


def endpoint(routers: int) -> Json:
    """The demo's endpoint with so many routers."""
    found = _read("endpoint")
    router = found["spec"]["router"]
    router["replicas"] = routers
    router["resources"]["requests"]["cpu"] = "10m"
    return found


def rollout(
    model: str,
    *,
    steps: Sequence[Json] = THREE_STEPS,
    metrics: Sequence[Json] = (ERRORS,),
    arguments: Sequence[str] = (),
    image: str | None = None,
    environment: Json | None = None,
    **spec: Any,
) -> Json:
    """The demo's rollout of `model` (v1, v2, v3).

    `arguments` are added to the model server's, `image` and `environment` replace its own; `spec` holds further
    fields of the specification, such as `progressDeadline`.
    """
    found = _read(model)
    found["spec"]["replicas"] = 1
    found["spec"]["strategy"]["steps"] = copy.deepcopy(list(steps))
    found["spec"]["strategy"]["analysis"]["metrics"] = copy.deepcopy(list(metrics))
    found["spec"] |= {"scaleDownDelay": "10s", **spec}
    (container,) = found["spec"]["template"]["spec"]["containers"]
    container["args"] = [*container["args"], *arguments]
    container["image"] = image or container["image"]
    container["env"] = [{"name": name, "value": value} for name, value in (environment or {}).items()]
    container["resources"]["requests"]["cpu"] = "10m"
    container["startupProbe"] = {**container["livenessProbe"], "periodSeconds": 2, "failureThreshold": 60}
    for probe in ("readinessProbe", "livenessProbe"):
        container[probe] |= _PATIENT
    return found


_PATIENT: Json = {"timeoutSeconds": 10, "failureThreshold": 6}
"""Several models start at the same time on one machine here: slowness must not pass for death."""


def _read(name: str) -> Json:
    found: Json = yaml.safe_load((REPOSITORY / example(name)).read_text())
    return found
