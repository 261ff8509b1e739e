"""What a step waits for, and what ends a candidate."""

from __future__ import annotations

from crossfade_analyzer.contract import Reason as Judged
from crossfade_operator.api.modelrollout_status import Action, CandidateRequests
from tests.unit.operator.core.rollout.case import (
    ANALYZING,
    IN_LAST,
    LAST,
    MIRROR,
    STARTING,
    UNREADY,
    Case,
    decided,
)
from tests.unit.operator.core.rollout.views import (
    CRASHING,
    DIGEST,
    GONE,
    HALF,
    HARMFUL,
    MINUTE,
    NOW,
    OTHER,
    OTHER_DIGEST,
    PROVEN,
    STABLE,
    STEPS,
    UNDECIDED,
    answer,
    blind,
    candidate,
    first_step,
    spec,
    status,
    view,
)

ANALYSES = (
    Case(
        "a proven step with a fresh look goes on",
        view(ANALYZING, evaluation=PROVEN),
        "Progressing ShiftingTraffic",
        "Advance StepProven",
        says="step 2/3 at 10%",
    ),
    Case(
        "an old verdict never advances a step",
        view(ANALYZING),
        "Progressing Analyzing",
        says="the next look confirms it",
    ),
    Case(
        "no answer advances nothing, whatever was proven before",
        view(ANALYZING, evaluation=GONE),
        "Holding AnalyzerUnavailable",
        says="connection refused",
    ),
    Case(
        "a running hold is waited for",
        view(candidate(step_started_at=NOW - 9 * MINUTE), evaluation=PROVEN),
        "Progressing Analyzing",
    ),
    Case(
        "a hold is over to the microsecond",
        view(candidate(step_started_at=NOW - 10 * MINUTE), evaluation=PROVEN),
        "Progressing ShiftingTraffic",
        "Advance StepProven",
    ),
    Case(
        "too few requests hold",
        view(ANALYZING, evaluation=answer(in_step=99)),
        "Holding InsufficientData",
        says="99 of 100 requests",
    ),
    Case(
        "requests enough are enough",
        view(ANALYZING, evaluation=answer(in_step=100)),
        "Progressing ShiftingTraffic",
        "Advance StepProven",
    ),
    Case(
        "what is not proven holds",
        view(ANALYZING, evaluation=UNDECIDED),
        "Holding InsufficientData",
        says="the analyzer says Undecided",
    ),
    Case(
        "what is not proven in time is inconclusive, and that is put on record",
        view(
            candidate(step_started_at=NOW - 130 * MINUTE),
            evaluation=UNDECIDED,
            spec=spec(analysis={"inconclusiveAfter": "2h"}),
        ),
        "Holding Inconclusive",
        "Hold Inconclusive",
    ),
    Case(
        "what is inconclusive is put on record once a step",
        view(
            candidate(step_started_at=NOW - 130 * MINUTE),
            status=status(
                candidate(step_started_at=NOW - 130 * MINUTE),
                decisions=(
                    *decided(Action.ADVANCE, "StepProven"),
                    *decided(Action.HOLD, "Inconclusive"),
                    *decided(Action.APPROVE, "Approved"),
                ),
                decision_count=4,
            ),
            evaluation=UNDECIDED,
            spec=spec(analysis={"inconclusiveAfter": "2h"}),
        ),
        "Holding Inconclusive",
    ),
    Case(
        "what is inconclusive is not decided without a look",
        view(
            candidate(step_started_at=NOW - 130 * MINUTE, proven=False),
            spec=spec(analysis={"inconclusiveAfter": "2h"}),
        ),
        "Holding Inconclusive",
    ),
    Case(
        "a decision that is not on record lets no step end",
        view(ANALYZING, evaluation=PROVEN, unrecorded="Decision ranker-000004 could not be made"),
        "Holding DecisionNotRecorded",
        says="could not be made",
    ),
    Case(
        "harm rolls back whatever is on record",
        view(ANALYZING, evaluation=HARMFUL, unrecorded="Decision ranker-000004 could not be made"),
        "RolledBack EvidenceOfHarm",
        "Rollback EvidenceOfHarm",
    ),
    Case(
        "what is not proven in time is rolled back when asked to",
        view(
            candidate(step_started_at=NOW - 130 * MINUTE),
            evaluation=UNDECIDED,
            spec=spec(analysis={"inconclusiveAfter": "2h", "onInconclusive": "Rollback"}),
        ),
        "RolledBack Inconclusive",
        "Rollback Inconclusive",
    ),
    Case(
        "what may still be proven in time is not rolled back",
        view(
            candidate(step_started_at=NOW - 129 * MINUTE),
            evaluation=UNDECIDED,
            spec=spec(analysis={"inconclusiveAfter": "2h", "onInconclusive": "Rollback"}),
        ),
        "Holding InsufficientData",
    ),
    Case(
        "stale data hold", view(ANALYZING, evaluation=blind(Judged.METRICS_UNAVAILABLE)), "Holding MetricsUnavailable"
    ),
    Case("broken series hold", view(ANALYZING, evaluation=blind(Judged.CONTRACT_BROKEN)), "Holding ContractBroken"),
    Case(
        "an uneven split holds",
        view(ANALYZING, evaluation=blind(Judged.SAMPLE_RATIO_MISMATCH)),
        "Holding SampleRatioMismatch",
    ),
    Case(
        "unready pods hold",
        view(candidate(unready_since=NOW - MINUTE), pods=HALF, evaluation=PROVEN),
        "Holding CandidateUnready",
        says="1 of 2 candidate pods are ready",
    ),
    Case(
        "a pause holds, whatever is proven", view(ANALYZING, spec=spec(paused=True), evaluation=PROVEN), "Paused Paused"
    ),
    Case(
        "missing approvals are waited for",
        view(ANALYZING, spec=spec(steps=first_step(approvals=2)), evaluation=PROVEN),
        "AwaitingApproval ApprovalMissing",
        says="0 of 2 approvals",
    ),
    Case(
        "a gate that is not met keeps a proven candidate where it is",
        view(
            ANALYZING, evaluation=PROVEN, unmet_gate="gate experiment x: it is not decided yet", unproven_positions=50
        ),
        "Holding GateNotMet",
        says="gate experiment x",
    ),
    Case(
        "a policy that asks for more since keeps a proven candidate where it is",
        view(ANALYZING, evaluation=PROVEN, policy_problem="policy.evaluation.minHold of the endpoint: hold longer"),
        "Holding PolicyNotMet",
        says="hold longer",
    ),
    Case(
        "up to the unproven slice no gate is asked",
        view(ANALYZING, evaluation=PROVEN, unmet_gate="gate experiment x", unproven_positions=100),
        "Progressing ShiftingTraffic",
        "Advance StepProven",
    ),
    Case(
        "a gate keeps the last step from promotion",
        view(LAST, evaluation=PROVEN, routes=IN_LAST, unmet_gate="gate experiment x", unproven_positions=950),
        "Holding GateNotMet",
    ),
    Case(
        "a gate that closes behind a candidate is shown before its hold",
        view(
            candidate(positions=100, step=1, step_started_at=NOW - MINUTE),
            evaluation=PROVEN,
            unmet_gate="gate experiment x: another model",
            unproven_positions=50,
        ),
        "Holding GateNotMet",
        says="another model",
    ),
    Case(
        "copies reach nobody, and need no gate",
        view(
            STARTING, spec=spec(steps=first_step(slice="10%", mirror=True)), unmet_gate="gate x", unproven_positions=50
        ),
        "Progressing ShiftingTraffic",
        "Advance CandidateReady",
    ),
    Case(
        "a mirror that is followed by users waits for its gates",
        view(
            candidate(mirror=True),
            spec=spec(({**STEPS[0], "mirror": True}, STEPS[1])),
            unmet_gate="gate x",
            unproven_positions=50,
        ),
        "Holding GateNotMet",
    ),
    Case(
        "approvals enough are enough",
        view(candidate(approved_by=("ana", "ben")), spec=spec(steps=first_step(approvals=2)), evaluation=PROVEN),
        "Progressing ShiftingTraffic",
        "Advance StepProven",
    ),
    Case(
        "a next slice that does not fit holds",
        view(ANALYZING, no_room="a slice of 10% does not fit", evaluation=PROVEN),
        "Holding NoFreePositions",
    ),
    Case(
        "promotion needs no room",
        view(LAST, no_room="a slice of 50% does not fit", evaluation=PROVEN, routes=IN_LAST),
        "Progressing ShiftingTraffic",
        "Promote AllStepsProven",
    ),
    Case(
        "the last step proven promotes",
        view(LAST, evaluation=PROVEN, routes=IN_LAST),
        "Progressing ShiftingTraffic",
        "Promote AllStepsProven",
    ),
    Case(
        "an unproven step goes on where proof is due at promotion",
        view(ANALYZING, evaluation=UNDECIDED, spec=spec(analysis={"proveBefore": "Promotion"})),
        "Progressing ShiftingTraffic",
        "Advance StepProven",
    ),
    Case(
        "the last step is proven before promotion in any case",
        view(LAST, evaluation=UNDECIDED, routes=IN_LAST, spec=spec(analysis={"proveBefore": "Promotion"})),
        "Holding InsufficientData",
    ),
    Case(
        "a mirror goes on without evidence when its hold is over",
        view(candidate(mirror=True, proven=False, requests=CandidateRequests()), spec=MIRROR),
        "Progressing ShiftingTraffic",
        "Advance StepProven",
    ),
    Case(
        "a mirror is held as long as a step",
        view(candidate(mirror=True, step_started_at=NOW - 9 * MINUTE), spec=MIRROR),
        "Progressing Analyzing",
    ),
    Case(
        "copies never promote: a mirror whose step was edited away is followed by one with users",
        view(candidate(mirror=True, proven=False), spec=spec(STEPS[:1])),
        "Progressing ShiftingTraffic",
        "Advance StepProven",
        says="step 1/1 at 1%",
    ),
    Case(
        "a step that was edited into a mirror still has to be proven",
        view(ANALYZING, evaluation=UNDECIDED, spec=MIRROR),
        "Holding InsufficientData",
    ),
    Case(
        "evidence of harm rolls back",
        view(ANALYZING, evaluation=HARMFUL),
        "RolledBack EvidenceOfHarm",
        "Rollback EvidenceOfHarm",
        says="the analyzer says Harmful",
    ),
    Case(
        "evidence of harm rolls a paused candidate back",
        view(ANALYZING, spec=spec(paused=True), evaluation=HARMFUL),
        "RolledBack EvidenceOfHarm",
        "Rollback EvidenceOfHarm",
    ),
    Case(
        "crash-looping pods roll back without the analyzer",
        view(ANALYZING, pods=CRASHING, evaluation=GONE),
        "RolledBack CrashLooping",
        "Rollback CrashLooping",
        says="CrashLoopBackOff",
    ),
    Case(
        "pods that run another model than at the first slice roll back",
        view(candidate(model_digest=DIGEST), model_digest=OTHER_DIGEST, evaluation=GONE),
        "RolledBack ModelChanged",
        "Rollback ModelChanged",
        says=f"its pods run {OTHER_DIGEST}, and {DIGEST} when it got its first users",
    ),
    Case(
        "what pods run that do not say so is not another model",
        view(candidate(model_digest=DIGEST), evaluation=GONE),
        "Holding AnalyzerUnavailable",
    ),
    Case(
        "pods unready for too long roll back",
        view(UNREADY, pods=HALF),
        "RolledBack ProgressDeadlineExceeded",
        "Rollback ProgressDeadlineExceeded",
    ),
    Case("pods that recovered at the last moment stay", view(UNREADY), "Progressing Analyzing"),
    Case(
        "an outage of any length rolls nothing back",
        view(
            candidate(step_started_at=NOW - 9 * 24 * 60 * MINUTE, reason="AnalyzerUnavailable", proven=False),
            evaluation=GONE,
        ),
        "Holding AnalyzerUnavailable",
    ),
    Case(
        "a newer template supersedes",
        view(ANALYZING, target=OTHER),
        "Progressing Superseded",
        "Supersede Superseded",
        says="another003 replaces candidate2",
    ),
    Case(
        "the stable template again ends it",
        view(ANALYZING, target=STABLE),
        "Progressing BackToStable",
        "Withdraw BackToStable",
    ),
)
