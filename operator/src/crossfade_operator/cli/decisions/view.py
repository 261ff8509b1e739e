"""A Decision as a person reads it, read leniently: a field this version does not know is passed over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crossfade_operator.cli.experiments.view import Check, checks_of
from crossfade_operator.cli.values import Obj, number, time

OVERRULED = {
    "Ship": ("Abort", "Extend", "Discuss", "Hold", ""),
    "Abort": ("Ship",),
    "Promote": ("Hold", "Rollback", "Advance"),
    "Advance": ("Hold", "Rollback"),
    "Rollback": ("Advance", "Promote"),
}
"""What a person's action goes against, by the rule's recommendation; none is written as nothing."""

BY_PEOPLE = ("Human", "Emergency")
"""Bases of decisions that a person made otherwise than the evidence alone would have it."""


@dataclass(frozen=True)
class Finding:
    """What the evidence said of one metric."""

    name: str
    revision: str | None
    treatment: str | None
    role: str
    verdict: str
    control: float | None
    value: float | None
    estimate: float | None
    lower: float | None
    upper: float | None
    margin: str | None
    message: str


@dataclass(frozen=True)
class Note:
    """A review that stood."""

    name: str
    reviewer: str
    verdict: str
    reason: str


@dataclass(frozen=True)
class Before:
    """The routing table before the decision."""

    generation: int
    digest: str
    decision: str


@dataclass(frozen=True)
class Excluded:
    """What would have been judged with nothing excluded."""

    recommendation: str
    reason: str
    message: str


@dataclass(frozen=True)
class Decision:
    """A record, whole."""

    namespace: str
    name: str
    kind: str
    subject: str
    revision: str | None
    model: str | None
    attempt: int | None
    endpoint: str
    owner: str
    action: str
    recommendation: str
    basis: str
    actor: str
    rule: str
    reason: str
    message: str
    rationale: str | None
    at: datetime | None
    step: int
    slice: str | None
    treatment: str | None
    outcome: str | None
    design_hash: str | None
    evidence: str | None
    locator: str | None
    results: tuple[Finding, ...]
    checks: tuple[Check, ...]
    reviews: tuple[Note, ...]
    without_exclusions: Excluded | None
    supersedes: str | None
    before: Before | None
    revisit_after: datetime | None
    expires_at: datetime | None
    retain_until: datetime | None

    @property
    def of_rollout(self) -> bool:
        return self.kind == "ModelRollout"

    @property
    def dissent(self) -> tuple[Note, ...]:
        return tuple(note for note in self.reviews if note.verdict == "Dissent")

    @property
    def against(self) -> bool:
        """A person decided otherwise than the rule recommended."""
        return self.basis in BY_PEOPLE and self.recommendation in OVERRULED.get(self.action, ())


def decision_of(obj: Obj) -> Decision:
    """From the object as the API server, or an export, gives it."""
    meta, spec = obj["metadata"], obj.get("spec") or {}
    subject, evidence, before = (spec.get(name) or {} for name in ("subject", "evidence", "previousRoute"))
    treatment = spec.get("treatment") or next(
        (entry.get("treatment") for entry in spec.get("results") or () if entry.get("treatment")), None
    )
    return Decision(
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        kind=subject.get("kind", ""),
        subject=subject.get("name", ""),
        revision=subject.get("revision"),
        model=subject.get("modelDigest"),
        attempt=subject.get("attempt"),
        endpoint=spec.get("endpoint", ""),
        owner=spec.get("owner") or "",
        action=spec.get("action", ""),
        recommendation=spec.get("recommendation") or "",
        basis=spec.get("basis", ""),
        actor=spec.get("actor", ""),
        rule=spec.get("rule", ""),
        reason=spec.get("reason", ""),
        message=spec.get("message") or "",
        rationale=spec.get("rationale"),
        at=time(spec.get("at")),
        step=int(spec.get("step") or 0),
        slice=spec.get("slice"),
        treatment=treatment,
        outcome=spec.get("outcome"),
        design_hash=spec.get("designHash"),
        evidence=evidence.get("digest"),
        locator=evidence.get("locator"),
        results=tuple(_finding(entry) for entry in spec.get("results") or ()),
        checks=checks_of(spec.get("checks") or ()),
        reviews=tuple(_note(entry) for entry in spec.get("reviews") or ()),
        without_exclusions=_excluded(spec.get("withoutExclusions")),
        supersedes=spec.get("supersedes"),
        before=Before(int(before["generation"]), before.get("digest", ""), before.get("decision", ""))
        if before
        else None,
        revisit_after=time(spec.get("revisitAfter")),
        expires_at=time(spec.get("expiresAt")),
        retain_until=time(spec.get("retainUntil")),
    )


def _finding(entry: Obj) -> Finding:
    return Finding(
        name=entry.get("name", ""),
        revision=entry.get("revision"),
        treatment=entry.get("treatment"),
        role=entry.get("role", ""),
        verdict=entry.get("verdict", ""),
        control=number(entry.get("control")),
        value=number(entry.get("value")),
        estimate=number(entry.get("estimate")),
        lower=number(entry.get("lower")),
        upper=number(entry.get("upper")),
        margin=entry.get("margin"),
        message=entry.get("message") or "",
    )


def _note(entry: Obj) -> Note:
    return Note(entry.get("name", ""), entry.get("reviewer", ""), entry.get("verdict", ""), entry.get("reason") or "")


def _excluded(entry: Obj | None) -> Excluded | None:
    if not entry:
        return None
    return Excluded(entry.get("recommendation", ""), entry.get("reason", ""), entry.get("message") or "")
