"""Acting against the recommendation, and at once."""

from __future__ import annotations

from crossfade_operator.api.decision import ReviewDue
from crossfade_operator.api.modelrollout_status import Verdict
from tests.unit.operator.core.rollout.case import Case
from tests.unit.operator.core.rollout.cases_requests import asked
from tests.unit.operator.core.rollout.views import HALF, MINUTE, NOW, candidate, review, spec, status

BY_ANA = {"requested_by": "ana", "rationale": "the numbers will come"}
UNPROVEN = candidate(proven=False)
HARMFUL = candidate(proven=False, verdict=Verdict.HARMFUL)
OWED = ReviewDue(decision="ranker-000001", by="ben")
AGREED = review(action="Advance")
AGREED_TO_ALL = review(action="Promote")

OVERRIDES = (
    Case(
        "promote of what is not proven is refused when nobody else agrees",
        asked("promote", one=UNPROVEN, **BY_ANA),
        "Holding InsufficientData",
        told=("NotApproved",),
    ),
    Case(
        "promote in a running hold is against the recommendation too",
        asked("promote", one=candidate(step_started_at=NOW - MINUTE), **BY_ANA),
        "Progressing Analyzing",
        told=("NotApproved",),
    ),
    Case(
        "promote of what is not proven goes on when another agrees with a reason",
        asked("promote", one=UNPROVEN, reviews=(AGREED,), **BY_ANA),
        "Progressing ShiftingTraffic",
        "Advance PromoteRequested",
    ),
    Case(
        "an approval of promotion is one of the next step too",
        asked("promote", one=UNPROVEN, reviews=(AGREED_TO_ALL,), **BY_ANA),
        "Progressing ShiftingTraffic",
        "Advance PromoteRequested",
    ),
    Case(
        "an approval of the next step is none of promotion",
        asked("promote", "full:now", one=UNPROVEN, reviews=(AGREED,), **BY_ANA),
        "Holding InsufficientData",
        told=("NotApproved",),
    ),
    Case(
        "promote in full of what is not proven promotes when another agrees to that",
        asked("promote", "full:now", one=UNPROVEN, reviews=(AGREED_TO_ALL,), **BY_ANA),
        "Progressing ShiftingTraffic",
        "Promote PromoteRequested",
    ),
    Case(
        "promote in full needs the proof that the last step would, also where proof is due at the end",
        asked("promote", "full:now", one=UNPROVEN, spec=spec(analysis={"proveBefore": "Promotion"}), **BY_ANA),
        "Progressing Analyzing",
        told=("NotApproved",),
    ),
    Case(
        "one's own approval does not count",
        asked("promote", one=UNPROVEN, reviews=(review("ana", action="Advance"),), **BY_ANA),
        "Holding InsufficientData",
        told=("NotApproved",),
    ),
    Case(
        "an approval without the action agrees to nothing",
        asked("promote", one=UNPROVEN, reviews=(review(),), **BY_ANA),
        "Holding InsufficientData",
        told=("NotApproved",),
    ),
    Case(
        "an approval from before this attempt is none of it",
        asked("promote", one=UNPROVEN, reviews=(review(action="Advance", minutes=20),), **BY_ANA),
        "Holding InsufficientData",
        told=("NotApproved",),
    ),
    Case(
        "one who asks for changes later does not agree any more",
        asked(
            "promote", one=UNPROVEN, reviews=(review(action="Advance", minutes=2), review(verdict="Dissent")), **BY_ANA
        ),
        "Holding InsufficientData",
        told=("NotApproved",),
    ),
    Case(
        "as many must agree as the policy says",
        asked("promote", one=UNPROVEN, reviews=(AGREED,), override_approvals=2, **BY_ANA),
        "Holding InsufficientData",
        told=("NotApproved",),
    ),
    Case(
        "nobody acts against the recommendation without a name",
        asked("promote", one=UNPROVEN, reviews=(AGREED,)),
        "Holding InsufficientData",
        told=("NotApproved",),
    ),
    Case(
        "whoever agrees does not overtake harm",
        asked("promote", one=HARMFUL, reviews=(AGREED,), **BY_ANA),
        "RolledBack EvidenceOfHarm",
        "Rollback EvidenceOfHarm",
        told=("EvidenceOfHarm",),
    ),
)

EMERGENCIES = (
    Case(
        "an emergency goes on whatever is proven",
        asked("promote", "emergency:now", one=UNPROVEN, **BY_ANA),
        "Progressing ShiftingTraffic",
        "Advance PromoteRequested",
    ),
    Case(
        "an emergency promotes in full whatever was found",
        asked("promote", "full:emergency:now", one=HARMFUL, **BY_ANA),
        "Progressing ShiftingTraffic",
        "Promote PromoteRequested",
    ),
    Case(
        "an emergency waits for no gate",
        asked("promote", "emergency:now", unmet_gate="gate x", unproven_positions=50, **BY_ANA),
        "Progressing ShiftingTraffic",
        "Advance PromoteRequested",
    ),
    Case(
        "an emergency without a reason is refused",
        asked("promote", "emergency:now", one=UNPROVEN, requested_by="ana"),
        "Holding InsufficientData",
        told=("NoReasonGiven",),
    ),
    Case(
        "no review that is due is forgotten for another emergency",
        asked("promote", "emergency:now", one=UNPROVEN, status=status(UNPROVEN, reviews_due=(OWED,) * 20), **BY_ANA),
        "Holding InsufficientData",
        told=("ReviewsOverdue",),
    ),
    Case(
        "an emergency without a name is refused",
        asked("promote", "emergency:now", one=UNPROVEN, rationale="it burns"),
        "Holding InsufficientData",
        told=("NoReasonGiven",),
    ),
    Case(
        "not even an emergency sends users to pods that are not ready",
        asked("promote", "emergency:now", one=candidate(unready_since=NOW - MINUTE), pods=HALF, **BY_ANA),
        "Holding CandidateUnready",
        told=("CandidateUnready",),
    ),
)
