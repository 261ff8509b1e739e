"""Withdrawals, and what people ask for."""

from __future__ import annotations

from crossfade_operator.api.modelrollout_status import (
    Action,
    Handled,
    Outcome,
    Stage,
)
from crossfade_operator.core.rollout.view import Routes, View
from tests.unit.operator.core.rollout.case import (
    ANALYZING,
    DECLINED,
    IN_LAST,
    LAST,
    STARTING,
    Case,
    decided,
)
from tests.unit.operator.core.rollout.views import (
    CANDIDATE,
    CRASHING,
    HALF,
    HARMFUL,
    MINUTE,
    NOW,
    OTHER,
    STABLE,
    UNDECIDED,
    candidate,
    first_step,
    granted,
    routes,
    spec,
    status,
    view,
)


def withdrawing(outcome: Outcome, action: Action, reason: str) -> View:
    one = candidate(Stage.WITHDRAWING, outcome=outcome)
    failed = CANDIDATE if outcome is Outcome.ROLLED_BACK else None
    recorded = status(one, decisions=decided(action, reason), decision_count=4, failed_revision=failed)
    return view(one, status=recorded, routes=routes(one, candidate=granted()))


def asked(verb: str, token: str = "now", **fields: object) -> View:
    return view(fields.pop("one", ANALYZING), requests={verb: token}, **fields)  # type: ignore[arg-type]


WITHDRAWALS = (
    Case(
        "a rolled-back slice that is still routed waits",
        withdrawing(Outcome.ROLLED_BACK, Action.ROLLBACK, "EvidenceOfHarm"),
        "RolledBack EvidenceOfHarm",
        says="so it was",
    ),
    Case(
        "a superseded slice that is still routed waits",
        withdrawing(Outcome.SUPERSEDED, Action.SUPERSEDE, "Superseded"),
        "Progressing Superseded",
    ),
    Case(
        "evidence that comes too late changes nothing",
        view(
            candidate(Stage.WITHDRAWING, outcome=Outcome.SUPERSEDED),
            routes=Routes(stable=STABLE),
            status=status(
                candidate(Stage.WITHDRAWING, outcome=Outcome.SUPERSEDED),
                decisions=decided(Action.SUPERSEDE, "Superseded"),
            ),
            evaluation=HARMFUL,
            pods=CRASHING,
        ),
        "Progressing Superseded",
    ),
)

REQUESTS = (
    Case("abort takes the candidate out", asked("abort"), "RolledBack AbortRequested", "Rollback AbortRequested"),
    Case(
        "abort takes a candidate out before its first slice",
        asked("abort", one=STARTING),
        "RolledBack AbortRequested",
        "Rollback AbortRequested",
    ),
    Case(
        "abort without a candidate is refused",
        view(target=STABLE, requests={"abort": "now"}),
        "Promoted UpToDate",
        told=("NothingToAbort",),
    ),
    Case(
        "abort of another revision is refused",
        asked("abort", f"{OTHER}:now"),
        "Progressing Analyzing",
        told=("OtherRevision",),
    ),
    Case(
        "a handled request is not met twice",
        asked("abort", status=status(ANALYZING, handled=Handled(abort="now"))),
        "Progressing Analyzing",
    ),
    Case(
        "retry tries the rolled-back revision again",
        view(status=status(**DECLINED), requests={"retry": "now"}),
        "Progressing CandidateStarting",
        "Start RetryRequested",
    ),
    Case(
        "retry of what was not rolled back is refused",
        asked("retry"),
        "Progressing Analyzing",
        told=("NothingToRetry",),
    ),
    Case(
        "retry when the template has changed is refused, and the new template starts as one",
        view(target=OTHER, status=status(**DECLINED), requests={"retry": "now"}),
        "Progressing CandidateStarting",
        "Start NewTemplate",
        told=("NothingToRetry",),
    ),
    Case(
        "retry off the endpoint's way is refused",
        view(
            status=status(**DECLINED, decisions=decided(Action.ROLLBACK, "AbortRequested")),
            requests={"retry": "now"},
            policy_problem="policy.evaluation.mirror of the endpoint: begin with a step",
        ),
        "RolledBack AbortRequested",
        told=("PolicyNotMet",),
    ),
    Case(
        "retry of another revision is refused",
        view(
            status=status(**DECLINED, decisions=decided(Action.ROLLBACK, "AbortRequested")),
            requests={"retry": f"{OTHER}:now"},
        ),
        "RolledBack AbortRequested",
        told=("OtherRevision",),
    ),
    Case(
        "promote goes on to the next step",
        asked("promote"),
        "Progressing ShiftingTraffic",
        "Advance PromoteRequested",
        says="step 2/3 at 10%",
    ),
    Case(
        "promote in the last step promotes",
        asked("promote", one=LAST, routes=IN_LAST),
        "Progressing ShiftingTraffic",
        "Promote PromoteRequested",
    ),
    Case(
        "promote in full promotes at once",
        asked("promote", f"{CANDIDATE}:full:now"),
        "Progressing ShiftingTraffic",
        "Promote PromoteRequested",
    ),
    Case(
        "promote approves where approval is waited for",
        asked(
            "promote",
            spec=spec(steps=first_step(approvals=1)),
            evaluation=UNDECIDED,
            status=status(ANALYZING, reason="ApprovalMissing", slice="1%"),
        ),
        "Holding InsufficientData",
        "Approve Approved",
    ),
    Case(
        "promote before the first slice is refused",
        asked("promote", one=STARTING, pods=HALF),
        "Progressing CandidateStarting",
        told=("NothingToPromote",),
    ),
    Case(
        "promote before the last decision is on record is refused",
        asked("promote", unrecorded="Decision ranker-000004 could not be made"),
        "Holding DecisionNotRecorded",
        told=("DecisionNotRecorded",),
    ),
    Case(
        "retry before the rollback is on record is refused",
        view(
            status=status(**DECLINED, decisions=decided(Action.ROLLBACK, "AbortRequested")),
            requests={"retry": "now"},
            unrecorded="Decision ranker-000004 could not be made",
        ),
        "RolledBack AbortRequested",
        told=("DecisionNotRecorded",),
    ),
    Case(
        "promote of another revision is refused",
        asked("promote", f"{OTHER}:now"),
        "Progressing Analyzing",
        told=("OtherRevision",),
    ),
    Case(
        "promote of a paused rollout is refused",
        asked("promote", spec=spec(paused=True)),
        "Paused Paused",
        told=("Paused",),
    ),
    Case(
        "promote of a candidate with unready pods is refused",
        asked("promote", "full:now", one=candidate(unready_since=NOW - MINUTE), pods=HALF),
        "Holding CandidateUnready",
        told=("CandidateUnready",),
    ),
    Case(
        "promote does not overtake harm that is seen in the same turn",
        asked("promote", "full:now", evaluation=HARMFUL),
        "RolledBack EvidenceOfHarm",
        "Rollback EvidenceOfHarm",
        told=("EvidenceOfHarm",),
    ),
    Case(
        "promote before a gate is met is refused",
        asked("promote", unmet_gate="gate experiment x: it is not decided yet", unproven_positions=50),
        "Holding GateNotMet",
        told=("GateNotMet",),
    ),
    Case(
        "promote off the endpoint's way is refused",
        asked("promote", policy_problem="policy.evaluation.mirror of the endpoint: begin with a step"),
        "Holding PolicyNotMet",
        told=("PolicyNotMet",),
    ),
)
