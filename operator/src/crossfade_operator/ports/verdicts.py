"""Whoever judges a candidate from evidence. An analyzer that does not answer is a value, not an exception."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from crossfade_analyzer.contract import (
    ContractReport,
    Evaluation,
    EvaluationRequest,
    ExperimentEvaluation,
    ExperimentPlan,
    ExperimentPlanRequest,
    ExperimentRequest,
    MetricSource,
)


@dataclass(frozen=True)
class Unavailable:
    """The analyzer did not give an answer that can be used; `message` says what happened."""

    message: str


class Verdicts(Protocol):
    async def evaluate(self, request: EvaluationRequest) -> Evaluation | Unavailable:
        """How is the candidate doing?"""

    async def check(self, source: MetricSource) -> ContractReport | Unavailable:
        """Can this metric's series be used?"""


class ExperimentVerdicts(Protocol):
    """What is asked about experiments and the Metrics of both sides."""

    async def evaluate_experiment(self, request: ExperimentRequest) -> ExperimentEvaluation | Unavailable:
        """What does the experiment say?"""

    async def plan_experiment(self, request: ExperimentPlanRequest) -> ExperimentPlan | Unavailable:
        """What would the experiment take, and can it be judged at all?"""

    async def check(self, source: MetricSource) -> ContractReport | Unavailable:
        """Can this metric's series be used?"""
