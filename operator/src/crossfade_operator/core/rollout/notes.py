"""What a turn takes down of what it saw, before anything is decided: readiness, and the answer to a look."""

from __future__ import annotations

from datetime import datetime, timedelta

from crossfade_analyzer.contract import Evaluation
from crossfade_analyzer.contract import Verdict as Judged
from crossfade_operator.api.modelrollout_status import Candidate, CandidateRequests, Stage, Verdict
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout import checks, report
from crossfade_operator.core.rollout.view import Turn, View, candidate_of


def take(view: View, turn: Turn) -> Turn:
    """The turn with what was seen of its candidate; one on its way out is no longer looked at."""
    candidate = turn.status.candidate
    if candidate is None or candidate.stage is Stage.WITHDRAWING:
        return turn
    return _evaluation(view, _readiness(view, turn))


def _readiness(view: View, turn: Turn) -> Turn:
    """Since when an exposed candidate has too few ready pods: an absolute time, so that a restart forgets nothing."""
    candidate = candidate_of(turn)
    ready = view.pods_of(candidate.revision).all_ready
    if candidate.stage is Stage.STARTING or ready == (candidate.unready_since is None):
        return turn
    return turn.set_candidate(unready_since=None if ready else view.now)


def _evaluation(view: View, turn: Turn) -> Turn:
    """Take down the answer to a look that was due, and when the next one is."""
    answer, candidate = view.evaluation, candidate_of(turn)
    if answer is None or candidate.stage is Stage.STARTING:
        return turn
    if not isinstance(answer, Evaluation):
        turn = turn.set_candidate(
            verdict=None, proven=False, reason=Reason.ANALYZER_UNAVAILABLE.value, message=answer.message
        )
    else:
        turn = turn.set(metrics=report.metric_rows(answer), verdict=Verdict(answer.verdict.value)).set_candidate(
            looks=answer.look,
            verdict=Verdict(answer.verdict.value),
            proven=answer.verdict is Judged.PROVEN,
            reason=answer.reason.value if answer.reason else None,
            message=answer.message,
            evidence=answer.digest,
            requests=CandidateRequests(
                control=answer.requests.control,
                candidate=answer.requests.candidate,
                candidate_in_step=answer.requests.candidate_in_step if candidate.step_started_at else 0,
            ),
        )
    return turn.set_candidate(next_look_at=_next_look(view, candidate))


def _next_look(view: View, candidate: Candidate) -> datetime:
    """One interval from now, or the end of the hold when that comes first: no step waits for a look in vain."""
    next_look = view.now + view.spec.strategy.analysis.interval
    ends = checks.hold_ends_at(view, candidate)
    return min(next_look, ends) if ends is not None and ends > view.now + timedelta(seconds=1) else next_look
