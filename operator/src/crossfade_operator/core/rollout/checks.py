"""What ends a candidate, and what its step still waits for: named checks, the first finding wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from crossfade_operator.api.decision import Recommendation
from crossfade_operator.api.modelrollout import ModelRolloutSpec, OnInconclusive, ProveBefore
from crossfade_operator.api.modelrollout_status import Candidate, Stage, Verdict
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout.view import View
from crossfade_operator.core.slices import POSITIONS


@dataclass(frozen=True)
class Finding:
    """A reason and its sentence. `until` is when looking again can find something else, if time alone can."""

    reason: Reason
    message: str
    until: datetime | None = None


Check = Callable[[View, Candidate], Finding | None]


def first(checks: tuple[Check, ...], view: View, candidate: Candidate) -> Finding | None:
    """The first check that finds something, in the order of the chain."""
    return next((finding for check in checks if (finding := check(view, candidate))), None)


# What ends a candidate ---------------------------------------------------------------------------------------


def _harm_is_shown(view: View, candidate: Candidate) -> Finding | None:
    if candidate.verdict is not Verdict.HARMFUL:
        return None
    return Finding(Reason.EVIDENCE_OF_HARM, candidate.message or Reason.EVIDENCE_OF_HARM.sentence)


def _crash_loops_without_a_ready_pod(view: View, candidate: Candidate) -> Finding | None:
    pods = view.pods_of(candidate.revision)
    if candidate.stage is Stage.STARTING or pods.ready > 0 or not pods.crashing:
        return None
    return Finding(Reason.CRASH_LOOPING, pods.crashing)


def _is_unready_past_its_deadline(view: View, candidate: Candidate) -> Finding | None:
    pods = view.pods_of(candidate.revision)
    starting = candidate.stage is Stage.STARTING
    missed = starting and view.routes.confirmed and view.routes.reachable is False
    ready = pods.all_ready and not missed
    since = candidate.started_at if starting else candidate.unready_since
    if since is None or ready or view.now < since + view.spec.progress_deadline:
        return None
    why = pods.trouble or f"{pods.ready} of {pods.wanted} pods are ready"
    if pods.all_ready:
        why = "the pods are ready, but not every router reaches one: see `router.healthPath` and the pods' port http"
    return Finding(Reason.PROGRESS_DEADLINE_EXCEEDED, f"after {view.spec.progress_deadline} {why}")


def _runs_another_model(view: View, candidate: Candidate) -> Finding | None:
    """A tag that was moved: evidence, decisions and approvals are about what it was, not about what it is."""
    was, now = candidate.model_digest, view.model_digest
    if was is None or now is None or was == now:
        return None
    return Finding(Reason.MODEL_CHANGED, f"its pods run {now}, and {was} when it got its first users")


def _is_inconclusive_for_too_long(view: View, candidate: Candidate) -> Finding | None:
    if view.spec.strategy.analysis.on_inconclusive is not OnInconclusive.ROLLBACK:
        return None
    finding = _proof_is_missing(view, candidate)
    return finding if finding and finding.reason is Reason.INCONCLUSIVE else None


ENDS: tuple[Check, ...] = (
    _harm_is_shown,
    _crash_loops_without_a_ready_pod,
    _is_unready_past_its_deadline,
    _runs_another_model,
    _is_inconclusive_for_too_long,
)
"""Any of these takes the candidate out. None of the middle three needs the analyzer or Prometheus."""


# What a step waits for ---------------------------------------------------------------------------------------


def step_index(spec: ModelRolloutSpec, candidate: Candidate) -> int:
    """The candidate's step, kept inside a list of steps that may have been edited since."""
    return min(candidate.step, len(spec.strategy.steps) - 1)


def step_of(view: View, candidate: Candidate) -> int:
    return step_index(view.spec, candidate)


def is_last_step(view: View, candidate: Candidate) -> bool:
    return step_of(view, candidate) == len(view.spec.strategy.steps) - 1


def hold_ends_at(view: View, candidate: Candidate) -> datetime | None:
    if candidate.step_started_at is None:
        return None
    return candidate.step_started_at + view.spec.strategy.steps[step_of(view, candidate)].hold


def _a_decision_is_not_on_record(view: View, candidate: Candidate) -> Finding | None:
    return Finding(Reason.DECISION_NOT_RECORDED, view.unrecorded) if view.unrecorded else None


def _pods_are_unready(view: View, candidate: Candidate) -> Finding | None:
    pods = view.pods_of(candidate.revision)
    if pods.all_ready:
        return None
    since = candidate.unready_since or view.now
    message = f"{pods.ready} of {pods.wanted} candidate pods are ready"
    return Finding(Reason.CANDIDATE_UNREADY, message, since + view.spec.progress_deadline)


def _is_paused(view: View, candidate: Candidate) -> Finding | None:
    return Finding(Reason.PAUSED, Reason.PAUSED.sentence) if view.spec.paused else None


