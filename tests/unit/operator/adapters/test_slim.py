"""What the cache keeps of an object, and how it sees that one changed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from crossfade_operator.adapters.slim import content_mark, slim

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "ranker",
        "namespace": "recs",
        "uid": "u1",
        "resourceVersion": "7",
        "generation": 3,
        "labels": {"a": "b"},
        "annotations": {"deployment.kubernetes.io/revision": "1"},
        "managedFields": [{"manager": "kubectl"}],
        "ownerReferences": [{"uid": "owner"}],
    },
    "spec": {"replicas": 2, "template": {"spec": {"containers": []}}},
    "status": {"readyReplicas": 2},
}
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "recs", "uid": "u2", "resourceVersion": "9", "managedFields": []},
    "spec": {
        "nodeName": "node",
        "volumes": [{"name": "v"}],
        "containers": [{"name": "model", "image": "i", "ports": [{"containerPort": 1}], "env": [{"name": "X"}]}],
    },
    "status": {"podIP": "10.0.0.1", "containerStatuses": [{"restartCount": 3}]},
}


def test_a_deployment_keeps_all_but_its_template_and_managed_fields() -> None:
    kept = slim(DEPLOYMENT)
    assert "managedFields" not in kept["metadata"]
    assert kept["spec"] == {"replicas": 2}
    assert kept["status"] == {"readyReplicas": 2}


def test_a_pod_keeps_its_status_and_little_of_its_spec() -> None:
    kept = slim(POD)
    assert kept["spec"] == {
        "nodeName": "node",
        "containers": [{"name": "model", "image": "i", "ports": [{"containerPort": 1}]}],
    }
    assert kept["status"] == POD["status"]


def test_the_original_is_left_as_it_was() -> None:
    before = copy.deepcopy(POD)
    slim(POD)
    assert before == POD


def test_equal_short_strings_are_one_string() -> None:
    text = "".join(["model-", "name"])
    first, second = (slim({**POD, "x": ["".join(["model-", "name"])]}) for _ in range(2))
    assert first["x"][0] is second["x"][0]
    assert first["x"][0] == text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("metadata", "resourceVersion"), "8"),
        (("status", "readyReplicas"), 0),
        (("metadata", "annotations", "deployment.kubernetes.io/revision"), "2"),
    ],
    ids=["a new version", "its status", "the revision that the Deployment controller notes down"],
)
def test_of_a_kind_with_generations_these_changes_do_not_count(path: tuple[str, ...], value: object) -> None:
    assert content_mark(_with(DEPLOYMENT, path, value)) == content_mark(DEPLOYMENT)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("metadata", "generation"), 4),
        (("metadata", "uid"), "u9"),
        (("metadata", "labels", "a"), "c"),
        (("metadata", "annotations", "x"), "y"),
        (("metadata", "ownerReferences"), []),
        (("metadata", "deletionTimestamp"), "2026-03-01T12:00:00Z"),
    ],
    ids=["its spec", "a namesake", "a label", "an annotation", "its owner", "its deletion"],
)
def test_of_a_kind_with_generations_these_changes_count(path: tuple[str, ...], value: object) -> None:
    assert content_mark(_with(DEPLOYMENT, path, value)) != content_mark(DEPLOYMENT)


def test_of_a_kind_without_generations_every_new_version_counts() -> None:
    assert content_mark(_with(POD, ("metadata", "resourceVersion"), "10")) != content_mark(POD)


def _with(obj: dict[str, Any], path: tuple[str, ...], value: object) -> dict[str, Any]:
    changed = copy.deepcopy(obj)
    inner = changed
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return changed
