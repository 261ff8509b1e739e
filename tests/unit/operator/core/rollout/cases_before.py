"""What happens before a candidate is analysed: at rest, while it starts, and while its slice shifts."""

from __future__ import annotations

from crossfade_operator.api.modelrollout_status import (
    Action,
    Outcome,
    Phase,
    Stage,
)
from tests.unit.operator.core.rollout.case import (
    COPIED,
    DECLINED,
    FIRST,
    MIRROR,
    SHIFTING,
    STARTING,
    Case,
    decided,
)
from tests.unit.operator.core.rollout.views import (
    CANDIDATE,
    CRASHING,
    HALF,
    MINUTE,
    NONE,
    NOW,
    OTHER,
    STABLE,
    candidate,
    first_step,
    granted,
    routes,
    spec,
    status,
    view,
)

AT_REST = (
    Case(
        "a template whose rollout is not the endpoint's way is refused before anything is brought up",
        view(policy_problem="policy.evaluation.mirror of the endpoint: begin with a step"),
        "Refused PolicyNotMet",
        says="begin with a step",
        told=("PolicyNotMet",),
    ),
    Case("a new template starts a candidate", view(), "Progressing CandidateStarting", "Start NewTemplate"),
    Case(
        "nothing is decided without an endpoint",
        view(endpoint_found=False),
        "Pending EndpointNotFound",
        says="no ModelEndpoint 'ranker'",
    ),
    Case(
        "nothing is decided for an endpoint that another holds",
        view(claimed_by="first"),
        "Refused EndpointClaimed",
        says="'first' holds the endpoint",
        told=("EndpointClaimed",),
    ),
    Case(
        "a promotion that is not on record is held back",
        view(target=STABLE, routes=routes(stable=OTHER), unrecorded="Decision ranker-000004 could not be made"),
        "Holding DecisionNotRecorded",
        says="could not be made",
    ),
    Case(
        "nothing new starts before the decision that went before is on record",
        view(unrecorded="Decision ranker-000004 could not be made"),
        "Holding DecisionNotRecorded",
    ),
    Case("a paused rollout starts nothing", view(spec=spec(paused=True)), "Paused Paused"),
    Case(
        "a rolled-back template is not tried again",
        view(status=status(**DECLINED, decisions=decided(Action.ROLLBACK, "EvidenceOfHarm"))),
        "RolledBack EvidenceOfHarm",
        says="so it was",
    ),
    Case(
        "another template than the rolled-back one is tried",
        view(target=OTHER, status=status(**DECLINED)),
        "Progressing CandidateStarting",
        "Start NewTemplate",
    ),
    Case(
        "the stable template after a rollback is up to date, and no harm is told of",
        view(target=STABLE, status=status(**DECLINED, decisions=decided(Action.ROLLBACK, "EvidenceOfHarm"))),
        "Promoted UpToDate",
    ),
    Case(
        "a promoted rollout tells how it came to be",
        view(target=STABLE, status=status(decisions=decided(Action.PROMOTE, "AllStepsProven"))),
        "Promoted AllStepsProven",
        says="so it was",
    ),
    Case(
        "a promotion that not every router has confirmed is still on its way",
        view(target=STABLE, routes=routes(confirmed=False)),
        "Progressing ShiftingTraffic",
    ),
    Case(
        "a promotion whose table is not written is still on its way",
        view(target=STABLE, routes=routes(stable=OTHER)),
        "Progressing ShiftingTraffic",
    ),
    Case(
        "a rollout that was promoted stays so while routers come and go",
        view(target=STABLE, status=status(phase=Phase.PROMOTED), routes=routes(confirmed=False)),
        "Promoted UpToDate",
    ),
    Case(
        "a superseded first revision leaves the endpoint empty for a moment",
        view(
            candidate(Stage.WITHDRAWING),
            status=status(candidate(Stage.WITHDRAWING, outcome=Outcome.SUPERSEDED), stable_revision=None),
            target=OTHER,
            routes=routes(stable=None),
        ),
        "Pending FirstRevisionStarting",
    ),
)

