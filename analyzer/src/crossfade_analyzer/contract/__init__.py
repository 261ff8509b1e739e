"""The HTTP contract between a controller and the analyzer, version 1.

The one package of the analyzer that others import; pydantic only.

| path | question | answer |
|---|---|---|
| `POST /v1/evaluations` | `EvaluationRequest` | `Evaluation` |
| `POST /v1/experiments/evaluations` | `ExperimentRequest` | `ExperimentEvaluation` |
| `POST /v1/experiments/plans` | `ExperimentPlanRequest` | `ExperimentPlan` |
| `POST /v1/holdouts/readings` | `HoldoutRequest` | `HoldoutReading` |
| `POST /v1/contracts` | `MetricSource` | `ContractReport` |
| `GET /v1/evidence/{digest}` | | `EvidenceFile` |
| `POST /v1/verifications` | `VerificationRequest` | `Verification` |

Times are UTC with an offset; probabilities, margins and shares are decimal strings, so that both sides hold the same
exact number.
"""

from __future__ import annotations

from crossfade_analyzer.contract.base import (
    VERSION,
    ArmCounts,
    Bound,
    ContractReport,
    CounterSource,
    Digest,
    Direction,
    Fault,
    Frozen,
    HistogramSource,
    MetricKind,
    MetricSource,
    Name,
    Probability,
    Problem,
    Reason,
    Selector,
)
from crossfade_analyzer.contract.experiments import (
    MAX_ARMS,
    ArmRole,
    Exclusion,
    ExperimentArm,
    ExperimentDesign,
    ExperimentMetric,
    ExperimentRequest,
    ExperimentRole,
    ExperimentType,
    Method,
    Mock,
    MockMetric,
    SpendingFunction,
)
from crossfade_analyzer.contract.holdouts import (
    HoldoutDifference,
    HoldoutMetric,
    HoldoutReading,
    HoldoutRequest,
    HoldoutState,
)
from crossfade_analyzer.contract.plans import (
    ExperimentPlan,
    ExperimentPlanRequest,
    PlannedMetric,
    Reachable,
)
from crossfade_analyzer.contract.records import (
    EVIDENCE_FORMAT,
    EvidenceEntry,
    EvidenceFile,
    Verification,
    VerificationRequest,
)
from crossfade_analyzer.contract.results import (
    ArmRequests,
    Check,
    CheckName,
    Estimate,
    ExperimentEvaluation,
    ExperimentMetricResult,
    ExperimentReason,
    ExperimentState,
    MetricSummary,
    MetricVerdict,
    Outcome,
    Recommendation,
    SelfTest,
    VerdictSummary,
)
from crossfade_analyzer.contract.rollouts import (
    Arm,
    Evaluation,
    EvaluationRequest,
    MetricPlan,
    MetricResult,
    Plan,
    Requests,
    Role,
    Step,
    Verdict,
)

__all__ = [
    "EVIDENCE_FORMAT",
    "MAX_ARMS",
    "VERSION",
    "Arm",
    "ArmCounts",
    "ArmRequests",
    "ArmRole",
    "Bound",
    "Check",
    "CheckName",
    "ContractReport",
    "CounterSource",
    "Digest",
    "Direction",
    "Estimate",
    "Evaluation",
    "EvaluationRequest",
    "EvidenceEntry",
    "EvidenceFile",
    "Exclusion",
    "ExperimentArm",
    "ExperimentDesign",
    "ExperimentEvaluation",
    "ExperimentMetric",
    "ExperimentMetricResult",
    "ExperimentPlan",
    "ExperimentPlanRequest",
    "ExperimentReason",
    "ExperimentRequest",
    "ExperimentRole",
    "ExperimentState",
    "ExperimentType",
    "Fault",
    "Frozen",
    "HistogramSource",
    "HoldoutDifference",
    "HoldoutMetric",
    "HoldoutReading",
    "HoldoutRequest",
    "HoldoutState",
    "Method",
    "MetricKind",
    "MetricPlan",
    "MetricResult",
    "MetricSource",
    "MetricSummary",
    "MetricVerdict",
    "Mock",
    "MockMetric",
    "Name",
    "Outcome",
    "Plan",
    "PlannedMetric",
    "Probability",
    "Problem",
    "Reachable",
    "Reason",
    "Recommendation",
    "Requests",
    "Role",
    "Selector",
    "SelfTest",
    "SpendingFunction",
    "Step",
    "Verdict",
    "VerdictSummary",
    "Verification",
    "VerificationRequest",
]
