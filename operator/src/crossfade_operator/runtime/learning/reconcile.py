"""One turn of one experiment: look, decide, record, act. Read this first.

A turn is made from fresh reads and changes nothing that it has not recorded first, in a status that is guarded by its
resourceVersion. What needs a Decision takes three writes: the status that intends it, the Decision, the status that
follows from it. Whoever dies in between leaves a record from which the next turn goes on; whoever decides from a stale
read cannot record, and so cannot act.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crossfade_analyzer.contract import (
    ArmRole,
    ExperimentArm,
    ExperimentEvaluation,
    ExperimentPlan,
    ExperimentPlanRequest,
)
from crossfade_operator.api.decision import DecisionSpec
from crossfade_operator.api.experiment_status import ExperimentPhase, ExperimentStatus
from crossfade_operator.core.effects import Effect
from crossfade_operator.core.experiment import arms, holding, machine, planning, records, timing
from crossfade_operator.core.experiment.view import Recorded, RecordRefused, Turn, View, label_of
from crossfade_operator.ports.clock import Clock
from crossfade_operator.ports.cluster import Obj, Refused
from crossfade_operator.ports.learning import LearningCluster, Name
from crossfade_operator.ports.telemetry import ExperimentTelemetry
from crossfade_operator.ports.verdicts import ExperimentVerdicts, Unavailable
from crossfade_operator.runtime.learning import act, gather

PLAN_LASTS = timedelta(minutes=5)
"""How long a plan is shown before the analyzer is asked again: it reads a week of traffic."""


@dataclass(frozen=True)
class _Planned:
    """The analyzer's plan of one design, and until when it need not be asked again."""

    design: str
    until: datetime
    plan: ExperimentPlan | Unavailable


