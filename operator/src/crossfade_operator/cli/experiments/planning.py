"""`plan`: what an experiment would take and what keeps it from starting. The parts, and how they are put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from crossfade_analyzer.contract import ArmRole, ExperimentArm, ExperimentPlan, ExperimentPlanRequest
from crossfade_operator.api.experiment_status import ExperimentPhase
from crossfade_operator.api.modelendpoint_status import LedgerArm
from crossfade_operator.cli.experiments.seen import design_hash
from crossfade_operator.cli.experiments.view import Experiment
from crossfade_operator.core.experiment import findings, planning, reviews
from crossfade_operator.core.experiment.view import View, label_of
from crossfade_operator.core.revision import revision_of
from crossfade_operator.core.slices import POSITIONS, percent

NOT_ASKED = ExperimentPlan(feasible=False, refusals=(), notes=(), metrics=())
"""Stands for a plan that could not be asked: that alone is no obstacle here, for it is told apart."""

_UNKNOWN_REVISION = "stable"
"""Stands for the stable revision where nothing is stable yet: a plan depends on no revision's name."""


@dataclass(frozen=True)
class Holder:
    """Positions of the ledger that are taken."""

    name: str
    arm: str
    share: str


@dataclass(frozen=True)
class Ledger:
    """Who holds the endpoint's users, and what is left for this experiment."""

    holders: tuple[Holder, ...]
    floor: str
    most: str
    """What all experiments together may hold."""
    free: str
    asked: str


@dataclass(frozen=True)
class Said:
    """A review of this very design."""

    reviewer: str
    verdict: str
    reason: str


@dataclass(frozen=True)
class Reviewing:
    """Whose word is in, and how many approvals are missing."""

    needed: int
    approvals: tuple[str, ...]
    said: tuple[Said, ...]

    @property
    def missing(self) -> int:
        return max(self.needed - len(self.approvals), 0)


@dataclass(frozen=True)
class Planned:
    """Everything that `plan` shows. `analysis` is None with a sentence in `unknown` where it could not be asked."""

    experiment: Experiment
    design_hash: str
    analysis: ExperimentPlan | None
    unknown: str | None
    contracts: Mapping[str, str]
    """What the Metrics' own status says, by name."""
    obstacles: tuple[str, ...]
    warnings: tuple[str, ...]
    changes_asked: str | None
    ledger: Ledger | None
    reviewing: Reviewing

    @property
    def can_start(self) -> bool:
        """Nothing but reviews keeps it from starting, as far as is known."""
        return not self.obstacles and not self.changes_asked


def question(view: View, history_seconds: float) -> ExperimentPlanRequest | None:
    """What the analyzer is asked; None while the endpoint or a Metric is missing, for then there is no design."""
    if view.endpoint is None or view.metric_problems:
        return None
    stable = view.endpoint.status.stable_revision or _UNKNOWN_REVISION
    return ExperimentPlanRequest(
        design=planning.design_for(view),
        arms=tuple(
            ExperimentArm(
                name=arm.name,
                role=ArmRole(arm.role.value),
                label=label_of(view.name, arm.name),
                weight=Decimal(arm.weight),
                revisions=(revision_of(arm.template.manifest()) if arm.template else stable,),
            )
            for arm in view.spec.design.arms
        ),
        slice=view.spec.design.slice.fraction,
        history_seconds=history_seconds,
    )


def planned(
    view: View,
    experiment: Experiment,
    analysis: ExperimentPlan | None,
    unknown: str | None,
    contracts: Mapping[str, str],
) -> Planned:
    """All of it from what was seen."""
    design = design_hash(view)
    seen = replace(view, plan=analysis or NOT_ASKED)
    return Planned(
        experiment=experiment,
        design_hash=design,
        analysis=analysis,
        unknown=unknown,
        contracts=contracts,
        obstacles=_obstacles(seen),
        warnings=findings.warnings(seen),
        changes_asked=findings.asked_changes(view, design),
        ledger=_ledger(view),
        reviewing=reviewing(view, design),
    )


def _obstacles(view: View) -> tuple[str, ...]:
    """What is already under way has passed them."""
    new = view.status.phase in (None, ExperimentPhase.DRAFT, ExperimentPhase.IN_REVIEW)
    return findings.obstacles(view) if new else ()


def reviewing(view: View, design: str) -> Reviewing:
    """The reviews of a design."""
    said = tuple(
        Said(one.spec.reviewer, one.spec.verdict.value, one.spec.reason or "")
        for one in reviews.of_design(view, design)
    )
    return Reviewing(view.policy.reviews.approvals, reviews.approvals(view, design), said)


def _ledger(view: View) -> Ledger | None:
    if view.endpoint is None or view.spec.dry_run:
        return None
    policy, entries = view.endpoint.spec.policy, view.endpoint.status.ledger
    taken = [entry for entry in entries if entry.holder != view.holder and entry.arm is not LedgerArm.MIRROR]
    held = sum(entry.positions for entry in taken)
    by_experiments = sum(entry.positions for entry in taken if entry.arm is LedgerArm.EXPERIMENT)
    free = min(POSITIONS - held - policy.stable_floor.positions, policy.max_experiment_slice.positions - by_experiments)
    totals: dict[tuple[str, str], int] = {}
    for entry in taken:
        key = (entry.holder, entry.arm.value)
        totals[key] = totals.get(key, 0) + entry.positions
    return Ledger(
        holders=tuple(Holder(name, arm, percent(positions)) for (name, arm), positions in sorted(totals.items())),
        floor=str(policy.stable_floor),
        most=str(policy.max_experiment_slice),
        free=percent(max(free, 0)),
        asked=str(view.spec.design.slice),
    )


def as_values(plan: Planned) -> dict[str, Any]:
    """For programs."""
    return dict(_values(plan))


def _values(plan: Planned) -> Iterator[tuple[str, Any]]:
    experiment = plan.experiment
    yield "experiment", {"namespace": experiment.namespace, "name": experiment.name, "endpoint": experiment.endpoint}
    yield "designHash", plan.design_hash
    yield "canStart", plan.can_start and plan.analysis is not None
    yield "obstacles", list(plan.obstacles)
    yield "warnings", list(plan.warnings)
    yield "unknown", plan.unknown
    yield "analysis", plan.analysis.model_dump(mode="json", by_alias=True) if plan.analysis else None
    if plan.ledger:
        holders = [vars(holder) for holder in plan.ledger.holders]
        yield "ledger", {**vars(plan.ledger), "holders": holders}
    yield (
        "reviews",
        {
            "needed": plan.reviewing.needed,
            "missing": plan.reviewing.missing,
            "approvals": list(plan.reviewing.approvals),
            "said": [vars(one) for one in plan.reviewing.said],
        },
    )
