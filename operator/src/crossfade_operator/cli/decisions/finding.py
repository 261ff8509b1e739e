"""Which decisions are meant: by name, by what they are about, by filters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from crossfade_operator.api.quantities import Duration
from crossfade_operator.cli.client import Cluster
from crossfade_operator.cli.decisions.view import Decision, Note, decision_of
from crossfade_operator.cli.names import DECISION, EXPERIMENT, METRIC, REVIEW, ROLLOUT, Named, named
from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.values import Obj, time

_DIGEST_START = 8
"""Digits of a digest that suffice to mean it."""

EVER = datetime.min.replace(tzinfo=UTC)


def decision_object(cluster: Cluster, text: str) -> Obj:
    """`decision/NAME` or NAME; of `rollout/NAME` or `exp/NAME` the newest. Raises `Problem`."""
    one = named(text, (DECISION, ROLLOUT, EXPERIMENT), DECISION)
    if one.kind is DECISION:
        return cluster.get(DECISION, one.name)
    return newest_of(cluster, one)


def newest_of(cluster: Cluster, subject: Named) -> Obj:
    """The newest decision about an object. Raises `Problem` when there is none."""
    fields = {"spec.subject.kind": subject.kind.name, "spec.subject.name": subject.name}
    found = cluster.select(DECISION, fields)
    if not found:
        raise Problem(
            f"there is no decision about {subject} in namespace {cluster.namespace} yet.",
            f"see where it stands: kubectl crossfade get {subject}",
        )
    return max(found, key=made_at)


def made_at(obj: Obj) -> tuple[datetime, str]:
    """Its time, and its name for those of the same moment."""
    return time((obj.get("spec") or {}).get("at")) or EVER, obj["metadata"]["name"]


def since(text: str | None, now: datetime) -> datetime:
    """`7d`, or a time such as 2026-11-22 or 2026-11-22T10:00:00Z; the beginning of time for None. Raises `Problem`."""
    if text is None:
        return EVER
    try:
        return now - timedelta(seconds=Duration(text).total_seconds())
    except OverflowError:
        return EVER
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Problem(
            f"{text!r} is no time.", "write how long ago, such as 7d or 12h, or a date: 2026-11-22"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def is_model(decision: Decision, wanted: str) -> bool:
    """Whether it is about this model, by digest (or its beginning), revision, or name of rollout, arm or endpoint."""
    digits, model = wanted.removeprefix("sha256:"), (decision.model or "").removeprefix("sha256:")
    by_digest = len(digits) >= _DIGEST_START and bool(model) and model.startswith(digits)
    return by_digest or wanted in (decision.revision, decision.subject, decision.treatment, decision.endpoint)


def reviews_of(cluster: Cluster, decision: Decision) -> tuple[Note, ...]:
    """Reviews of the decision itself, oldest first."""
    found = cluster.select(REVIEW, {"spec.subject.kind": "Decision", "spec.subject.name": decision.name})
    ordered = sorted(found, key=lambda obj: str(obj["metadata"].get("creationTimestamp")))
    return tuple(note_of(obj) for obj in ordered)


def note_of(review: Obj) -> Note:
    spec = review["spec"]
    return Note(review["metadata"]["name"], spec["reviewer"], spec["verdict"], spec.get("reason") or "")


def directions(cluster: Cluster) -> Mapping[str, str]:
    """Which way is good, of the namespace's Metrics."""
    return {
        obj["metadata"]["name"]: (obj.get("spec") or {}).get("direction") or "LowerIsBetter"
        for obj in cluster.select(METRIC)
    }


def newest_first(objects: Iterable[Obj], wanted: Callable[[Decision], bool]) -> list[Obj]:
    """Those that are wanted."""
    return [obj for obj in sorted(objects, key=made_at, reverse=True) if wanted(decision_of(obj))]
