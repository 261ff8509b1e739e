"""What a router is made of: ConfigMap, Deployment, Services and PodDisruptionBudget, for server-side apply."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crossfade_operator.core.envoy import Places, render
from crossfade_operator.core.envoy.listeners import CONNECTION_AGE
from crossfade_operator.core.routing import RoutingTable

Manifest = dict[str, Any]

CONTAINER = "envoy"
GENERATION_ANNOTATION = "crossfade.dev/route-generation"
"""Setting it on a router pod makes the kubelet refresh the pod's ConfigMap at once instead of within a minute or so."""

DEFAULT_RESOURCES: Mapping[str, Any] = {
    "requests": {"cpu": "250m", "memory": "128Mi"},
    "limits": {"memory": "512Mi"},
}
_WORKERS = 2
_LONGEST_REQUEST = 15
_MARGIN = 5
_USER = 10001
_COMPONENT = "crossfade.dev/component"
_ENDPOINT = "crossfade.dev/endpoint"


@dataclass(frozen=True)
class Owner:
    """The ModelEndpoint that the router belongs to, and is deleted with."""

    namespace: str
    name: str
    uid: str
    api_version: str = "crossfade.dev/v1alpha1"
    kind: str = "ModelEndpoint"

    @classmethod
    def of(cls, endpoint: Mapping[str, Any]) -> Owner:
        meta = endpoint["metadata"]
        return cls(meta["namespace"], meta["name"], meta["uid"])


@dataclass(frozen=True)
class Pods:
    """What a router's pods are like. `resources` are its container's, as in a pod; None means ours."""

    image: str
    replicas: int = 2
    resources: Mapping[str, Any] | None = None
    pull_policy: str | None = None


def router_name(endpoint: str) -> str:
    """The name of the router's Deployment, ConfigMap and PodDisruptionBudget."""
    return f"{endpoint}-router"


def testers_name(endpoint: str) -> str:
    """The name of the Service on which testers may force an arm."""
    return f"{endpoint}-testers"


def selector(endpoint: str) -> dict[str, str]:
    """What a router's pods are selected by."""
    return {_ENDPOINT: endpoint, _COMPONENT: "router"}


def labels(endpoint: str) -> dict[str, str]:
    """The labels of everything that belongs to a router."""
    return {"app.kubernetes.io/managed-by": "crossfade", **selector(endpoint)}


def router_manifests(owner: Owner, table: RoutingTable, pods: Pods, places: Places | None = None) -> list[Manifest]:
    """Everything that a router is made of, in the order in which to apply it: the table first.

    The testers' Service is among it only when the table lets testers in: delete it otherwise.
    Raises `InvalidTable` when the table must not be written.
    """
    where = places or Places()
    files = render(table, where)
    services = [service(owner)]
    if table.testers:
        services.append(testers_service(owner))
    return [
        config_map(owner, table, files),
        *services,
        disruption_budget(owner),
        deployment(owner, table, pods, files, where),
    ]


def config_map(owner: Owner, table: RoutingTable, files: Mapping[str, str]) -> Manifest:
    """The routing table as its routers read it. Its generation outlives a lost status of the endpoint."""
    head = _head("v1", "ConfigMap", owner, router_name(owner.name))
    head["metadata"]["annotations"] = {GENERATION_ANNOTATION: str(table.generation)}
    return {**head, "data": dict(files)}


def service(owner: Owner) -> Manifest:
    """The address of the model: port 80 of `<endpoint>`."""
    return _service(owner, owner.name, "http")


def testers_service(owner: Owner) -> Manifest:
    """The way in for testers, who may say which arm answers."""
    return _service(owner, testers_name(owner.name), "testers")


def disruption_budget(owner: Owner) -> Manifest:
    """One router at a time may be evicted; a single one may too, so that it never blocks a node's drain."""
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector(owner.name)},
    }
    return {**_head("policy/v1", "PodDisruptionBudget", owner, router_name(owner.name)), "spec": spec}


