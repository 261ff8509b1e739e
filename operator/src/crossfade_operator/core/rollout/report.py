"""How a rollout is shown: phase, reason, sentence, columns and conditions, all computed from what is recorded."""

from __future__ import annotations

from dataclasses import dataclass

from crossfade_analyzer.contract import ArmCounts, Evaluation, MetricResult
from crossfade_operator.api.meta import Condition, ConditionStatus
from crossfade_operator.api.modelrollout_status import Action, ArmResult, Outcome, Phase, Role, Stage, Verdict
from crossfade_operator.api.modelrollout_status import MetricResult as MetricRow
from crossfade_operator.core import conditions
from crossfade_operator.core.conditions import Wanted
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout import checks, records
from crossfade_operator.core.rollout.view import Turn, View, candidate_of
from crossfade_operator.core.slices import percent


@dataclass(frozen=True)
class Shown:
    phase: Phase
    reason: Reason
    message: str = ""


def finish(view: View, turn: Turn) -> Turn:
    """Write phase, reason, message, columns and conditions into the turn's status."""
    shown = _shown(view, turn)
    status, candidate = turn.status, turn.status.candidate
    stable = view.pods_of(status.stable_revision)
    turn = turn.set(
        observed_generation=view.generation,
        phase=shown.phase,
        reason=shown.reason.value,
        message=shown.message or shown.reason.sentence,
        step=candidate.step + 1 if candidate and candidate.stage in (Stage.SHIFTING, Stage.ANALYZING) else 0,
        steps=len(view.spec.strategy.steps),
        slice=_slice(view, turn),
        candidate_revision=candidate.revision if candidate else None,
        revision=candidate.revision if candidate else status.stable_revision,
        replicas=stable.wanted + (view.pods_of(candidate.revision).wanted if candidate else 0),
        ready_replicas=stable.ready + (view.pods_of(candidate.revision).ready if candidate else 0),
        selector=f"crossfade.dev/rollout={view.name},crossfade.dev/component=revision",
    )
    turn = _tell_of_refusals(view, turn)
    if shown.phase is Phase.REFUSED and not candidate and status.reason != shown.reason:
        turn = turn.say(records.event(view, shown.reason, shown.message, warning=True))
    return turn.set(conditions=_conditions(view, turn, shown))


def _tell_of_refusals(view: View, turn: Turn) -> Turn:
    """An Event when objects begin to be refused: a rollout at rest is looked at by nobody."""
    accepted, before = _accepted(view), {one.type: one for one in turn.status.conditions}.get("Accepted")
    if accepted.holds is not False or (before is not None and before.status is ConditionStatus.FALSE):
        return turn
    return turn.say(records.event(view, accepted.reason, accepted.message, warning=True))


# Phase -------------------------------------------------------------------------------------------------------


def _shown(view: View, turn: Turn) -> Shown:
    if not view.endpoint_found:
        message = f"there is no ModelEndpoint {view.spec.endpoint!r} in this namespace; create it"
        return Shown(Phase.PENDING, Reason.ENDPOINT_NOT_FOUND, message)
    if view.claimed_by is not None:
        message = f"ModelRollout {view.claimed_by!r} holds the endpoint {view.spec.endpoint!r}; delete one of the two"
        return Shown(Phase.REFUSED, Reason.ENDPOINT_CLAIMED, message)
    return _with_candidate(view, turn) if turn.status.candidate else _without_candidate(view, turn)


def _without_candidate(view: View, turn: Turn) -> Shown:
    status = turn.status
    if status.failed_revision == view.target:
        return Shown(Phase.ROLLED_BACK, *_rolled_back(turn))
    if view.spec.paused and view.target != status.stable_revision:
        return Shown(Phase.PAUSED, Reason.PAUSED)
    if view.unrecorded:
        return Shown(Phase.HOLDING, Reason.DECISION_NOT_RECORDED, view.unrecorded)
    if view.policy_problem:
        return Shown(Phase.REFUSED, Reason.POLICY_NOT_MET, view.policy_problem)
    if status.stable_revision is None:
        return Shown(Phase.PENDING, Reason.FIRST_REVISION_STARTING)
    settled = view.routes.confirmed and view.routes.stable == status.stable_revision
    if settled or status.phase is Phase.PROMOTED:
        return Shown(Phase.PROMOTED, *_settled(turn))
    return Shown(Phase.PROGRESSING, Reason.SHIFTING_TRAFFIC)


