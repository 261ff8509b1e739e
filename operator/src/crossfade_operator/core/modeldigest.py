"""What model runs: a digest of everything in a pod template that can make its answers differ, with images resolved.

Replicas, resources, probes and labels may differ between an experiment's arm and the rollout that follows it; images,
commands, environment and volumes may not. A tag says little about an image, so the pods are asked what they run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crossfade_operator.core.pods import is_ready

Obj = Mapping[str, Any]

_CONTAINER_FIELDS = ("name", "command", "args", "env", "envFrom", "volumeMounts", "workingDir")


class MixedImages(Exception):
    """Ready pods of one revision run different images; the sentence names the container and what it runs."""


def model_digest(template: Obj, pods: Iterable[Obj]) -> str | None:
    """`sha256:` and 64 digits over the template's model with the images that its ready pods run.

    None while no ready pod says what it runs. Raises `MixedImages`.
    """
    ready = [pod for pod in pods if is_ready(pod)]
    spec = template.get("spec", {})
    parts: dict[str, Any] = {"volumes": spec.get("volumes") or []}
    for kind, statuses in (("containers", "containerStatuses"), ("initContainers", "initContainerStatuses")):
        parts[kind] = []
        for container in spec.get(kind) or ():
            image = _image_of(container["name"], statuses, ready)
            if image is None:
                return None
            kept = {
                field: container[field] for field in _CONTAINER_FIELDS if container.get(field) not in (None, [], "")
            }
            parts[kind].append({**kept, "image": image})
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _image_of(container: str, statuses: str, pods: Sequence[Obj]) -> str | None:
    """The digest of the image that every ready pod runs in this container."""
    found = {
        _digest_part(status["imageID"])
        for pod in pods
        for status in pod.get("status", {}).get(statuses) or ()
        if status["name"] == container and status.get("imageID")
    }
    if len(found) > 1:
        raise MixedImages(f"pods run different images in container {container}: {', '.join(sorted(found))}")
    return next(iter(found), None)


def _digest_part(image_id: str) -> str:
    """`docker-pullable://registry/name@sha256:00` and `sha256:00` are the same image, wherever it was pulled from."""
    return image_id[image_id.rfind("sha256:") :] if "sha256:" in image_id else image_id