def deployment(owner: Owner, table: RoutingTable, pods: Pods, files: Mapping[str, str], places: Places) -> Manifest:
    """The routers. Their pods are replaced only when the bootstrap, the image or the resources change."""
    chosen = selector(owner.name)
    template = {
        "metadata": {"labels": labels(owner.name), "annotations": _annotations(files, places)},
        "spec": _pod_spec(owner, table, pods, places),
    }
    spec = {
        "replicas": pods.replicas,
        "revisionHistoryLimit": 2,
        "selector": {"matchLabels": chosen},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": template,
    }
    return {**_head("apps/v1", "Deployment", owner, router_name(owner.name)), "spec": spec}


def owner_reference(owner: Owner) -> Manifest:
    """Whatever has it is deleted with the endpoint."""
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _head(api_version: str, kind: str, owner: Owner, name: str) -> Manifest:
    metadata = {
        "name": name,
        "namespace": owner.namespace,
        "labels": labels(owner.name),
        "ownerReferences": [owner_reference(owner)],
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _service(owner: Owner, name: str, port: str) -> Manifest:
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": port}]
    return {
        **_head("v1", "Service", owner, name),
        "spec": {"type": "ClusterIP", "selector": selector(owner.name), "ports": ports},
    }


def _annotations(files: Mapping[str, str], places: Places) -> dict[str, str]:
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(places.ops),
        "prometheus.io/path": "/metrics",
        # The bootstrap is read once, at the start: a pod has to be replaced to get another one.
        "crossfade.dev/bootstrap": hashlib.sha256(files["envoy.yaml"].encode()).hexdigest()[:16],
        "kubectl.kubernetes.io/default-container": CONTAINER,
    }


def _pod_spec(owner: Owner, table: RoutingTable, pods: Pods, places: Places) -> Manifest:
    linger = _linger_seconds(table)
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": linger + _MARGIN,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            _spread(owner, "kubernetes.io/hostname"),
            _spread(owner, "topology.kubernetes.io/zone"),
        ],
        "containers": [_container(pods, places, linger)],
        "volumes": [{"name": "table", "configMap": {"name": router_name(owner.name)}}],
    }


def _linger_seconds(table: RoutingTable) -> int:
    """How long a router that is going away keeps serving: until every connection has been asked to end and the
    requests on it are answered. No new ones come: the pod has left its Service by then."""
    return CONNECTION_AGE + min(math.ceil(table.request_timeout.total_seconds()), _LONGEST_REQUEST) + _MARGIN


def _container(pods: Pods, places: Places, linger: int) -> Manifest:
    # The testers' port is named even when nobody listens there: letting testers in must not replace the pods.
    ports = [_port("http", places.http), _port("testers", places.testers), _port("ops", places.ops)]
    container = {
        "name": CONTAINER,
        "image": pods.image,
        "command": ["envoy"],
        "args": [
            *("-c", f"{places.directory}/envoy.yaml"),
            *("--concurrency", str(_WORKERS)),
            # Listeners that change drain their connections within this time.
            *("--drain-time-s", str(CONNECTION_AGE)),
            *("--log-level", "warning"),
            "--disable-hot-restart",
        ],
        "ports": ports,
        "startupProbe": _probe("/ready", period=1, failures=120),
        # A router that is slow still answers; were all of them unready, nobody would. One that ends is unready at once
        # by its deletion.
        "readinessProbe": _probe("/ready", period=2, failures=5),
        "livenessProbe": _probe("/generation", period=10, failures=6),
        "lifecycle": {"preStop": {"sleep": {"seconds": linger}}},
        "resources": dict(DEFAULT_RESOURCES if pods.resources is None else pods.resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "table", "mountPath": places.directory, "readOnly": True}],
    }
    return container if pods.pull_policy is None else {**container, "imagePullPolicy": pods.pull_policy}


def _port(name: str, number: int) -> Manifest:
    return {"name": name, "containerPort": number, "protocol": "TCP"}


def _probe(path: str, period: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": "ops"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _spread(owner: Owner, key: str) -> Manifest:
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(owner.name)},
    }
