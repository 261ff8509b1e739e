"""Which revisions are kept, with how many pods, and what has to be applied and deleted for that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from crossfade_operator.api.modelrollout import ModelRolloutSpec
from crossfade_operator.api.modelrollout_status import ModelRolloutStatus
from crossfade_operator.core.children import revision as manifests
from crossfade_operator.core.effects import Apply, Delete, Effect
from crossfade_operator.core.revision import child_name
from crossfade_operator.core.rollout.view import Routes
from crossfade_operator.core.routing import Backend
from crossfade_operator.ports.cluster import Children, Ref

Templates = Mapping[str, Mapping[str, Any]]
"""Pod templates by revision."""


def replicas_by_revision(
    spec: ModelRolloutSpec, status: ModelRolloutStatus, routes: Routes, now: datetime
) -> dict[str, int]:
    """The pods each kept revision has. Whatever a route leads to is kept whole, whatever else is recorded.

    A retiring revision stays warm until its end; the previous stable one then stays restorable without pods.
    """
    kept: dict[str, int] = {}
    if status.previous_revision:
        kept[status.previous_revision] = 0
    for entry in status.retiring:
        warm = entry.delete_at is None or now < entry.delete_at
        kept[entry.revision] = spec.replicas if warm else kept.get(entry.revision, 0)
    whole = {*routes.referenced, status.stable_revision, status.candidate.revision if status.candidate else None}
    return kept | dict.fromkeys(sorted(filter(None, whole)), spec.replicas)


def templates_on_record(children: Children) -> dict[str, Mapping[str, Any]]:
    """The templates of the ControllerRevisions, by revision."""
    return {
        obj["metadata"]["labels"]["crossfade.dev/revision"]: obj["data"]["template"]
        for obj in children.controller_revisions
        if obj.get("data", {}).get("template") and _revision(obj)
    }


def template_of(
    children: Children, target: str, template: Mapping[str, Any], revision: str
) -> Mapping[str, Any] | None:
    """The template of a revision: the rollout's own `template` where that is its `target`, else the one on record."""
    return template if revision == target else templates_on_record(children).get(revision)


def backends(
    rollout: Mapping[str, Any], kept: Mapping[str, int], templates: Templates, domain: str
) -> dict[str, Backend]:
    """How the routers reach each kept revision that is to have pods and whose template is known."""
    meta = rollout["metadata"]
    found = {}
    for name, replicas in kept.items():
        ports = manifests.ports_of(templates.get(name, {}))
        if replicas and manifests.HTTP_PORT in ports:
            host = f"{child_name(meta['name'], name)}.{meta['namespace']}.svc.{domain}"
            found[name] = Backend(name, host, ports[manifests.HTTP_PORT], ports.get(manifests.GRPC_PORT))
    return found


def applied(rollout: Mapping[str, Any], kept: Mapping[str, int], templates: Templates) -> Iterator[Effect]:
    """Record, Service and Deployment of every kept revision; the record first, so that no template is ever lost."""
    for name, replicas in sorted(kept.items()):
        template = templates.get(name)
        if template is not None:
            yield Apply(manifests.record(rollout, name, template))
            yield Apply(manifests.service(rollout, name, template))
            yield Apply(manifests.deployment(rollout, name, template, replicas))


def deleted(rollout: Mapping[str, Any], kept: Mapping[str, int], children: Children) -> Iterator[Effect]:
    """What is left of this rollout's revisions that are no longer kept. The record goes last."""
    for objects in (children.deployments, children.services, children.controller_revisions):
        for obj in objects:
            mine = obj["metadata"].get("labels", {}).get("crossfade.dev/rollout") == rollout["metadata"]["name"]
            if mine and _revision(obj) and _revision(obj) not in kept:
                yield Delete(Ref.of(obj))


def _revision(obj: Mapping[str, Any]) -> str | None:
    revision: str | None = obj["metadata"].get("labels", {}).get("crossfade.dev/revision")
    return revision
