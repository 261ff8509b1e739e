"""Smaller copies of what a watch brings: without what nobody reads, and with shared strings.

500 endpoints have some thousand children; as parsed they cost five times the memory.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from typing import Any

SHARED_LENGTH = 64
POD_SPEC = ("nodeName",)
CONTAINER_SPEC = ("name", "image", "ports")
OWN_ANNOTATION_OF_DEPLOYMENTS = "deployment.kubernetes.io/revision"


def slim(obj: Mapping[str, Any]) -> dict[str, Any]:
    """`obj` without managedFields, a Deployment without its template, and a Pod with little of its spec."""
    copy = {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "managedFields"}}
    if obj.get("kind") == "Pod":
        copy["spec"] = _pod_spec(obj.get("spec") or {})
    elif obj.get("kind") == "Deployment":
        copy["spec"] = {k: v for k, v in (obj.get("spec") or {}).items() if k != "template"}
    return {key: _shared(value) for key, value in copy.items()}


def _pod_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    containers = [{k: c[k] for k in CONTAINER_SPEC if k in c} for c in spec.get("containers", ())]
    return {**{k: spec[k] for k in POD_SPEC if k in spec}, "containers": containers}


def _shared(value: Any) -> Any:
    if isinstance(value, dict):
        return {sys.intern(key): _shared(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shared(item) for item in value]
    if isinstance(value, str) and len(value) <= SHARED_LENGTH:
        return sys.intern(value)
    return value


def content_mark(obj: Mapping[str, Any]) -> bytes:
    """16 bytes that change whenever anything but the object's status does; thousands of them are kept.

    Kinds with a status count changes of their spec in `generation`; others have only the resourceVersion. What the
    Deployment controller notes down for itself does not count.
    """
    return hashlib.blake2b(repr(_content(obj)).encode(), digest_size=16).digest()


def _content(obj: Mapping[str, Any]) -> tuple[object, ...]:
    meta = obj["metadata"]
    generation = meta.get("generation")
    if generation is None:
        return (meta["uid"], meta["resourceVersion"])
    annotations = {k: v for k, v in (meta.get("annotations") or {}).items() if k != OWN_ANNOTATION_OF_DEPLOYMENTS}
    owners = sorted(owner["uid"] for owner in meta.get("ownerReferences") or ())
    labels = meta.get("labels") or {}
    return (
        meta["uid"],
        generation,
        meta.get("deletionTimestamp"),
        sorted(labels.items()),
        sorted(annotations.items()),
        owners,
    )