class ExperimentReconciler:
    """Makes turns. It remembers nothing that matters: only what the API server last refused, and plans to show."""

    def __init__(
        self,
        cluster: LearningCluster,
        verdicts: ExperimentVerdicts,
        clock: Clock,
        telemetry: ExperimentTelemetry,
        arm_priority_class: str = "",
    ) -> None:
        self._arm_priority_class = arm_priority_class
        self._cluster, self._verdicts, self._clock, self._telemetry = cluster, verdicts, clock, telemetry
        self._refusals: dict[str, str] = {}
        self._plans: dict[str, _Planned] = {}

    async def reconcile(self, name: Name) -> datetime | None:
        """One turn; returns when the next is due although nothing changes. Raises what `ports.cluster` raises."""
        experiment = await self._cluster.experiment(name)
        if experiment is None or holding.is_gone(experiment):
            self._telemetry.experiment_gone(name)
            return None
        uid = experiment["metadata"]["uid"]
        world = await gather.look(self._cluster, experiment, self._clock.now())
        view = gather.view_of(world, self._refusals.get(uid))
        view = await self._judged(await self._planned(await self._recorded(view)))
        turn = machine.decide(view)
        written = await self._record(await self._held(experiment, turn), view.status, turn)
        self._tell(name, view, turn)
        refused = await act.apply_all(self._cluster, written, self._effects(world, view, turn))
        if holding.is_held(written) and holding.may_go(view.after(turn)):
            await self._cluster.release(written, holding.FINALIZER)
        if self._remember(uid, refused) or _moved(view.status, turn.status):
            return world.now
        return timing.due_at(view, turn)

    def _effects(self, world: gather.World, view: View, turn: Turn) -> Iterable[Effect]:
        present = [*world.objects.deployments, *world.objects.controller_revisions]
        yield from arms.effects(world.experiment, view, turn, present, self._arm_priority_class)
        yield from turn.events

    # Decisions -------------------------------------------------------------------------------------------------------

    async def _recorded(self, view: View) -> View:
        """The view with what became of the Decision that was intended: writing it twice leaves one."""
        if not view.status.pending:
            return view
        spec = records.pending_spec(view.status.pending)
        try:
            found = await self._cluster.create(records.manifest(view))
        except Refused as refused:
            return replace(view, record=RecordRefused(str(refused)))
        if not _same(DecisionSpec.model_validate(found["spec"]), spec):
            return replace(view, record=Recorded.TAKEN)
        self._telemetry.experiment_decision(
            Name(view.namespace, view.name),
            action=spec.action.value,
            reason=spec.reason,
            decision=str(found["metadata"]["name"]),
            owner=spec.owner or "",
            outcome=spec.outcome.value if spec.outcome else None,
        )
        return replace(view, record=Recorded.STANDS)

    # The analyzer ----------------------------------------------------------------------------------------------------

    async def _planned(self, view: View) -> View:
        """The view with the analyzer's plan, while the design is looked over and nothing else is missing."""
        asked = view.status.phase is ExperimentPhase.IN_REVIEW and view.wanted and view.endpoint is not None
        if not asked or view.metric_problems or planning.unmocked(view):
            self._plans.pop(view.uid, None)
            return view
        design = planning.design_hash(view.spec, planning.pins(view))
        known = self._plans.get(view.uid)
        if known is None or known.design != design or view.now >= known.until:
            plan = await self._verdicts.plan_experiment(_plan_request(view))
            fine = isinstance(plan, ExperimentPlan) and all(one.holds for one in plan.metrics) and bool(plan.metrics)
            known = _Planned(design, view.now + (PLAN_LASTS if fine else timing.RETRY), plan)
            self._plans[view.uid] = known
        return replace(view, plan=known.plan)

    async def _judged(self, view: View) -> View:
        """The view with the analyzer's answer, when a look is due."""
        if not planning.look_is_due(view):
            return view
        answer = await self._verdicts.evaluate_experiment(planning.request_for(view))
        if isinstance(answer, ExperimentEvaluation):
            self._telemetry.experiment_evaluated(Name(view.namespace, view.name), answer)
        return replace(view, evaluation=answer, now=max(view.now, self._clock.now()))

    # Both ------------------------------------------------------------------------------------------------------------

    async def _held(self, experiment: Obj, turn: Turn) -> Obj:
        """The experiment, kept from going before its users, from before it has any."""
        if holding.is_held(experiment) or not holding.asks_for_users(turn.status):
            return experiment
        return await self._cluster.hold(experiment, holding.FINALIZER)

    async def _record(self, experiment: Obj, before: ExperimentStatus, turn: Turn) -> Obj:
        if turn.status == before:
            return experiment
        return await self._cluster.write_status(experiment, turn.status.manifest())

    def _tell(self, name: Name, view: View, turn: Turn) -> None:
        status = turn.status
        began = status.started_at
        ends = status.stopped_at or view.now
        self._telemetry.experiment(
            name,
            phase=str(status.phase),
            reason=str(status.reason),
            look=status.look,
            progress=int((status.progress or "0%").rstrip("%")) / 100,
            seconds=(ends - began).total_seconds() if began else 0.0,
        )
        before = view.status.transitions[-1] if view.status.transitions else None
        if before is not None and status.phase is not view.status.phase:
            self._telemetry.experiment_left(
                name, phase=str(before.phase), seconds=(view.now - before.at).total_seconds()
            )

    def _remember(self, uid: str, refusal: str | None) -> bool:
        """Keep what was refused about an experiment, so that the next turn shows it. Whether that is news."""
        before = self._refusals.pop(uid, None)
        if refusal is not None:
            self._refusals[uid] = refusal
        return before != refusal


def _same(found: DecisionSpec, intended: DecisionSpec) -> bool:
    """Whether a Decision that was there already is the one that was intended, and not a namesake's."""
    return (found.subject.uid, found.subject.attempt, found.action, found.at) == (
        intended.subject.uid,
        intended.subject.attempt,
        intended.action,
        intended.at,
    )


def _moved(before: ExperimentStatus, after: ExperimentStatus) -> bool:
    """Whether the turn made a move, so that the next one may follow at once."""
    return (before.phase, bool(before.pending), before.slice_request, before.stopped_at) != (
        after.phase,
        bool(after.pending),
        after.slice_request,
        after.stopped_at,
    )


def _plan_request(view: View) -> ExperimentPlanRequest:
    return ExperimentPlanRequest(
        design=planning.design_for(view),
        arms=tuple(
            ExperimentArm(
                name=arm.name,
                role=ArmRole(arm.role.value),
                label=label_of(view.name, arm.name),
                weight=arm.weight,
                revisions=("planned",),
            )
            for arm in view.spec.design.arms
        ),
        slice=view.spec.design.slice.fraction,
    )
