"""An Experiment as a person sees it, read leniently: a field this version does not know is passed over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crossfade_operator.cli.values import Obj, number, time

ENDED = ("Decided", "Archived", "Invalid")
EXPOSED = ("Running", "Interrupted")
"""Phases in which users are in the arms."""


@dataclass(frozen=True)
class Arm:
    """An arm: what was asked for, and its pods."""

    name: str
    role: str
    weight: int
    wanted: str
    """Stable, or the images of its template."""
    revision: str | None
    model: str | None
    ready: int
    replicas: int
    slice: str | None


@dataclass(frozen=True)
class Use:
    """A metric of the design and the mde or margin that it is held against."""

    metric: str
    role: str
    bound: str


@dataclass(frozen=True)
class Result:
    """One metric in one treatment at the last look."""

    metric: str
    treatment: str
    role: str
    verdict: str
    control: float | None
    value: float | None
    relative: float | None
    lower: float | None
    upper: float | None
    progress: str
    message: str


@dataclass(frozen=True)
class Check:
    """A check of the comparison itself."""

    name: str
    passed: bool
    message: str
    blocking: bool = True
    """While it fails, no result may be used; another one's failure is a warning."""


@dataclass(frozen=True)
class Experiment:
    """What the commands show and decide from."""

    namespace: str
    name: str
    uid: str
    created: datetime | None
    endpoint: str
    owner: str
    decision_maker: str
    type: str
    dry_run: bool
    desired: str
    run: int
    hypothesis: str
    slice: str
    method: str
    looks_planned: int | None
    min_runtime: str
    max_runtime: str
    arms: tuple[Arm, ...]
    uses: tuple[Use, ...]
    phase: str
    reason: str
    message: str
    design_hash: str | None
    approvals: int
    started: datetime | None
    stopped: datetime | None
    next_look: datetime | None
    look: int
    progress: str | None
    results: tuple[Result, ...]
    checks: tuple[Check, ...]
    recommendation: str | None
    recommended_at: datetime | None
    outcome: str | None
    decision: str | None
    decided: str | None
    """The action that a person wrote into spec.decision."""
    settled: bool
    """The controller has seen the present specification."""

    @property
    def ended(self) -> bool:
        """Nothing more will happen without a change."""
        return self.settled and self.phase in ENDED

    @property
    def treatments(self) -> tuple[str, ...]:
        return tuple(arm.name for arm in self.arms if arm.role == "Treatment")


def experiment_of(obj: Obj) -> Experiment:
    """From the object as the API server gives it; a status that is not there yet reads as Draft."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    design = spec.get("design") or {}
    analysis = design.get("analysis") or {}
    run = int(spec.get("run") or 1)
    if int(status.get("run") or run) != run:
        status = {"observedGeneration": status.get("observedGeneration")}
    method = analysis.get("method") or "GroupSequential"
    return Experiment(
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        created=time(meta.get("creationTimestamp")),
        endpoint=spec.get("endpoint", ""),
        owner=spec.get("owner", ""),
        decision_maker=spec.get("decisionMaker", ""),
        type=spec.get("type") or "AB",
        dry_run=bool(spec.get("dryRun")),
        desired=spec.get("desiredState") or "Draft",
        run=run,
        hypothesis=design.get("hypothesis", ""),
        slice=status.get("slice") or design.get("slice", ""),
        method=method,
        looks_planned=int(analysis.get("looks") or 5) if method == "GroupSequential" else None,
        min_runtime=design.get("minRuntime") or "7d",
        max_runtime=design.get("maxRuntime") or "28d",
        arms=_arms(design, status),
        uses=tuple(_use(entry) for entry in design.get("metrics") or ()),
        phase=status.get("phase") or "Draft",
        reason=status.get("reason") or "",
        message=status.get("message") or "",
        design_hash=status.get("designHash"),
        approvals=int(status.get("approvals") or 0),
        started=time(status.get("startedAt")),
        stopped=time(status.get("stoppedAt")),
        next_look=time(status.get("nextLookAt")),
        look=int(status.get("look") or 0),
        progress=status.get("progress"),
        results=tuple(_result(entry) for entry in status.get("results") or ()),
        checks=checks_of(status.get("checks") or ()),
        recommendation=status.get("recommendation"),
        recommended_at=time(status.get("recommendedAt")),
        outcome=status.get("outcome"),
        decision=status.get("decision"),
        decided=(spec.get("decision") or {}).get("action"),
        settled=status.get("observedGeneration") == meta.get("generation"),
    )


def bound_of(use: Obj) -> str:
    """The mde or margin: `1%`, `0.5% abs.`, or nothing."""
    bound = use.get("mde") or use.get("margin") or {}
    if bound.get("relative") is not None:
        return str(bound["relative"])
    return f"{bound['absolute']} abs." if bound.get("absolute") is not None else ""


def checks_of(entries: object) -> tuple[Check, ...]:
    """Checks as a status or a Decision holds them."""
    return tuple(
        Check(entry.get("name", ""), bool(entry.get("passed")), entry.get("message") or "", entry.get("blocking", True))
        for entry in entries  # type: ignore[attr-defined]
    )


def _arms(design: Obj, status: Obj) -> tuple[Arm, ...]:
    seen = {arm.get("name"): arm for arm in status.get("arms") or ()}
    return tuple(_arm(arm, seen.get(arm.get("name")) or {}) for arm in design.get("arms") or ())


def _arm(wanted: Obj, seen: Obj) -> Arm:
    return Arm(
        name=wanted.get("name", ""),
        role=wanted.get("role", ""),
        weight=int(wanted.get("weight") or 1),
        wanted=wanted.get("revision") or _images(wanted.get("template") or {}),
        revision=seen.get("revision"),
        model=seen.get("modelDigest"),
        ready=int(seen.get("readyReplicas") or 0),
        replicas=int(seen.get("replicas") or wanted.get("replicas") or 1),
        slice=seen.get("slice"),
    )


def _images(template: Obj) -> str:
    containers = (template.get("spec") or {}).get("containers") or ()
    return ", ".join(str(container.get("image", "")).rpartition("/")[2] for container in containers)


def _use(entry: Obj) -> Use:
    return Use(entry.get("metric", ""), entry.get("role", ""), bound_of(entry))


def _result(entry: Obj) -> Result:
    return Result(
        metric=entry.get("metric", ""),
        treatment=entry.get("treatment", ""),
        role=entry.get("role", ""),
        verdict=entry.get("verdict") or "",
        control=number(entry.get("control")),
        value=number(entry.get("value")),
        relative=number(entry.get("relative")),
        lower=number(entry.get("lower")),
        upper=number(entry.get("upper")),
        progress=entry.get("progress") or "",
        message=entry.get("message") or "",
    )