BLIND = {
    Reason.ANALYZER_UNAVAILABLE,
    Reason.METRICS_UNAVAILABLE,
    Reason.CONTRACT_BROKEN,
    Reason.SAMPLE_RATIO_MISMATCH,
}


def _cannot_judge(view: View, candidate: Candidate) -> Finding | None:
    if candidate.reason is None or candidate.reason not in BLIND:
        return None
    return Finding(Reason(candidate.reason), candidate.message or Reason(candidate.reason).sentence)


def policy_asks_for_more(view: View, candidate: Candidate) -> Finding | None:
    """What every rollout of this endpoint does and this one does not."""
    return Finding(Reason.POLICY_NOT_MET, view.policy_problem) if view.policy_problem else None


def _hold_is_running(view: View, candidate: Candidate) -> Finding | None:
    ends = hold_ends_at(view, candidate)
    if ends is not None and view.now >= ends:
        return None
    return Finding(Reason.ANALYZING, candidate.message or "the hold is running", ends)


def _requests_are_too_few(view: View, candidate: Candidate) -> Finding | None:
    step = view.spec.strategy.steps[step_of(view, candidate)]
    seen = candidate.requests.candidate_in_step
    if candidate.mirror or seen >= step.min_requests:
        return None
    return Finding(Reason.INSUFFICIENT_DATA, f"{seen:,} of {step.min_requests:,} requests seen by the candidate")


def _proof_is_missing(view: View, candidate: Candidate) -> Finding | None:
    analysis = view.spec.strategy.analysis
    needed = is_last_step(view, candidate) or analysis.prove_before is ProveBefore.NEXT_STEP
    if candidate.proven or candidate.mirror or not needed:
        return None
    ends = hold_ends_at(view, candidate)
    due = ends + analysis.inconclusive_after if ends else None
    reason = Reason.INCONCLUSIVE if due and view.now >= due else Reason.INSUFFICIENT_DATA
    return Finding(reason, candidate.message or "not every guardrail is proven yet", due)


def next_positions(view: View, candidate: Candidate) -> int:
    """The positions that come next: those of the next step, 0 for copies, all of them for promotion."""
    steps, here = view.spec.strategy.steps, step_of(view, candidate)
    if candidate.stage is Stage.STARTING:
        following = 0
    elif candidate.mirror and not steps[here].mirror:
        following = here
    elif is_last_step(view, candidate):
        return POSITIONS
    else:
        following = here + 1
    return 0 if steps[following].mirror else steps[following].slice.positions


def gate_before(view: View, positions: int) -> Finding | None:
    """Whether gates must be met before a candidate holds so many positions, and are not."""
    if view.unmet_gate is None or positions <= view.unproven_positions:
        return None
    return Finding(Reason.GATE_NOT_MET, view.unmet_gate)


def _gate_has_closed_behind_it(view: View, candidate: Candidate) -> Finding | None:
    """It holds more than an unproven one may, and what allowed that is no longer true: shown before all else."""
    return None if candidate.mirror else gate_before(view, candidate.positions)


def _gate_is_before_it(view: View, candidate: Candidate) -> Finding | None:
    return gate_before(view, next_positions(view, candidate))


def _approval_is_missing(view: View, candidate: Candidate) -> Finding | None:
    needed = view.spec.strategy.steps[step_of(view, candidate)].approvals
    given = len(candidate.approved_by)
    if given >= needed:
        return None
    return Finding(Reason.APPROVAL_MISSING, f"{given} of {needed} approvals given")


def _next_slice_does_not_fit(view: View, candidate: Candidate) -> Finding | None:
    if not view.no_room or is_last_step(view, candidate):
        return None
    return Finding(Reason.NO_FREE_POSITIONS, view.no_room)


WAITS: tuple[Check, ...] = (
    _a_decision_is_not_on_record,
    _pods_are_unready,
    _is_paused,
    _cannot_judge,
    _gate_has_closed_behind_it,
    policy_asks_for_more,
    _hold_is_running,
    _requests_are_too_few,
    _proof_is_missing,
    _gate_is_before_it,
    _approval_is_missing,
    _next_slice_does_not_fit,
)
"""What keeps a candidate in its step, most urgent first. None of them: the step is done."""


def recommendation(view: View, candidate: Candidate, *, full: bool = False) -> tuple[Recommendation, Finding | None]:
    """What the rule would do with a candidate that is analysed, whatever a person does, and what it waits for.

    To skip the remaining steps (`full`) takes the proof that the last one would.
    """
    if finding := first(ENDS, view, candidate):
        return Recommendation.ROLLBACK, finding
    if finding := first(WAITS, view, candidate):
        return Recommendation.HOLD, finding
    if full and not candidate.proven:
        return Recommendation.HOLD, Finding(Reason.INSUFFICIENT_DATA, "not every guardrail is proven yet")
    return (Recommendation.PROMOTE if is_last_step(view, candidate) else Recommendation.ADVANCE), None
