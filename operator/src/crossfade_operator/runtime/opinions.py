"""What people and experiments have said of a candidate: Reviews, and the Decisions that open gates."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from crossfade_operator.api.decision import DecisionAction, SubjectKind
from crossfade_operator.api.modelendpoint import ModelEndpointSpec, Requirement
from crossfade_operator.api.modelrollout_status import ModelRolloutStatus, Stage
from crossfade_operator.api.review import ReviewSpec
from crossfade_operator.core import reviews
from crossfade_operator.core.reviews import ReviewSeen
from crossfade_operator.core.rollout import gates
from crossfade_operator.core.rollout.gates import CONCLUSIONS, Conclusion, Facts
from crossfade_operator.core.rollout.view import View
from crossfade_operator.ports.cluster import Cluster, Key, Obj


async def reviews_of(cluster: Cluster, key: Key, rollout: Obj) -> Sequence[Obj]:
    """The Reviews of a rollout that has a candidate, and of its decisions that are to be reviewed afterwards."""
    status, name = rollout.get("status", {}), rollout["metadata"]["name"]
    about = [(SubjectKind.MODEL_ROLLOUT, name)] if status.get("candidate") else []
    about += [(SubjectKind.DECISION, due["decision"]) for due in status.get("reviewsDue", ())]
    found = await asyncio.gather(*(cluster.reviews(key.namespace, _about(kind, subject)) for kind, subject in about))
    return [review for some in found for review in some]


async def decisions_for(cluster: Cluster, key: Key, rollout: Obj, endpoint: ModelEndpointSpec) -> Sequence[Obj]:
    """The Decisions about the experiments that gates name; where the endpoint asks for any, about all that it could
    be."""
    candidate = rollout.get("status", {}).get("candidate") or {}
    if candidate.get("stage") in (None, Stage.WITHDRAWING):
        return []
    names = {gate["experiment"] for gate in rollout["spec"].get("gates", ()) if "experiment" in gate}
    if not names and endpoint.policy.gates.experiment is Requirement.REQUIRED:
        shipped = {"spec.endpoint": key.endpoint, "spec.action": DecisionAction.SHIP.value}
        names = {one["spec"]["subject"]["name"] for one in await cluster.decisions(key.namespace, shipped)}
    fields = [_about(SubjectKind.EXPERIMENT, name) for name in sorted(names)]
    found = await asyncio.gather(*(cluster.decisions(key.namespace, one) for one in fields))
    return [decision for some in found for decision in some]


def without_predecessors(decisions: Iterable[Obj], experiments: Iterable[Obj]) -> Sequence[Obj]:
    """Without those about a deleted experiment whose name another one has now: a gate that names it means that one."""
    living = {one["metadata"]["name"]: one["metadata"]["uid"] for one in experiments}
    about = ((one, one["spec"]["subject"]) for one in decisions)
    return [one for one, subject in about if living.get(subject["name"], subject["uid"]) == subject["uid"]]


def _about(kind: SubjectKind, name: str) -> Mapping[str, str]:
    return {"spec.subject.kind": kind.value, "spec.subject.name": name}


def conclusions(decisions: Iterable[Obj]) -> tuple[Conclusion, ...]:
    """What these experiments ended in. Fields of a newer version are passed over."""
    found = [(one["metadata"]["name"], one["spec"]) for one in decisions]
    successors = {spec["supersedes"]: name for name, spec in found if spec.get("supersedes")}
    return tuple(
        Conclusion(
            name=name,
            experiment=spec["subject"]["name"],
            endpoint=spec["endpoint"],
            action=DecisionAction(spec["action"]),
            at=datetime.fromisoformat(spec["at"]),
            model_digest=spec["subject"].get("modelDigest"),
            expires_at=datetime.fromisoformat(spec["expiresAt"]) if "expiresAt" in spec else None,
            superseded_by=successors.get(name),
        )
        for name, spec in found
        if spec["action"] in CONCLUSIONS
    )


def seen(found: Iterable[Obj], kind: SubjectKind) -> tuple[ReviewSeen, ...]:
    """The Reviews of subjects of this kind, oldest first."""
    read = (
        ReviewSeen(
            one["metadata"]["name"],
            ReviewSpec.model_validate(one["spec"]),
            datetime.fromisoformat(one["metadata"]["creationTimestamp"]),
        )
        for one in found
        if one["spec"]["subject"]["kind"] == kind.value
    )
    return tuple(sorted(read, key=lambda one: (one.created, one.name)))


def unmet_gate(
    view: View, endpoint: ModelEndpointSpec, name: str, made: Iterable[Obj], unclear: str | None
) -> str | None:
    """Which gate of the candidate is not met, in a sentence. `view` has its reviews already."""
    candidate = view.status.candidate
    if candidate is None or candidate.restore or view.status.stable_revision is None:
        return None
    facts = Facts(
        endpoint=name,
        revision=candidate.revision,
        now=view.now,
        gates=view.spec.gates,
        policy=endpoint.policy.gates,
        model=view.model_digest,
        unclear=unclear,
        conclusions=conclusions(made),
        approvals=reviews.approvals(view.reviews, but=view.uncounted),
    )
    return gates.unmet(facts)


def reviewed(status: ModelRolloutStatus, found: Iterable[Obj]) -> frozenset[str]:
    """The decisions that waited for a review afterwards and have one by another person."""
    by = {due.decision: due.by for due in status.reviews_due}
    return frozenset(
        one.spec.subject.name
        for one in seen(found, SubjectKind.DECISION)
        if one.spec.subject.name in by and one.spec.reviewer != by[one.spec.subject.name]
    )