STARTS = (
    Case(
        "an unready candidate waits",
        view(STARTING, pods=HALF),
        "Progressing CandidateStarting",
        says="1 of 2 pods of candidate2 are ready",
    ),
    Case(
        "a starting candidate that crashes is given time, and shown",
        view(STARTING, pods=CRASHING),
        "Progressing CandidateStarting",
        says="CrashLoopBackOff",
    ),
    Case(
        "ready pods that a router does not reach wait",
        view(STARTING, routes=routes(STARTING, reachable=False)),
        "Progressing CandidateStarting",
        says="waiting for every router to find them",
    ),
    Case(
        "ready pods that no router was asked about wait",
        view(STARTING, routes=routes(STARTING, reachable=None)),
        "Progressing CandidateStarting",
    ),
    Case(
        "ready pods that no table announces wait",
        view(STARTING, routes=routes(STARTING, known=frozenset({STABLE}))),
        "Progressing CandidateStarting",
    ),
    Case(
        "ready pods whose announcement is not confirmed wait",
        view(STARTING, routes=routes(STARTING, confirmed=False)),
        "Progressing CandidateStarting",
    ),
    Case(
        "ready pods that every router reaches get the first slice",
        view(STARTING),
        "Progressing ShiftingTraffic",
        "Advance CandidateReady",
        says="step 1/3 at 1%",
    ),
    Case(
        "a candidate gets no first slice before its start is on record",
        view(STARTING, unrecorded="Decision ranker-000004 could not be made"),
        "Holding DecisionNotRecorded",
    ),
    Case(
        "a first slice beyond the unproven one waits for its gates",
        view(STARTING, unmet_gate="gate experiment x: it is not decided yet", unproven_positions=9),
        "Holding GateNotMet",
        says="gate experiment x",
    ),
    Case(
        "the way back needs no gate",
        view(status=status(candidate(Stage.STARTING, restore=True)), unmet_gate="gate x", unproven_positions=0),
        "Progressing ShiftingTraffic",
        "Restore Restored",
    ),
    Case(
        "the first revision needs no gate",
        view(status=FIRST, unmet_gate="gate x", unproven_positions=0),
        "Progressing ShiftingTraffic",
        "Promote FirstRevision",
    ),
    Case(
        "a candidate whose way is not the endpoint's gets no first slice",
        view(STARTING, policy_problem="policy.evaluation.mirror of the endpoint: begin with a step"),
        "Holding PolicyNotMet",
        says="policy.evaluation.mirror",
    ),
    Case("a paused candidate gets no first slice", view(STARTING, spec=spec(paused=True)), "Paused Paused"),
    Case(
        "a metric that does not exist holds the first slice back",
        view(STARTING, plan_problem="there is no Metric"),
        "Holding ContractBroken",
        says="there is no Metric",
    ),
    Case(
        "a first slice that does not fit is held back",
        view(STARTING, no_room="a slice of 1% does not fit"),
        "Holding NoFreePositions",
        says="does not fit",
    ),
    Case(
        "a template that the API server refuses is refused",
        view(STARTING, pods=NONE, refusals={CANDIDATE: "unknown field"}),
        "Refused InvalidTemplate",
        says="unknown field",
        told=("ObjectsRefused",),
    ),
    Case("the first revision waits for its pods", view(status=FIRST, pods=HALF), "Initializing FirstRevisionStarting"),
    Case(
        "the first revision past its deadline is said to be late, and still waited for",
        view(status=FIRST, pods=CRASHING, now=NOW + 9 * MINUTE),
        "Initializing ProgressDeadlineExceeded",
        says="CrashLoopBackOff",
    ),
    Case(
        "the first revision goes straight to stable",
        view(status=FIRST),
        "Progressing ShiftingTraffic",
        "Promote FirstRevision",
    ),
    Case(
        "a candidate to restore takes over without steps",
        view(status=status(candidate(Stage.STARTING, restore=True))),
        "Progressing ShiftingTraffic",
        "Restore Restored",
    ),
    Case(
        "a candidate that never got ready is rolled back at the deadline",
        view(STARTING, pods=HALF, now=NOW + 9 * MINUTE),
        "RolledBack ProgressDeadlineExceeded",
        "Rollback ProgressDeadlineExceeded",
        says="after 10m 1 of 2 pods are ready",
    ),
    Case(
        "a candidate that routers never reach is rolled back at the deadline",
        view(STARTING, routes=routes(STARTING, reachable=False), now=NOW + 9 * MINUTE),
        "RolledBack ProgressDeadlineExceeded",
        "Rollback ProgressDeadlineExceeded",
        says="not every router reaches one",
    ),
    Case(
        "a candidate is not blamed for routers that cannot be asked",
        view(STARTING, routes=routes(STARTING, confirmed=False, reachable=False), now=NOW + 99 * MINUTE),
        "Progressing CandidateStarting",
    ),
)

