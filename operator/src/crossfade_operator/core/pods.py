"""Reading a Deployment and its pods: how many are ready, and whether one cannot run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crossfade_operator.core.rollout.view import Pods

Obj = Mapping[str, Any]

_STUCK = {
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
}


def pods_of(deployment: Obj | None, pods: Iterable[Obj], wanted: int) -> Pods:
    """What is to be said of one revision. Without a Deployment nothing is ready, and nothing is current."""
    if deployment is None:
        return Pods(wanted=wanted)
    status, spec = deployment.get("status", {}), deployment.get("spec", {})
    caught_up = int(status.get("observedGeneration", 0)) >= int(deployment["metadata"].get("generation", 0))
    return Pods(
        wanted=wanted,
        ready=int(status.get("readyReplicas", 0)),
        current=caught_up and spec.get("replicas") == wanted,
        crashing=next((sentence for pod in pods if (sentence := trouble(pod))), None),
        refused=_refused(status),
    )


def _refused(status: Obj) -> str | None:
    """Why the Deployment cannot make its pods, in the API server's words."""
    failing = (one for one in status.get("conditions", ()) if one["type"] == "ReplicaFailure")
    return next((one.get("message") for one in failing if one["status"] == "True"), None)


def trouble(pod: Obj) -> str | None:
    """A sentence about the first container of a pod that cannot run, with how its last run ended."""
    status = pod.get("status", {})
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = container.get("state", {}).get("waiting", {})
        if waiting.get("reason") in _STUCK:
            return f"container {container['name']} is in {waiting['reason']}{_last_end(container)}"
    return None


def _last_end(container: Obj) -> str:
    ended = container.get("lastState", {}).get("terminated")
    if not ended:
        return ""
    return (
        f" after {container.get('restartCount', 0)} restarts ({ended.get('reason')}, exit code {ended.get('exitCode')})"
    )


def is_ready(pod: Obj) -> bool:
    """Whether a pod counts: ready, and not on its way out."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = pod.get("status", {}).get("conditions", ())
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
