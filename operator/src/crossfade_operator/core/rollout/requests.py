"""What a person asked for by annotation: promote, abort, retry. Each token is acted on once, or refused once.

A token is free text; `<revision>:` in front binds it to one candidate, so that a late request cannot hit its
successor. Of a promotion, `full:` before the token asks to skip the remaining steps, and `emergency:` to act at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from crossfade_operator.api.decision import MOST_DUE, Basis, DecisionAction, Recommendation, ReviewDue
from crossfade_operator.api.modelrollout_status import Action, Candidate, Outcome, Stage, Verdict
from crossfade_operator.core import reviews
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout import checks
from crossfade_operator.core.rollout.moves import next_step, promote, start, withdraw
from crossfade_operator.core.rollout.records import Grounds, decide_to, event
from crossfade_operator.core.rollout.view import Turn, View, candidate_of
from crossfade_operator.core.signatures import UNNAMED
from crossfade_operator.core.slices import POSITIONS


@dataclass(frozen=True)
class Request:
    """A token taken apart."""

    revision: str | None = None
    full: bool = False
    emergency: bool = False


def parse(token: str) -> Request:
    """`abc`, `full:abc`, `emergency:abc`, `<revision>:abc`, `<revision>:full:emergency:abc`."""
    parts, flags = token.split(":")[:-1], set()
    while parts and parts[-1] in ("full", "emergency"):
        flags.add(parts.pop())
    return Request(parts[0] if parts else None, "full" in flags, "emergency" in flags)


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
        view,
        turn,
        Outcome.ROLLED_BACK,
        Reason.ABORT_REQUESTED,
        Reason.ABORT_REQUESTED.sentence,
        on=_signed(view, "abort"),
    )


def _retry(view: View, turn: Turn, request: Request) -> Turn:
    failed = turn.status.failed_revision
    if failed is None or failed != view.target or turn.status.candidate is not None:
        return _refuse(view, turn, Reason.NOTHING_TO_RETRY)
    if _is_for_another(turn, request, failed):
        return _refuse(view, turn, Reason.OTHER_REVISION)
    if view.unrecorded:
        return _refuse(view, turn, Reason.DECISION_NOT_RECORDED, _not_on_record(view.unrecorded))
    if view.policy_problem:
        return _refuse(view, turn, Reason.POLICY_NOT_MET, view.policy_problem)
    return start(view, turn.set(failed_revision=None), Reason.RETRY_REQUESTED, on=_signed(view, "retry"))


def _signed(view: View, verb: str) -> Grounds:
    return Grounds(view.signers.get(verb, UNNAMED), Basis.HUMAN)


def _not_on_record(sentence: str) -> str:
    return f"a decision before this one is not on record yet: {sentence}"


def _promote(view: View, turn: Turn, request: Request) -> Turn:
    candidate = turn.status.candidate
    if candidate is None or candidate.stage is not Stage.ANALYZING:
        return _refuse(view, turn, Reason.NOTHING_TO_PROMOTE)
    if _is_for_another(turn, request, candidate.revision):
        return _refuse(view, turn, Reason.OTHER_REVISION)
    if objection := _out_of_the_question(view, candidate):
        return _refuse(view, turn, *objection)
    if request.emergency:
        return _promote_at_once(view, turn, request)
    if objection := _against_the_evidence(view, candidate, request):
        return _refuse(view, turn, *objection)
    if turn.status.reason == Reason.APPROVAL_MISSING and not request.full:
        return _approve(view, turn, candidate)
    return _promote_when_agreed(view, turn, request)


def _out_of_the_question(view: View, candidate: Candidate) -> tuple[Reason, str] | None:
    """What not even an emergency overtakes."""
    if view.spec.paused:
        return Reason.PAUSED, "resume the rollout before promoting it"
    if view.unrecorded:
        return Reason.DECISION_NOT_RECORDED, _not_on_record(view.unrecorded)
    if not view.pods_of(candidate.revision).all_ready:
        return Reason.CANDIDATE_UNREADY, "not promoted: the candidate's pods are not all ready"
    return None


def _against_the_evidence(view: View, candidate: Candidate, request: Request) -> tuple[Reason, str] | None:
    """What no approval overtakes. A look that found harm comes before a request that had not seen it."""
    if candidate.verdict is Verdict.HARMFUL:
        return Reason.EVIDENCE_OF_HARM, "not promoted: this look found harm"
    wanted = POSITIONS if request.full else checks.next_positions(view, candidate)
    finding = checks.gate_before(view, wanted) or checks.policy_asks_for_more(view, candidate)
    return (finding.reason, f"not promoted: {finding.message}") if finding else None


def _approve(view: View, turn: Turn, candidate: Candidate) -> Turn:
    """Approvals are people: nobody has two, and the owner none where the policy says so."""
    who = view.requested_by or UNNAMED
    if who in candidate.approved_by:
        return _refuse(view, turn, Reason.NOT_APPROVED, f"{who} has approved this step before: another person must")
    if who in view.uncounted:
        own = (
            f"{who} owns the rollout, or did when the attempt began, and policy.reviews.ownApproval of the endpoint "
            "asks for another person"
        )
        return _refuse(view, turn, Reason.NOT_APPROVED, own)
    approved_by = (*candidate.approved_by, who)
    return decide_to(
        view,
        turn.set_candidate(approved_by=approved_by),
        Action.APPROVE,
        Reason.APPROVED,
        f"{len(approved_by)} approvals of step {candidate.step + 1}",
        revision=candidate.revision,
        share=turn.status.slice or "0%",
        on=_by_person(view),
    )


def _by_person(view: View) -> Grounds:
    return Grounds(view.requested_by or UNNAMED, Basis.HUMAN, rationale=view.rationale)


def _promote_when_agreed(view: View, turn: Turn, request: Request) -> Turn:
    """The evidence agrees, or other people do, with their reasons."""
    candidate = candidate_of(turn)
    recommended, finding = checks.recommendation(view, candidate, full=request.full)
    on = replace(_by_person(view), recommendation=recommended)
    if finding is None:
        return _go(view, turn, request, on)
    promotes = request.full or checks.is_last_step(view, candidate)
    actions = (DecisionAction.PROMOTE,) if promotes else (DecisionAction.ADVANCE, DecisionAction.PROMOTE)
    found = reviews.overrides(view.reviews, actions, {view.requested_by, *view.uncounted}, candidate.started_at)
    if view.requested_by is None or len(found) < view.override_approvals:
        return _refuse(view, turn, Reason.NOT_APPROVED, _how_to(view, candidate, recommended, finding, actions, found))
    reasons = "; ".join(f"{one.spec.reviewer}: {one.spec.reason}" for one in found)
    return _go(view, turn, request, replace(on, rationale=view.rationale or reasons))


def _how_to(
    view: View,
    candidate: Candidate,
    recommended: Recommendation,
    finding: checks.Finding,
    actions: tuple[DecisionAction, ...],
    found: reviews.Reviews,
) -> str:
    why = f"the rule recommends {recommended.value} ({finding.message})"
    if view.requested_by is None:
        return f"not promoted: {why}; acting against it needs to be known who asks: annotate crossfade.dev/requested-by"
    return (
        f"not promoted: {why}; acting against it needs Reviews by {view.override_approvals} other people than "
        f"{view.requested_by}, and has {len(found)}: verdict Approve, action {' or '.join(actions)}, a reason, and "
        f"revision {candidate.revision}, made since the candidate started; then ask again"
    )


def _promote_at_once(view: View, turn: Turn, request: Request) -> Turn:
    """Whatever is still waited for, and whatever was found; another person has to review it afterwards."""
    if view.requested_by is None or not view.rationale:
        how = "annotate crossfade.dev/requested-by and crossfade.dev/rationale in the same request"
        return _refuse(view, turn, Reason.NO_REASON_GIVEN, f"not promoted: {Reason.NO_REASON_GIVEN.sentence} {how}")
    if len(turn.status.reviews_due) >= MOST_DUE:
        return _refuse(view, turn, Reason.REVIEWS_OVERDUE, f"not promoted: {Reason.REVIEWS_OVERDUE.sentence}")
    recommended, _ = checks.recommendation(view, candidate_of(turn), full=request.full)
    on = Grounds(view.requested_by, Basis.EMERGENCY, recommended, view.rationale)
    turn = _go(view, turn, request, on)
    due = ReviewDue(decision=turn.status.decisions[-1].name, by=view.requested_by)
    return turn.set(reviews_due=(*turn.status.reviews_due, due))


def _go(view: View, turn: Turn, request: Request, on: Grounds) -> Turn:
    if request.full:
        return promote(view, turn, Action.PROMOTE, Reason.PROMOTE_REQUESTED, on=on)
    return next_step(view, turn, Reason.PROMOTE_REQUESTED, on=on)