SHIFTS = (
    Case(
        "a slice that not every router has confirmed waits",
        view(SHIFTING, routes=routes(SHIFTING, confirmed=False)),
        "Progressing ShiftingTraffic",
        says="step 1/3 at 1%",
    ),
    Case(
        "a slice that is not granted yet waits",
        view(SHIFTING, routes=routes(SHIFTING, candidate=None)),
        "Progressing ShiftingTraffic",
    ),
    Case(
        "a slice of another size waits",
        view(SHIFTING, routes=routes(SHIFTING, candidate=granted(9))),
        "Progressing ShiftingTraffic",
    ),
    Case(
        "a slice that is still too large waits",
        view(SHIFTING, routes=routes(SHIFTING, candidate=granted(11))),
        "Progressing ShiftingTraffic",
    ),
    Case(
        "the slice of another revision does not count",
        view(SHIFTING, routes=routes(SHIFTING, candidate=granted(revision=OTHER))),
        "Progressing ShiftingTraffic",
    ),
    Case("a confirmed slice begins the analysis", view(SHIFTING), "Progressing Analyzing", says="the hold is running"),
    Case(
        "a confirmed mirror begins the analysis",
        view(COPIED, spec=MIRROR, routes=routes(COPIED, candidate=None, mirrored=granted(arm="mirror"))),
        "Progressing Analyzing",
    ),
    Case("a candidate's own slice is no mirror", view(COPIED, spec=MIRROR), "Progressing ShiftingTraffic"),
    Case(
        "a slice that was edited while it shifts is the one that was granted",
        view(SHIFTING, spec=spec(first_step(slice="5%"))),
        "Progressing Analyzing",
        says="step 1/3 at 1%",
    ),
    Case(
        "a slice that no longer fits is held",
        view(SHIFTING, no_room="a slice of 1% does not fit", routes=routes(SHIFTING, candidate=None)),
        "Holding NoFreePositions",
        says="does not fit",
    ),
    Case(
        "a candidate that crashes before its slice is confirmed is rolled back",
        view(SHIFTING, pods=CRASHING),
        "RolledBack CrashLooping",
        "Rollback CrashLooping",
    ),
    Case(
        "a candidate whose objects are refused in its slice is refused",
        view(SHIFTING, refusals={CANDIDATE: "unknown field"}, routes=routes(SHIFTING, confirmed=False)),
        "Refused InvalidTemplate",
        told=("ObjectsRefused",),
    ),
    Case(
        "what is refused to the stable revision is told and keeps the candidate from nothing",
        view(SHIFTING, refusals={STABLE: "exceeded quota"}, routes=routes(SHIFTING, confirmed=False)),
        "Progressing ShiftingTraffic",
        told=("ObjectsRefused",),
    ),
)