def _rolled_back(turn: Turn) -> tuple[Reason, str]:
    """Reason and sentence of the last rollback."""
    last = next(record for record in reversed(turn.status.decisions) if record.action is Action.ROLLBACK)
    return Reason(last.reason), last.message


_SETTLING = (Action.PROMOTE, Action.RESTORE, Action.WITHDRAW)


def _settled(turn: Turn) -> tuple[Reason, str]:
    """How the stable revision came to be the wanted one, unless something else was tried and left since."""
    last = next(reversed(turn.status.decisions), None)
    if last is None or last.action not in _SETTLING:
        return Reason.UP_TO_DATE, Reason.UP_TO_DATE.sentence
    return Reason(last.reason), last.message


def _with_candidate(view: View, turn: Turn) -> Shown:
    candidate = candidate_of(turn)
    if candidate.stage is Stage.WITHDRAWING:
        phase = Phase.ROLLED_BACK if candidate.outcome is Outcome.ROLLED_BACK else Phase.PROGRESSING
        return Shown(phase, Reason(turn.status.decisions[-1].reason), turn.status.decisions[-1].message)
    if candidate.revision in view.refusals:
        return Shown(Phase.REFUSED, Reason.INVALID_TEMPLATE, view.refusals[candidate.revision])
    if view.unrecorded:
        return Shown(Phase.HOLDING, Reason.DECISION_NOT_RECORDED, view.unrecorded)
    if candidate.stage is Stage.STARTING:
        return _starting(view, turn)
    if candidate.stage is Stage.SHIFTING and view.no_room:
        return Shown(Phase.HOLDING, Reason.NO_FREE_POSITIONS, view.no_room)
    if candidate.stage is Stage.SHIFTING:
        return Shown(Phase.PROGRESSING, Reason.SHIFTING_TRAFFIC, _in_step(view, turn, Reason.SHIFTING_TRAFFIC.sentence))
    return _analyzing(view, turn)


def _starting(view: View, turn: Turn) -> Shown:
    candidate = candidate_of(turn)
    pods = view.pods_of(candidate.revision)
    message = f"{pods.ready} of {pods.wanted} pods of {candidate.revision} are ready"
    if pods.all_ready and not view.routes.leads_to(candidate.revision):
        message = f"the pods of {candidate.revision} are ready; waiting for every router to find them"
    if turn.status.stable_revision is None:
        late = view.now >= candidate.started_at + view.spec.progress_deadline
        reason = Reason.PROGRESS_DEADLINE_EXCEEDED if late else Reason.FIRST_REVISION_STARTING
        return Shown(Phase.INITIALIZING, reason, f"{message}: {pods.trouble}" if pods.trouble else message)
    if view.spec.paused:
        return Shown(Phase.PAUSED, Reason.PAUSED)
    if pods.all_ready and view.plan_problem:
        return Shown(Phase.HOLDING, Reason.CONTRACT_BROKEN, view.plan_problem)
    if pods.all_ready and view.policy_problem:
        return Shown(Phase.HOLDING, Reason.POLICY_NOT_MET, view.policy_problem)
    if pods.all_ready and view.no_room:
        return Shown(Phase.HOLDING, Reason.NO_FREE_POSITIONS, view.no_room)
    gate = checks.gate_before(view, checks.next_positions(view, candidate))
    if pods.all_ready and gate and not candidate.restore:
        return Shown(Phase.HOLDING, gate.reason, gate.message)
    return Shown(
        Phase.PROGRESSING, Reason.CANDIDATE_STARTING, f"{message}: {pods.trouble}" if pods.trouble else message
    )


_PHASES = {
    Reason.ANALYZING: Phase.PROGRESSING,
    Reason.PAUSED: Phase.PAUSED,
    Reason.APPROVAL_MISSING: Phase.AWAITING_APPROVAL,
}


def _analyzing(view: View, turn: Turn) -> Shown:
    finding = checks.first(checks.WAITS, view, candidate_of(turn))
    if finding is None:
        return Shown(Phase.PROGRESSING, Reason.ANALYZING, _in_step(view, turn, "done; the next look confirms it"))
    return Shown(_PHASES.get(finding.reason, Phase.HOLDING), finding.reason, _in_step(view, turn, finding.message))


