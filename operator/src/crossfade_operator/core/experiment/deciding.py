"""What a person's decision needs, and what of that is still missing: all of it at once, each a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from crossfade_operator.api.decision import Basis, DecisionAction, Recommendation
from crossfade_operator.api.experiment import DecisionChoice, DecisionRequest, ExperimentType, Lane
from crossfade_operator.api.experiment_status import ArmRole
from crossfade_operator.core.experiment import reviews
from crossfade_operator.core.experiment.view import View

ACTIONS = {DecisionChoice.SHIP: DecisionAction.SHIP, DecisionChoice.ABORT: DecisionAction.ABORT}


def treatment_of(view: View, request: DecisionRequest) -> str | None:
    """The arm that is decided about: the named one, the only one, or the one that is recommended for; else None."""
    treatments = [arm.name for arm in view.status.arms if arm.role is ArmRole.TREATMENT]
    if request.treatment is not None:
        return request.treatment if request.treatment in treatments else None
    if len(treatments) == 1:
        return treatments[0]
    return view.status.treatment if request.action is DecisionChoice.ABORT else None


def against_recommendation(view: View, request: DecisionRequest) -> bool:
    """To ship what the rule does not recommend to ship, or to abort what it does."""
    recommended = view.status.recommendation is Recommendation.SHIP
    if request.action is DecisionChoice.ABORT:
        return recommended
    return not recommended or view.status.treatment not in (None, treatment_of(view, request))


def basis_of(view: View, request: DecisionRequest) -> Basis:
    if request.lane is Lane.EMERGENCY:
        return Basis.EMERGENCY
    recommended = view.status.recommendation
    trusted = view.calibration is None
    follows = trusted and recommended is not None and recommended.value == request.action.value
    return Basis.EVIDENCE if follows and not against_recommendation(view, request) else Basis.HUMAN


def deliberated_at(view: View) -> datetime | None:
    """When a Ship may be decided at the earliest; None without a result to deliberate on."""
    since = view.status.recommended_at or view.status.stopped_at
    return since + view.policy.reviews.deliberation if since else None


def is_authentic(view: View, request: DecisionRequest) -> bool:
    return request.by == view.spec.decision_maker


def missing(view: View, request: DecisionRequest) -> tuple[str, ...]:
    """What keeps the decision from being made. In the Emergency lane only who and what count."""
    always = [*_who(view, request), *_what(view, request)]
    return tuple(always if request.lane is Lane.EMERGENCY else [*always, *_when(view, request)])


def _who(view: View, request: DecisionRequest) -> Iterator[str]:
    if not is_authentic(view, request):
        yield f"spec.decision.by is {request.by}, but {view.spec.decision_maker} decides; let that person write it"


def _what(view: View, request: DecisionRequest) -> Iterator[str]:
    if request.action is not DecisionChoice.SHIP:
        return
    if view.spec.type is ExperimentType.AA:
        yield "an AA experiment compares a model with itself: there is nothing to ship; decide Abort"
    elif view.status.started_at is None:
        yield "no user took part: there is nothing to ship; decide Abort"
    elif treatment_of(view, request) is None:
        names = ", ".join(arm.name for arm in view.status.arms if arm.role is ArmRole.TREATMENT)
        yield f"say in spec.decision.treatment which arm to ship: {names}"


def _when(view: View, request: DecisionRequest) -> Iterator[str]:
    status, policy = view.status, view.policy.reviews
    if status.started_at is not None and not status.final:
        yield "the last look at the evidence is still to be taken"
    if against_recommendation(view, request):
        action = ACTIONS[request.action]
        since = status.recommended_at or status.stopped_at or view.now
        others = reviews.overrides(view, action, request.by, since)
        if len(others) < policy.override_approvals:
            yield (
                f"{request.action} is against the recommendation ({status.recommendation or 'none'}): it needs "
                f"{policy.override_approvals} Reviews by others, after the result, that Approve with action: "
                f"{request.action} and a reason; there are {len(others)}"
            )
    if request.action is not DecisionChoice.SHIP:
        return
    if view.calibration is not None:
        yield view.calibration
    earliest = deliberated_at(view)
    if earliest is not None and view.now < earliest:
        yield f"people may deliberate until {earliest:%Y-%m-%d %H:%M:%S} UTC"
