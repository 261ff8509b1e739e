"""Why things are as they are: every reason a status, condition, decision or event can give, with its sentence.

The documentation's table is generated from this enum, so a reason cannot exist without an explanation.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from crossfade_operator.api.decision import MOST_DUE


class Explained(StrEnum):
    """A CamelCase reason; `sentence` says what it means and, where a person can act, what to do."""

    sentence: str

    def __new__(cls, value: str, sentence: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    @classmethod
    def meaning(cls, word: str) -> str:
        """The sentence of a reason; empty for one that this version does not know."""
        return next((one.sentence for one in cls if one == word), "")


class Reason(Explained):
    """Reasons of the serving side, and of Metrics."""

    # Waiting for something to exist or to be put right
    ENDPOINT_NOT_FOUND = "EndpointNotFound", "There is no ModelEndpoint of this name in the namespace; create it."
    ENDPOINT_CLAIMED = "EndpointClaimed", "Another ModelRollout holds the endpoint; delete one of the two."
    INVALID_TEMPLATE = "InvalidTemplate", "The API server refused the revision's objects; correct the template."
    OBJECTS_REFUSED = (
        "ObjectsRefused",
        "The API server refuses an object that this rollout needs; put right what its sentence says.",
    )
    DECISION_NOT_RECORDED = (
        "DecisionNotRecorded",
        "A decision's object could not be made: no share grows until it is; put right what the sentence says.",
    )
    NO_FREE_POSITIONS = "NoFreePositions", "The slice does not fit beside its holders and the stable floor."
    INVALID_TABLE = "InvalidTable", "The routing table could not be written; the routers keep the last good one."

    # A candidate on its way
    CANDIDATE_STARTING = "CandidateStarting", "The candidate's pods are not all ready yet."
    FIRST_REVISION_STARTING = "FirstRevisionStarting", "The first revision's pods are not all ready yet."
    SHIFTING_TRAFFIC = "ShiftingTraffic", "The slice is granted; not every ready router has confirmed its table yet."
    ANALYZING = "Analyzing", "The step's hold is running and its evidence is being gathered."

    # Holding: a person can act
    INSUFFICIENT_DATA = "InsufficientData", "The hold is over, but too few requests were seen or proof is not reached."
    METRICS_UNAVAILABLE = "MetricsUnavailable", "Prometheus does not answer, or its data is stale or incomplete."
    ANALYZER_UNAVAILABLE = "AnalyzerUnavailable", "The analyzer does not answer."
    CONTRACT_BROKEN = "ContractBroken", "A metric is missing, or its series are not what its contract promises."
    SAMPLE_RATIO_MISMATCH = "SampleRatioMismatch", "The arms' traffic is not split as the slices say; find out why."
    INCONCLUSIVE = "Inconclusive", "The evidence has not sufficed for `inconclusiveAfter`; promote, abort or wait."
    PAUSED = "Paused", "`spec.paused` is set; looks go on, and evidence of harm still rolls back."
    APPROVAL_MISSING = "ApprovalMissing", "The evidence suffices; the step waits for approvals (`promote` gives one)."
    GATE_NOT_MET = (
        "GateNotMet",
        "A gate keeps the candidate at `policy.unprovenSlice`; the message says what is missing.",
    )
    POLICY_NOT_MET = (
        "PolicyNotMet",
        "The endpoint's `policy.evaluation` asks for more than this rollout does; the message says what to add.",
    )
    CANDIDATE_UNREADY = "CandidateUnready", "The candidate lost its ready pods; its users are answered by stable."

    # Ends
    FIRST_REVISION = "FirstRevision", "The first revision goes straight to stable."
    ALL_STEPS_PROVEN = "AllStepsProven", "Every step's hold, requests and proofs were met."
    PROMOTE_REQUESTED = "PromoteRequested", "A person asked for the next step or for promotion."
    RESTORED = "Restored", "The previous stable revision was restored within its rollback window."
    EVIDENCE_OF_HARM = "EvidenceOfHarm", "A metric was shown to be worse than stable's."
    CRASH_LOOPING = "CrashLooping", "The candidate's pods crash again and again, and none is ready."
    MODEL_CHANGED = "ModelChanged", "The candidate's pods run another model than when it got its first users."
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded", "The pods were not ready within `progressDeadline`."
    ABORT_REQUESTED = "AbortRequested", "A person asked to abort the rollout."
    SUPERSEDED = "Superseded", "A newer template replaced the candidate before it was promoted."
    BACK_TO_STABLE = "BackToStable", "The template is the stable one again."
    UP_TO_DATE = "UpToDate", "The template is the stable revision."

    # Steps of a decision
    CANDIDATE_READY = "CandidateReady", "The candidate's pods are ready for their first slice."
    STEP_PROVEN = "StepProven", "The step's hold, requests and proofs were met."
    APPROVED = "Approved", "A person approved the step."
    RETRY_REQUESTED = "RetryRequested", "A person asked to try the rolled-back revision again."
    NEW_TEMPLATE = "NewTemplate", "The template changed."

    # What is on record
    DECISIONS_RECORDED = "DecisionsRecorded", "Every decision has its object of kind Decision."

    # Requests that cannot be met
    NOTHING_TO_PROMOTE = "NothingToPromote", "There is no candidate that holds a slice."
    NOTHING_TO_ABORT = "NothingToAbort", "There is no candidate."
    NOTHING_TO_RETRY = "NothingToRetry", "The present template was not rolled back."
    OTHER_REVISION = "OtherRevision", "The request names a revision that is not the candidate."

    NOT_APPROVED = (
        "NotApproved",
        "It is against the recommendation, and too few other people approve it by Review; the message says how.",
    )
    REVIEWS_OVERDUE = (
        "ReviewsOverdue",
        f"{MOST_DUE} decisions made in an emergency wait for their review; another person reviews one of them first.",
    )
    NO_REASON_GIVEN = (
        "NoReasonGiven",
        "An emergency is put on record with who asks and why, and one of them is missing.",
    )

    # Reviews afterwards
    REVIEW_DUE = "ReviewDue", "A decision made in an emergency has not been reviewed by another person yet."
    NOTHING_TO_REVIEW = "NothingToReview", "No decision waits for a review afterwards."

    # Endpoint
    ROUTERS_READY = "RoutersReady", "Ready routers serve the table."
    ROUTERS_STARTING = "RoutersStarting", "No router is ready yet."
    NO_REVISION = "NoRevision", "No ModelRollout has brought up a revision yet; requests are answered 503."
    ALL_CONFIRMED = "AllConfirmed", "Every ready router runs the newest table."
    CONFIRMATION_PENDING = "ConfirmationPending", "A ready router has not confirmed the newest table yet."
    ACCEPTED = "Accepted", "The specification can be served."
    CONTRACT_HOLDS = "ContractHolds", "The metric's series are what its contract promises."
