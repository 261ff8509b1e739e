"""The headless Services that lead to the pods of experiments' arms. The pods are the learning controller's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from crossfade_operator.api.experiment_status import RequestedArm
from crossfade_operator.core.children.revision import GRPC_PORT, HTTP_PORT
from crossfade_operator.core.children.router import Owner, owner_reference
from crossfade_operator.core.effects import Apply, Delete, Effect
from crossfade_operator.core.experiment.arms import COMPONENT, labels, name_of, selector
from crossfade_operator.core.ledger import Request
from crossfade_operator.core.routing import Backend
from crossfade_operator.ports.cluster import Obj, Ref


def asked_for(requests: Iterable[Request], namespace: str, domain: str) -> dict[str, Backend]:
    """How to reach every arm that is asked for, by the name under which a table knows it."""
    found = (_backend(arm, namespace, domain) for request in requests for arm in request.arms)
    return {backend.name: backend for backend in found}


def _backend(arm: RequestedArm, namespace: str, domain: str) -> Backend:
    experiment, name = _parts(arm)
    host = f"{name_of(experiment, name, arm.revision)}.{namespace}.svc.{domain}"
    return Backend(arm.revision, host, arm.http_port, arm.grpc_port, arm.label)


def existing(services: Iterable[Obj], domain: str) -> dict[str, Backend]:
    """How to reach every arm that has a Service, asked for or not, by name."""
    found = (_of_service(service, domain) for service in services if _is_arms(service))
    return {backend.name: backend for backend in found}


def _of_service(service: Obj, domain: str) -> Backend:
    meta, ports = service["metadata"], {port["name"]: port["port"] for port in service["spec"]["ports"]}
    label = f"{meta['labels']['crossfade.dev/experiment']}.{meta['labels']['crossfade.dev/arm']}"
    host = f"{meta['name']}.{meta['namespace']}.svc.{domain}"
    revision = meta["labels"]["crossfade.dev/revision"]
    return Backend(revision, host, ports[HTTP_PORT], ports.get(GRPC_PORT), label)


def applied(owner: Owner, requests: Iterable[Request]) -> Iterator[Effect]:
    """A Service for every arm of these requests."""
    for request in requests:
        for arm in request.arms:
            yield Apply(service(owner, arm))


def deleted(services: Iterable[Obj], kept: Collection[str], domain: str) -> Iterator[Effect]:
    """The Services of arms that the table does not know (`kept` are the names it knows): no router uses them."""
    for one in services:
        if _is_arms(one) and _of_service(one, domain).name not in kept:
            yield Delete(Ref.of(one))


def service(owner: Owner, arm: RequestedArm) -> dict[str, Any]:
    """Routers find the arm's ready pods through cluster DNS, also while every controller is down."""
    experiment, name = _parts(arm)
    ports = {HTTP_PORT: arm.http_port} | ({GRPC_PORT: arm.grpc_port} if arm.grpc_port else {})
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name_of(experiment, name, arm.revision),
            "namespace": owner.namespace,
            "labels": labels(owner.name, experiment, name, arm.revision),
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": {
            "clusterIP": "None",
            "selector": selector(experiment, name, arm.revision),
            "ports": [{"name": called, "port": port, "targetPort": called} for called, port in ports.items()],
        },
    }


def _parts(arm: RequestedArm) -> tuple[str, str]:
    experiment, _, name = arm.label.partition(".")
    return experiment, name


def _is_arms(service: Mapping[str, Any]) -> bool:
    found, named = service["metadata"]["labels"], {port.get("name") for port in service["spec"].get("ports", ())}
    identity = {f"crossfade.dev/{label}" for label in ("experiment", "arm", "revision")}
    return found.get("crossfade.dev/component") == COMPONENT and identity <= set(found) and HTTP_PORT in named