def _in_step(view: View, turn: Turn, message: str) -> str:
    candidate = candidate_of(turn)
    number, steps = checks.step_of(view, candidate) + 1, len(view.spec.strategy.steps)
    return f"step {number}/{steps} at {percent(candidate.positions)}: {message}"


# Columns and conditions --------------------------------------------------------------------------------------


def _slice(view: View, turn: Turn) -> str:
    """The share of the users who get `status.revision`."""
    if turn.status.candidate is None:
        return "100%" if turn.status.stable_revision else "0%"
    granted = view.routes.candidate
    mine = granted is not None and granted.revision == turn.status.candidate.revision
    return percent(granted.positions) if granted is not None and mine else "0%"


def _conditions(view: View, turn: Turn, shown: Shown) -> tuple[Condition, ...]:
    status, stable = turn.status, view.pods_of(turn.status.stable_revision)
    looked = view.endpoint_found and view.claimed_by is None
    moving = shown.phase in (Phase.INITIALIZING, Phase.PROGRESSING)
    message = shown.message
    ready_message = f"{stable.ready} of {stable.wanted} pods of the stable revision are ready"
    ready: bool | None = stable.wanted > 0 and stable.ready >= stable.wanted if looked else None
    if status.stable_revision is None:
        ready = False if looked else None
        ready_message = "there is no stable revision yet"
    wanted = (
        Wanted("Ready", ready, Reason.UP_TO_DATE if ready else shown.reason, ready_message),
        Wanted("Progressing", moving, shown.reason, message),
        Wanted("Promoted", shown.phase is Phase.PROMOTED, shown.reason, message),
        Wanted("RolledBack", shown.phase is Phase.ROLLED_BACK, shown.reason, message),
        Wanted("Paused", view.spec.paused, Reason.PAUSED if view.spec.paused else shown.reason, message),
        _accepted(view) if looked else Wanted("Accepted", None, shown.reason, message),
        _recorded(view),
        _review_due(turn),
    )
    return conditions.set_all(status.conditions, wanted, generation=view.generation, now=view.now)


def _accepted(view: View) -> Wanted:
    """Whether the API server takes what the rollout needs, whichever of its revisions that is for."""
    pods = {name: seen.refused for name, seen in view.pods.items() if seen.refused}
    refused = pods | dict(view.refusals)
    if not refused:
        return Wanted("Accepted", True, Reason.ACCEPTED)
    message = "; ".join(f"revision {name}: {sentence}" for name, sentence in sorted(refused.items()))
    return Wanted("Accepted", False, Reason.OBJECTS_REFUSED, message)


def _recorded(view: View) -> Wanted:
    if view.unrecorded:
        return Wanted("DecisionsRecorded", False, Reason.DECISION_NOT_RECORDED, view.unrecorded)
    return Wanted("DecisionsRecorded", True, Reason.DECISIONS_RECORDED)


def _review_due(turn: Turn) -> Wanted:
    due = [f"{one.decision} by {one.by}" for one in turn.status.reviews_due]
    if not due:
        return Wanted("ReviewDue", False, Reason.NOTHING_TO_REVIEW)
    message = f"made in an emergency and not reviewed by another person yet: {', '.join(due)}"
    return Wanted("ReviewDue", True, Reason.REVIEW_DUE, message)


# Evidence ----------------------------------------------------------------------------------------------------


def metric_rows(evaluation: Evaluation) -> tuple[MetricRow, ...]:
    """The last look's results, one row a metric, as `kubectl describe` shows them."""
    return tuple(_row(result) for result in evaluation.metrics)


def _row(result: MetricResult) -> MetricRow:
    return MetricRow(
        name=result.name,
        role=Role(result.role.value),
        verdict=Verdict(result.verdict.value),
        control=_arm(result.control),
        candidate=_arm(result.candidate),
        ratio=_number(result.ratio),
        lower=_number(result.lower),
        upper=_number(result.upper),
        message=result.message,
    )


def _arm(counts: ArmCounts | None) -> ArmResult | None:
    if counts is None:
        return None
    return ArmResult(events=counts.events, total=counts.total, value=_number(counts.value))


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"
