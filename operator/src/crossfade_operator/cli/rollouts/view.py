"""A ModelRollout as a person sees it, read leniently: a field this version does not know is passed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crossfade_operator.cli.values import Obj, number, time


@dataclass(frozen=True)
class Metric:
    """One metric's last result; the arms' counts as text."""

    name: str
    role: str
    verdict: str
    control: str
    candidate: str
    ratio: float | None
    lower: float | None
    upper: float | None
    message: str


@dataclass(frozen=True)
class Decision:
    """One entry of the record, oldest first in the status."""

    name: str
    action: str
    revision: str
    step: int
    slice: str
    reason: str
    message: str
    at: datetime | None
    evidence: str | None
    by: str


@dataclass(frozen=True)
class Rollout:
    """What `get` and `watch` show and the verbs decide from."""

    namespace: str
    name: str
    created: datetime | None
    endpoint: str
    owner: str | None
    paused: bool
    phase: str
    reason: str
    message: str
    step: int
    steps: int
    slice: str
    stable: str | None
    candidate: str | None
    failed_revision: str | None
    previous: str | None
    previous_until: datetime | None
    verdict: str | None
    looks: int
    stage: str | None
    step_started_at: datetime | None
    hold: str | None
    requests: tuple[int, int, int] | None
    """Seen so far: by the control, by the candidate, by the candidate in this step."""
    min_requests: int | None
    replicas: int
    ready_replicas: int
    metrics: tuple[Metric, ...]
    decisions: tuple[Decision, ...]
    reviews_due: tuple[str, ...]
    """Decisions made in an emergency that another person has yet to review."""
    settled: bool
    """The controller has seen the present specification."""

    @property
    def ended(self) -> bool:
        """Nothing more will happen without a change: promoted, rolled back or refused."""
        return self.settled and self.candidate is None and self.phase in ("Promoted", "RolledBack", "Refused")


def rollout_of(obj: Obj) -> Rollout:
    """From the object as the API server gives it; a status that is not there yet reads as Pending."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    candidate = status.get("candidate") or {}
    step = int(status.get("step") or 0)
    planned = _planned(spec, step)
    return Rollout(
        namespace=meta["namespace"],
        name=meta["name"],
        created=time(meta.get("creationTimestamp")),
        endpoint=spec.get("endpoint", ""),
        owner=spec.get("owner"),
        paused=bool(spec.get("paused")),
        phase=status.get("phase") or "Pending",
        reason=status.get("reason") or "",
        message=status.get("message") or "",
        step=step,
        steps=int(status.get("steps") or 0),
        slice=status.get("slice") or "",
        stable=status.get("stableRevision"),
        candidate=status.get("candidateRevision"),
        failed_revision=status.get("failedRevision"),
        previous=status.get("previousRevision"),
        previous_until=time(status.get("previousUntil")),
        verdict=status.get("verdict"),
        looks=int(candidate.get("looks") or 0),
        stage=candidate.get("stage"),
        step_started_at=time(candidate.get("stepStartedAt")),
        hold=planned.get("hold"),
        requests=_requests(candidate.get("requests")),
        min_requests=planned.get("minRequests"),
        replicas=int(status.get("replicas") or 0),
        ready_replicas=int(status.get("readyReplicas") or 0),
        metrics=tuple(_metric(entry) for entry in status.get("metrics") or ()),
        decisions=tuple(_decision(entry) for entry in status.get("decisions") or ()),
        reviews_due=tuple(str(due.get("decision")) for due in status.get("reviewsDue") or ()),
        settled=status.get("observedGeneration") == meta.get("generation"),
    )


def _planned(spec: Obj, step: int) -> Obj:
    steps: Sequence[Obj] = (spec.get("strategy") or {}).get("steps") or ()
    return steps[step - 1] if 0 < step <= len(steps) else {}


def _requests(seen: Obj | None) -> tuple[int, int, int] | None:
    if not seen:
        return None
    return int(seen.get("control") or 0), int(seen.get("candidate") or 0), int(seen.get("candidateInStep") or 0)


def _metric(entry: Obj) -> Metric:
    return Metric(
        name=entry.get("name", ""),
        role=entry.get("role", ""),
        verdict=entry.get("verdict") or "",
        control=_shown(entry.get("control")),
        candidate=_shown(entry.get("candidate")),
        ratio=number(entry.get("ratio")),
        lower=number(entry.get("lower")),
        upper=number(entry.get("upper")),
        message=entry.get("message") or "",
    )


def _decision(entry: Obj) -> Decision:
    return Decision(
        name=entry.get("name", ""),
        action=entry.get("action", ""),
        revision=entry.get("revision") or "",
        step=int(entry.get("step") or 0),
        slice=entry.get("slice") or "",
        reason=entry.get("reason") or "",
        message=entry.get("message") or "",
        at=time(entry.get("at")),
        evidence=entry.get("evidence"),
        by=entry.get("by") or "",
    )


def _shown(counted: Obj | None) -> str:
    """`1.02% (123 of 12,045)` for events among requests; the bare value for a mean."""
    if not counted:
        return "-"
    events, total, value = (
        int(counted.get("events") or 0),
        int(counted.get("total") or 0),
        number(counted.get("value")),
    )
    if value is None:
        return f"no value (0 of {total:,})"
    return f"{value:.2%} ({events:,} of {total:,})" if 0 <= events <= total else f"{value:.4g}"
