"""The arms' objects: a record of the template and a Deployment each, pinned for the whole run.

The Services that lead to them and the routes are the serving side's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from crossfade_operator.api.experiment_status import ArmStatus, ExperimentPhase, RequestedArm, SliceRequest
from crossfade_operator.core.children.revision import GRPC_PORT, HTTP_PORT, owner_of, pods, ports_of
from crossfade_operator.core.effects import Apply, Delete, Effect
from crossfade_operator.core.experiment.view import Turn, View, label_of
from crossfade_operator.core.revision import revision_of
from crossfade_operator.ports.cluster import Ref

Obj = Mapping[str, Any]

COMPONENT = "arm"
MAX_PREFIX = 52

WITH_PODS = (ExperimentPhase.APPROVED, ExperimentPhase.RUNNING, ExperimentPhase.INTERRUPTED)


def name_of(experiment: str, arm: str, revision: str) -> str:
    """The name of an arm's Deployment and record.

    Its last part is a digest of all three: an experiment `a` with an arm `b-c` and one `a-b` with an arm `c` may run
    the same revision, as may a rollout called `a-b`.
    """
    digest = revision_of({"experiment": experiment, "arm": arm, "revision": revision})
    return f"{f'{experiment}-{arm}'[:MAX_PREFIX].rstrip('-')}-{digest}"


def selector(experiment: str, arm: str, revision: str) -> dict[str, str]:
    """The labels by which the serving side's Services find the pods."""
    return {
        "crossfade.dev/component": COMPONENT,
        "crossfade.dev/experiment": experiment,
        "crossfade.dev/arm": arm,
        "crossfade.dev/revision": revision,
    }


def labels(endpoint: str, experiment: str, arm: str, revision: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/managed-by": "crossfade",
        "crossfade.dev/endpoint": endpoint,
        **selector(experiment, arm, revision),
    }


def _metadata(experiment: Obj, arm: ArmStatus) -> dict[str, Any]:
    meta = experiment["metadata"]
    return {
        "name": name_of(meta["name"], arm.name, arm.revision),
        "namespace": meta["namespace"],
        "labels": labels(experiment["spec"]["endpoint"], meta["name"], arm.name, arm.revision),
        "ownerReferences": [owner_of(experiment)],
    }


def record(experiment: Obj, arm: ArmStatus, template: Obj) -> dict[str, Any]:
    """The ControllerRevision that keeps the arm's template, whatever becomes of where it came from."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": _metadata(experiment, arm),
        "data": {"template": template},
        "revision": 1,
    }


def deployment(experiment: Obj, arm: ArmStatus, template: Obj, priority_class: str = "") -> dict[str, Any]:
    """The arm's Deployment. Its template is never edited afterwards.

    `priority_class` lets its pods yield to all others where a node is full, unless its template names another class.
    """
    meta = experiment["metadata"]
    yielding = {"priorityClassName": priority_class} if priority_class else {}
    ours = labels(experiment["spec"]["endpoint"], meta["name"], arm.name, arm.revision)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(experiment, arm),
        "spec": {
            "replicas": arm.replicas,
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": selector(meta["name"], arm.name, arm.revision)},
            "template": pods(template, ours, **yielding),
        },
    }


def keeps_pods(view: View, turn: Turn) -> bool:
    """Whether the arms are to be there: from the approval until no router can send users to them any more."""
    if view.spec.dry_run:
        return False
    return turn.status.phase in WITH_PODS or (view.routed and any(seen.exists for seen in view.arms.values()))


def effects(
    experiment: Obj, view: View, turn: Turn, present: Iterable[Obj], priority_class: str = ""
) -> Iterator[Effect]:
    """Records before Deployments, so that no template is ever lost; what is not kept is deleted, records last."""
    kept = set()
    if keeps_pods(view, turn):
        for arm in turn.status.arms:
            kept.add(name_of(view.name, arm.name, arm.revision))
            template = view.arm(arm.name).template
            if template is not None:
                yield Apply(record(experiment, arm, template))
                yield Apply(deployment(experiment, arm, template, priority_class))
    ordered = sorted(present, key=lambda obj: str(obj["kind"]) != "Deployment")
    yield from (Delete(Ref.of(obj)) for obj in ordered if obj["metadata"]["name"] not in kept)


def slice_request(view: View, arms: Sequence[ArmStatus]) -> SliceRequest:
    """What the serving side is asked for."""
    asked = []
    for arm in arms:
        ports = ports_of(view.arm(arm.name).template or {})
        asked.append(
            RequestedArm(
                name=arm.name,
                label=label_of(view.name, arm.name),
                weight=arm.weight,
                revision=arm.revision,
                http_port=ports[HTTP_PORT],
                grpc_port=ports.get(GRPC_PORT),
            )
        )
    return SliceRequest(id=view.request_id, positions=view.spec.design.slice.positions, arms=tuple(asked))
