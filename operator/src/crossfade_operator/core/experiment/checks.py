"""What is found of a run, each a reason and a sentence, or None: the machine asks, and the report shows the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from crossfade_analyzer.contract import ExperimentEvaluation, Recommendation
from crossfade_operator.api.decision import Outcome
from crossfade_operator.api.experiment import ExperimentType, Lane
from crossfade_operator.api.experiment_status import ExperimentPhase
from crossfade_operator.core.experiment import deciding, planning, results
from crossfade_operator.core.experiment.reasons import Reason
from crossfade_operator.core.experiment.view import View
from crossfade_operator.ports.verdicts import Unavailable

ARMS_WITHIN = timedelta(minutes=10)
"""How long arms may take to become ready before it is shown as a problem; they may take longer."""


@dataclass(frozen=True)
class Finding:
    """Why something is as it is."""

    reason: Reason
    message: str = ""

    @property
    def sentence(self) -> str:
        return self.message or self.reason.sentence


_TOLD_BY_ANALYZER = (Reason.ANALYZER_UNAVAILABLE, Reason.METRICS_UNAVAILABLE, Reason.CONTRACT_BROKEN)


def interruption(view: View) -> Finding | None:
    """Why no look can be taken now. What an answer said stands until the next answer."""
    return _unrouted(view) or _calibration(view) or _unanswered(view)


def _unrouted(view: View) -> Finding | None:
    if view.endpoint is None:
        message = f"there is no ModelEndpoint {view.spec.endpoint!r} in this namespace; create it"
        return Finding(Reason.ENDPOINT_NOT_FOUND, message)
    if view.spec.dry_run:
        return None
    if not view.granted:
        return Finding(Reason.GRANT_LOST, refused(view) or "")
    return None if view.confirmed else Finding(Reason.ROUTES_UNCONFIRMED)


def _calibration(view: View) -> Finding | None:
    if view.calibration is None or view.spec.type is ExperimentType.AA:
        return None
    return Finding(Reason.CALIBRATION_OFF, view.calibration)


def _unanswered(view: View) -> Finding | None:
    if isinstance(view.evaluation, Unavailable):
        return Finding(Reason.ANALYZER_UNAVAILABLE, view.evaluation.message)
    if view.evaluation is not None:
        reason = results.blind(view.evaluation)
        return Finding(reason, view.evaluation.message) if reason else None
    if view.status.phase is ExperimentPhase.INTERRUPTED and view.status.reason in _TOLD_BY_ANALYZER:
        return Finding(Reason(view.status.reason), view.status.message or "")
    return None


def refused(view: View) -> str | None:
    """Why the serving side did not grant the slice."""
    asked = view.endpoint.status.refused_requests if view.endpoint else ()
    mine = (one for one in asked if one.holder == view.holder and one.request == view.request_id)
    return next((one.message for one in mine), None)


def changed_model(view: View) -> str | None:
    """The arms whose pods no longer run what was pinned."""
    found = []
    for arm in view.status.arms:
        seen = view.arm(arm.name)
        if arm.model_digest is None:
            continue
        if seen.digest is not None and seen.digest != arm.model_digest:
            found.append(f"arm {arm.name} runs {seen.digest}, not {arm.model_digest} as at the start")
        elif seen.template is not None and seen.problem is not None:
            found.append(f"arm {arm.name}: {seen.problem}")
    return "; ".join(found) or None


def emergency(view: View) -> bool:
    """Whether the decision maker decided in the lane that waits for nothing."""
    request = view.spec.decision
    return request is not None and request.lane is Lane.EMERGENCY and not deciding.missing(view, request)


def end(view: View) -> Finding | None:
    """Why the run is over by its plan, judged by a look that has just answered."""
    status, answer = view.status, view.evaluation
    if status.started_at is None:
        return None
    if view.now >= status.started_at + planning.longest(status) and not view.spec.dry_run:
        return Finding(Reason.MAX_RUNTIME_REACHED)
    if not isinstance(answer, ExperimentEvaluation) or interruption(view) is not None:
        return None
    if answer.final:
        return Finding(Reason.PLAN_COMPLETE, answer.message)
    if view.spec.type is ExperimentType.AA or answer.recommendation not in _CONCLUSIVE:
        return None
    if answer.reason in results.HARM:
        return Finding(Reason.EVIDENCE_OF_HARM, answer.message)
    over = view.now >= status.started_at + planning.shortest(status)
    return Finding(Reason.RESULT_REACHED, answer.message) if over else None


_CONCLUSIVE = (Recommendation.SHIP, Recommendation.ABORT)


def failed_for_good(view: View) -> str | None:
    """After the last look: why the comparison cannot be trusted."""
    status = view.status
    if not status.final or status.outcome is not Outcome.INVALID:
        return None
    failed = [f"{check.name}: {check.message}" for check in status.checks if not check.passed]
    return "; ".join(failed) or Reason.CHECK_FAILED.sentence


def pods(view: View) -> Finding:
    """How the arms' pods are, in one sentence."""
    told = []
    failing = False
    for arm in view.status.arms:
        seen = view.arm(arm.name)
        line = f"{arm.name}: {seen.pods.ready} of {arm.replicas} pods are ready"
        trouble = seen.problem or seen.pods.crashing
        told.append(f"{line} ({trouble})" if trouble else line)
        failing = failing or seen.pods.ready == 0
    return Finding(Reason.ARMS_FAILING if failing else Reason.ARMS_READY, ", ".join(told))


def arms_ready(view: View) -> bool:
    return bool(view.status.arms) and all(
        view.arm(arm.name).pods.current and view.arm(arm.name).pods.ready >= arm.replicas for arm in view.status.arms
    )


def models_known(view: View) -> bool:
    return all(view.arm(arm.name).digest is not None for arm in view.status.arms)
