"""What experiments ask for, and the decisions by which they may have it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from crossfade_operator.api.decision import DecisionAction, SubjectKind
from crossfade_operator.api.experiment_status import SliceRequest
from crossfade_operator.api.modelendpoint_status import LedgerArm, LedgerEntry, ModelEndpointStatus
from crossfade_operator.core.ledger import Request
from crossfade_operator.ports.cluster import Cluster, Obj

Decisions = Mapping[str, Sequence[Obj]]
"""Decisions by holder (`Experiment/name`), oldest first."""


async def decisions(
    cluster: Cluster, namespace: str, experiments: Iterable[Obj], status: ModelEndpointStatus
) -> Decisions:
    """The Decisions about those experiments alone whose slice is to be granted or to go back."""
    asked = {holder_of(one): request.id for one in experiments if (request := _asked(one))}
    held = {one.holder: one.request for one in _entries(status)}
    unsettled = sorted(holder for holder in {*asked, *held} if asked.get(holder) != held.get(holder))
    about = [{"spec.subject.kind": SubjectKind.EXPERIMENT.value, "spec.subject.name": _name(one)} for one in unsettled]
    found = await asyncio.gather(*(cluster.decisions(namespace, fields) for fields in about))
    return dict(zip(unsettled, found, strict=True))


def requests(experiments: Iterable[Obj], status: ModelEndpointStatus, made: Decisions) -> tuple[Request, ...]:
    """What is asked for, who asked first before the others: those that were refused keep their place."""
    order = {refused.holder: place for place, refused in enumerate(status.refused_requests)}
    found = [_request(one, request, made) for one in experiments if (request := _asked(one))]
    return tuple(sorted(found, key=lambda one: order.get(one.holder, len(order))))


def latest(made: Decisions) -> dict[str, str]:
    """The name of the newest Decision about each experiment that has one."""
    return {holder: found[-1]["metadata"]["name"] for holder, found in made.items() if found}


def holder_of(experiment: Obj) -> str:
    """As the ledger names it."""
    return f"Experiment/{experiment['metadata']['name']}"


def _name(holder: str) -> str:
    return holder.partition("/")[2]


def _asked(experiment: Obj) -> SliceRequest | None:
    asked = experiment.get("status", {}).get("sliceRequest")
    return SliceRequest.model_validate(asked) if asked else None


def _request(experiment: Obj, asked: SliceRequest, made: Decisions) -> Request:
    holder, uid = holder_of(experiment), experiment["metadata"]["uid"]
    runs = [
        one["metadata"]["name"]
        for one in made.get(holder, ())
        if one["spec"]["action"] == DecisionAction.RUN.value and one["spec"]["subject"]["uid"] == uid
    ]
    return Request(holder, asked.id, asked.positions, asked.arms, decision=runs[-1] if runs else None)


def _entries(status: ModelEndpointStatus) -> Iterable[LedgerEntry]:
    return (one for one in status.ledger if one.arm is LedgerArm.EXPERIMENT)
