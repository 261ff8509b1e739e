"""What one revision is made of: its template on record, its Deployment and its headless Service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossfade_operator.core.revision import child_name

HTTP_PORT = "http"
GRPC_PORT = "grpc"


def labels(endpoint: str, rollout: str, revision: str) -> dict[str, str]:
    """The labels of everything that belongs to a revision; its pods are selected by the last three."""
    return {
        "app.kubernetes.io/managed-by": "crossfade",
        "crossfade.dev/endpoint": endpoint,
        **selector(rollout, revision),
    }


def selector(rollout: str, revision: str) -> dict[str, str]:
    return {
        "crossfade.dev/component": "revision",
        "crossfade.dev/rollout": rollout,
        "crossfade.dev/revision": revision,
    }


def owner_of(rollout: Mapping[str, Any]) -> dict[str, Any]:
    """An owner reference to the ModelRollout, so that deleting it cleans up."""
    return {
        "apiVersion": rollout["apiVersion"],
        "kind": rollout["kind"],
        "name": rollout["metadata"]["name"],
        "uid": rollout["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def record(rollout: Mapping[str, Any], revision: str, template: Mapping[str, Any]) -> dict[str, Any]:
    """The ControllerRevision that keeps the template, so that a deleted Deployment can be made again."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": _metadata(rollout, revision),
        "data": {"template": template},
        "revision": 1,
    }


def service(rollout: Mapping[str, Any], revision: str, template: Mapping[str, Any]) -> dict[str, Any]:
    """A headless Service: the routers find the ready pods through cluster DNS, also while every controller is down."""
    ports = [{"name": name, "port": number, "targetPort": name} for name, number in ports_of(template).items()]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(rollout, revision),
        "spec": {
            "clusterIP": "None",
            "selector": selector(rollout["metadata"]["name"], revision),
            "ports": ports,
        },
    }


def deployment(rollout: Mapping[str, Any], revision: str, template: Mapping[str, Any], replicas: int) -> dict[str, Any]:
    """The revision's Deployment. Its template is never edited afterwards."""
    name = rollout["metadata"]["name"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(rollout, revision),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": selector(name, revision)},
            "template": pods(template, labels(rollout["spec"]["endpoint"], name, revision)),
        },
    }


def pods(template: Mapping[str, Any], ours: Mapping[str, str], **defaults: str) -> dict[str, Any]:
    """The user's template with our labels added, with `defaults` for fields of its spec that it leaves out, and without
    a ServiceAccount's token unless it asks for one.

    A model server has no business with the API server, and Kubernetes would mount a token into every pod.
    """
    metadata = dict(template.get("metadata") or {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **ours}
    return {
        **template,
        "metadata": metadata,
        "spec": {"automountServiceAccountToken": False, **defaults, **template["spec"]},
    }


def ports_of(template: Mapping[str, Any]) -> dict[str, int]:
    """The container ports named `http` and `grpc`, by name."""
    found = {}
    for container in template.get("spec", {}).get("containers", []):
        for port in container.get("ports", []):
            if port.get("name") in (HTTP_PORT, GRPC_PORT):
                found[port["name"]] = int(port["containerPort"])
    return dict(sorted(found.items(), reverse=True))


def _metadata(rollout: Mapping[str, Any], revision: str) -> dict[str, Any]:
    meta = rollout["metadata"]
    return {
        "name": child_name(meta["name"], revision),
        "namespace": meta["namespace"],
        "labels": labels(rollout["spec"]["endpoint"], meta["name"], revision),
        "ownerReferences": [owner_of(rollout)],
    }
