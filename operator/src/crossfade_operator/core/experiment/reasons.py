"""Why an experiment is as it is, each with its sentence; `docs/reference/experiment-states.md` is generated from it."""

from __future__ import annotations

from crossfade_operator.core.reasons import Explained


class Reason(Explained):
    """Reasons of an experiment's phases, transitions, Decisions and conditions."""

    # Before the start
    NOT_ASKED = "NotAsked", "The experiment is a draft; set `spec.desiredState: Running` to have it checked and run."
    NEW_RUN = "NewRun", "`spec.run` was counted up: everything begins anew, what was recorded before stays."
    ARMS_LEAVING = "ArmsLeaving", "The arms of the run before are still being taken down."
    RUN_ASKED = "RunAsked", "`spec.desiredState` is Running: the design is checked and reviewed."
    WITHDRAWN = "Withdrawn", "`spec.desiredState` is no longer Running, and no user has taken part yet."
    NOT_PLANNABLE = "NotPlannable", "The design cannot be run as it is; the message names every obstacle at once."
    CHANGES_REQUESTED = "ChangesRequested", "A reviewer asks for changes; answer them, or convince the reviewer."
    APPROVAL_MISSING = "ApprovalMissing", "People have to approve this very design, each by a Review."
    DESIGN_APPROVED = "DesignApproved", "Nothing stands against the design; it is frozen, and its digest is its name."
    DESIGN_CHANGED = "DesignChanged", "The design is no longer the approved one; it goes back to its review."

    # Bringing up the arms
    ARMS_STARTING = "ArmsStarting", "The arms' pods are not all ready yet."
    ARMS_LATE = "ArmsLate", "The arms' pods were not ready within ten minutes; look at what the message says of them."
    ARMS_REFUSED = "ArmsRefused", "The API server refused an arm's objects; withdraw the experiment and correct it."
    MODEL_UNKNOWN = "ModelUnknown", "The pods are ready but do not all say the same of what they run."
    ARMS_READY = "ArmsReady", "The arms' pods are ready and their models are pinned by digest."
    SLICE_ASKED = "SliceAsked", "The serving side was asked for the slice and has not answered yet."
    SLICE_REFUSED = "SliceRefused", "The slice does not fit beside its holders; it is granted when it does."
    ROUTERS_CONFIRMING = "RoutersConfirming", "The slice is granted; not every ready router has confirmed it yet."

    # Running
    STARTED = "Started", "Every router sends the arms their users: evidence counts from here."
    COLLECTING = "Collecting", "Evidence is being gathered; no planned look was due yet."
    JUDGED = "Judged", "The last look gave a result, and the plan goes on."
    RESUMED = "Resumed", "What kept from looking is over; the evidence before it is intact."

    # Interrupted
    ANALYZER_UNAVAILABLE = "AnalyzerUnavailable", "The analyzer does not answer; users keep their arms."
    METRICS_UNAVAILABLE = "MetricsUnavailable", "Prometheus does not answer, or its data is stale or incomplete."
    CONTRACT_BROKEN = "ContractBroken", "A metric's series are no longer what its contract promises."
    GRANT_LOST = "GrantLost", "The serving side no longer grants the slice; nothing is asked until it does."
    ROUTES_UNCONFIRMED = "RoutesUnconfirmed", "Not every ready router has confirmed the arms' routes."
    ENDPOINT_NOT_FOUND = "EndpointNotFound", "There is no ModelEndpoint of this name in the namespace; create it."
    CALIBRATION_OFF = (
        "CalibrationOff",
        "The endpoint's A/A experiment is out of tolerance: verdicts are suspended until it is archived or run again.",
    )

    # Ends of a run
    STOP_ASKED = "StopAsked", "`spec.desiredState` is no longer Running."
    DELETED = "Deleted", "The Experiment was deleted: its users get the stable revision again, and it goes after that."
    RESULT_REACHED = "ResultReached", "The result stands by the plan, and the shortest runtime is over."
    PLAN_COMPLETE = "PlanComplete", "The last planned look was taken."
    EVIDENCE_OF_HARM = "EvidenceOfHarm", "A metric was shown to be worse in a treatment."
    MAX_RUNTIME_REACHED = "MaxRuntimeReached", "The longest runtime is over."
    EMERGENCY_DECISION = "EmergencyDecision", "The decision maker decided in the Emergency lane."
    MODEL_CHANGED = "ModelChanged", "An arm's pods no longer run the model that was pinned at the start."
    CHECK_FAILED = "CheckFailed", "A check of quality failed for good: the comparison cannot be trusted."

    # After it
    ROUTES_LEAVING = "RoutesLeaving", "The slice was given back; routers may still send users to the arms."
    LAST_LOOK_PENDING = "LastLookPending", "The last look at the evidence is still to be taken."
    DECISION_PENDING = "DecisionPending", "The result is in; the decision maker decides by `spec.decision`."
    DECISION_INCOMPLETE = "DecisionIncomplete", "A decision was asked for, but something it needs is missing."
    SHIPPED = "Shipped", "The treatment may be rolled out; the Decision opens the gates of rollouts of this model."
    ABORTED = "Aborted", "Control stays."
    DRY_RUN_OVER = "DryRunOver", "The dry run is decided; made-up evidence makes no Decision and opens no gate."
    ARCHIVE_ASKED = "ArchiveAsked", "`spec.desiredState` is Archived."

    # Records
    RECORDING = "Recording", "The Decision is being written; what follows from it waits until it stands."
    RECORD_REFUSED = "RecordRefused", "The Decision could not be written; nothing that widens anything follows from it."

    # Conditions
    PLANNABLE = "Plannable", "Nothing stands against running the design."
    REVIEWED = "Reviewed", "As many people approve this very design as the endpoint's policy asks for."
    NO_ARMS = "NoArms", "No arm is to have pods now."
    ARMS_FAILING = "ArmsFailing", "An arm has no ready pod; its users are answered by the stable revision."
    ROUTED = "Routed", "Every ready router has confirmed the arms' routes."
    NOT_ROUTED = "NotRouted", "The arms have no users now."
    NOT_LOOKED = "NotLooked", "Nobody has looked at the evidence yet."
    REVIEW_DUE = "ReviewDue", "The decision was an emergency; another person has to review it by a Review of it."
    REVIEW_DONE = "ReviewDone", "The emergency decision was reviewed by another person."
    NO_EMERGENCY = "NoEmergency", "There is no emergency decision."
