"""Reading Deployments and pods: what is ready, what cannot run, and what is not to be believed yet."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade_operator.core.pods import is_ready, pods_of, trouble
from crossfade_operator.core.rollout.view import Pods


def deployment(generation: int = 2, observed: int = 2, replicas: int = 2, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"generation": generation},
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": observed, **status},
    }


def pod(*containers: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {"metadata": {}, "status": {"containerStatuses": list(containers), **status}}


def waiting(reason: str, **fields: Any) -> dict[str, Any]:
    return {"name": "model", "state": {"waiting": {"reason": reason}}, **fields}


def failure(status: str) -> dict[str, Any]:
    return {"type": "ReplicaFailure", "status": status, "reason": "FailedCreate", "message": "exceeded quota"}


READY = {"type": "Ready", "status": "True"}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(None, Pods(wanted=2), id="without a Deployment nothing is ready or current"),
        pytest.param(deployment(readyReplicas=2), Pods(2, 2, current=True), id="all are ready"),
        pytest.param(deployment(), Pods(2, 0, current=True), id="a count that is not there is none"),
        pytest.param(deployment(observed=1, readyReplicas=2), Pods(2, 2), id="the status is of an older spec"),
        pytest.param(deployment(replicas=1, readyReplicas=1), Pods(2, 1), id="the Deployment is of another size"),
        pytest.param(
            deployment(readyReplicas=1, conditions=[failure("True")]),
            Pods(2, 1, current=True, refused="exceeded quota"),
            id="a pod is refused",
        ),
        pytest.param(
            deployment(readyReplicas=2, conditions=[failure("False")]),
            Pods(2, 2, current=True),
            id="a pod was refused before",
        ),
    ],
)
def test_what_is_said_of_a_revision(found: dict[str, Any] | None, expected: Pods) -> None:
    assert pods_of(found, [], 2) == expected


@pytest.mark.parametrize(
    ("pods", "ready"),
    [
        pytest.param(Pods(2, 2, current=True), True, id="as many as wanted"),
        pytest.param(Pods(2, 3, current=True), True, id="more than wanted, while it shrinks"),
        pytest.param(Pods(2, 1, current=True), False, id="fewer"),
        pytest.param(Pods(2, 2), False, id="what is not current does not count"),
        pytest.param(Pods(0, 0, current=True), False, id="none wanted is none ready"),
    ],
)
def test_all_are_ready(pods: Pods, ready: bool) -> None:
    assert pods.all_ready is ready


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        pytest.param(pod({"name": "model", "state": {"running": {}}}), None, id="a running container"),
        pytest.param(pod(waiting("ContainerCreating")), None, id="a container that is being created"),
        pytest.param(pod(), None, id="no container yet"),
        pytest.param({"metadata": {}}, None, id="no status yet"),
        pytest.param(
            pod(waiting("ImagePullBackOff")), "container model is in ImagePullBackOff", id="an image that is not there"
        ),
        pytest.param(
            pod(
                waiting(
                    "CrashLoopBackOff",
                    restartCount=4,
                    lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137}},
                )
            ),
            "container model is in CrashLoopBackOff after 4 restarts (OOMKilled, exit code 137)",
            id="a crash loop, and how it last ended",
        ),
        pytest.param(
            pod(initContainerStatuses=[{**waiting("CrashLoopBackOff"), "name": "fetch"}]),
            "container fetch is in CrashLoopBackOff",
            id="an init container",
        ),
    ],
)
def test_a_container_that_cannot_run(one: dict[str, Any], sentence: str | None) -> None:
    assert trouble(one) == sentence


def test_the_first_pod_in_trouble_is_told_of() -> None:
    pods = [pod(), pod(waiting("ErrImagePull")), pod(waiting("CrashLoopBackOff"))]
    assert pods_of(deployment(), pods, 2).crashing == "container model is in ErrImagePull"


@pytest.mark.parametrize(
    ("meta", "conditions", "ready"),
    [
        pytest.param({}, [READY], True, id="ready"),
        pytest.param({}, [{**READY, "status": "False"}], False, id="not ready"),
        pytest.param({}, [{"type": "PodScheduled", "status": "True"}], False, id="another condition"),
        pytest.param({"deletionTimestamp": "now"}, [READY], False, id="on its way out"),
    ],
)
def test_a_pod_counts(meta: dict[str, Any], conditions: list[dict[str, Any]], ready: bool) -> None:
    assert is_ready({"metadata": meta, "status": {"conditions": conditions}}) is ready


def test_a_pod_without_a_status_does_not_count() -> None:
    assert not is_ready({"metadata": {}})
