"""How long records are kept: which Decisions and Reviews have had their time, and may be deleted by whoever wishes.

Nothing deletes them by itself: the label only lifts the guard.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from crossfade_operator.api.decision import RETENTION_LABEL, RETENTION_OVER
from crossfade_operator.api.modelendpoint import Policy
from crossfade_operator.api.quantities import PositiveDuration
from crossfade_operator.core.effects import Apply

Obj = Mapping[str, Any]
Address = tuple[str, str, str]
"""Namespace, kind, name."""


@dataclass(frozen=True)
class Records:
    """All Decisions and Reviews, and what says how long they are kept."""

    decisions: Iterable[Obj] = ()
    reviews: Iterable[Obj] = ()
    endpoints: Iterable[Obj] = ()
    users: Iterable[Obj] = ()
    """The ModelRollouts and Experiments: each names its endpoint."""


@dataclass(frozen=True)
class _Known:
    """What the retention of a Review depends on."""

    policies: Mapping[tuple[str, str], timedelta]
    endpoint_of: Mapping[Address, str]
    decided_until: dict[Address, datetime] = field(default_factory=dict)
    """The latest end of a Decision about a subject, of the Decision itself, and of what it cites."""


def over(records: Records, now: datetime) -> Iterator[Apply]:
    """The labels to set: one for every record whose time is over and that does not bear it yet."""
    decisions = list(records.decisions)
    known = _known(records, decisions)
    for decision in decisions:
        if _retain_until(decision) <= now and not _labelled(decision):
            yield _label(decision)
    for review in records.reviews:
        if kept_until(known, review) <= now and not _labelled(review):
            yield _label(review)


def _known(records: Records, decisions: Iterable[Obj]) -> _Known:
    policies = {
        (obj["metadata"]["namespace"], obj["metadata"]["name"]): _retention(obj["spec"]) for obj in records.endpoints
    }
    endpoint_of = {_address(obj): obj["spec"]["endpoint"] for obj in records.users}
    known = _Known(policies, endpoint_of)
    for decision in decisions:
        namespace, subject = decision["metadata"]["namespace"], decision["spec"]["subject"]
        endpoint_of[_address(decision)] = decision["spec"]["endpoint"]
        cited = ((namespace, "Review", note["name"]) for note in decision["spec"].get("reviews", ()))
        for address in (_address(decision), (namespace, subject["kind"], subject["name"]), *cited):
            until = _retain_until(decision)
            known.decided_until[address] = max(known.decided_until.get(address, until), until)
    return known


def kept_until(known: _Known, review: Obj) -> datetime:
    """A Review is kept as long as the endpoint's policy says, and never shorter than what cites or concerns it."""
    namespace, subject = review["metadata"]["namespace"], review["spec"]["subject"]
    about = (namespace, subject["kind"], subject["name"])
    endpoint = known.endpoint_of.get(about, "")
    retention = known.policies.get((namespace, endpoint), Policy().retention)
    created = datetime.fromisoformat(review["metadata"]["creationTimestamp"])
    decided = (known.decided_until.get(address) for address in (about, _address(review)))
    return max(created + retention, *(until for until in decided if until is not None), created)


def _retention(endpoint: Obj) -> timedelta:
    written = endpoint.get("policy", {}).get("retention")
    return PositiveDuration(written) if written else Policy().retention


def _retain_until(decision: Obj) -> datetime:
    return datetime.fromisoformat(decision["spec"]["retainUntil"])


def _address(obj: Obj) -> Address:
    return obj["metadata"]["namespace"], obj["kind"], obj["metadata"]["name"]


def _labelled(obj: Obj) -> bool:
    return (obj["metadata"].get("labels") or {}).get(RETENTION_LABEL) == RETENTION_OVER


def _label(obj: Obj) -> Apply:
    """Only the label; the uid keeps a namesake from getting it, and a deleted record from coming back."""
    meta = obj["metadata"]
    metadata = {
        "name": meta["name"],
        "namespace": meta["namespace"],
        "uid": meta["uid"],
        "labels": {RETENTION_LABEL: RETENTION_OVER},
    }
    return Apply({"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata})
