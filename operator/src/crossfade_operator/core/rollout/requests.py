"""What a person asked for by annotation: promote, abort, retry. Each token is acted on once, or refused once.

A token is free text; `<revision>:` in front binds it to one candidate, so that a late request cannot hit its
successor, and `full:` before the token of a promotion asks to skip the remaining steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from crossfade_analyzer.contract import Evaluation, Verdict
from crossfade_operator.api.decision import Basis
from crossfade_operator.api.modelrollout_status import Action, Candidate, Outcome, Stage
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout import checks
from crossfade_operator.core.rollout.moves import next_step, promote, start, withdraw
from crossfade_operator.core.rollout.records import Grounds, decide_to, event
from crossfade_operator.core.rollout.view import Turn, View

BY_REQUEST = "request"
"""The `by` of a decision that a person asked for who is not known."""

BY_PERSON = Grounds(by=BY_REQUEST, basis=Basis.HUMAN)


@dataclass(frozen=True)
class Request:
    """A token taken apart."""

    revision: str | None
    full: bool


def parse(token: str) -> Request:
    """`abc`, `full:abc`, `<revision>:abc`, `<revision>:full:abc`."""
    parts = token.split(":")[:-1]
    full = bool(parts) and parts[-1] == "full"
    named = parts[:-1] if full else parts
    return Request(named[0] if named else None, full)


def handle(view: View, turn: Turn) -> Turn:
    """Act on every token that was not handled before, and record it as handled."""
    for verb, act in (("abort", _abort), ("retry", _retry), ("promote", _promote)):
        token = view.requests.get(verb)
        if token is None or token == getattr(turn.status.handled, verb):
            continue
        turn = act(view, turn, parse(token))
        turn = turn.set(handled=turn.status.handled.model_copy(update={verb: token}))
    return turn


def _refuse(view: View, turn: Turn, reason: Reason, message: str = "") -> Turn:
    return turn.say(event(view, reason, message or reason.sentence, warning=True))


def _is_for_another(turn: Turn, request: Request, revision: str | None) -> bool:
    return request.revision is not None and request.revision != revision


def _abort(view: View, turn: Turn, request: Request) -> Turn:
    candidate = turn.status.candidate
    if candidate is None or candidate.stage is Stage.WITHDRAWING:
        return _refuse(view, turn, Reason.NOTHING_TO_ABORT)
    if _is_for_another(turn, request, candidate.revision):
        return _refuse(view, turn, Reason.OTHER_REVISION)
    return withdraw(
        view, turn, Outcome.ROLLED_BACK, Reason.ABORT_REQUESTED, Reason.ABORT_REQUESTED.sentence, on=BY_PERSON
    )


def _retry(view: View, turn: Turn, request: Request) -> Turn:
    failed = turn.status.failed_revision
    if failed is None or failed != view.target or turn.status.candidate is not None:
        return _refuse(view, turn, Reason.NOTHING_TO_RETRY)
    if _is_for_another(turn, request, failed):
        return _refuse(view, turn, Reason.OTHER_REVISION)
    if view.unrecorded:
        return _refuse(view, turn, Reason.DECISION_NOT_RECORDED, _not_on_record(view.unrecorded))
    return start(view, turn.set(failed_revision=None), Reason.RETRY_REQUESTED, on=BY_PERSON)


def _not_on_record(sentence: str) -> str:
    return f"a decision before this one is not on record yet: {sentence}"


def _objection(view: View, candidate: Candidate) -> tuple[Reason, str] | None:
    """Why this is not the moment to promote. A look that found harm comes before a request that had not seen it."""
    if view.spec.paused:
        return Reason.PAUSED, "resume the rollout before promoting it"
    if view.unrecorded:
        return Reason.DECISION_NOT_RECORDED, _not_on_record(view.unrecorded)
    if isinstance(view.evaluation, Evaluation) and view.evaluation.verdict is Verdict.HARMFUL:
        return Reason.EVIDENCE_OF_HARM, "not promoted: this look found harm"
    if not view.pods_of(candidate.revision).all_ready:
        return Reason.CANDIDATE_UNREADY, "not promoted: the candidate's pods are not all ready"
    return None


def _promote(view: View, turn: Turn, request: Request) -> Turn:
    candidate = turn.status.candidate
    if candidate is None or candidate.stage is not Stage.ANALYZING:
        return _refuse(view, turn, Reason.NOTHING_TO_PROMOTE)
    if _is_for_another(turn, request, candidate.revision):
        return _refuse(view, turn, Reason.OTHER_REVISION)
    if objection := _objection(view, candidate):
        return _refuse(view, turn, *objection)
    on = replace(BY_PERSON, recommendation=checks.recommendation(view, candidate))
    if request.full:
        return promote(view, turn, Action.PROMOTE, Reason.PROMOTE_REQUESTED, on=on)
    if turn.status.reason == Reason.APPROVAL_MISSING:
        approvals = candidate.approvals + 1
        approved = turn.set_candidate(approvals=approvals)
        return decide_to(
            view,
            approved,
            Action.APPROVE,
            Reason.APPROVED,
            f"{approvals} approvals of step {candidate.step + 1}",
            revision=candidate.revision,
            share=turn.status.slice or "0%",
            on=BY_PERSON,
        )
    return next_step(view, turn, Reason.PROMOTE_REQUESTED, on=on)
