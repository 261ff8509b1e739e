"""The `Verdicts` port on the analyzer's HTTP contract. Whatever goes wrong becomes `Unavailable` with a sentence."""

from __future__ import annotations

import time
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from crossfade_analyzer.contract import (
    VERSION,
    ContractReport,
    Evaluation,
    EvaluationRequest,
    ExperimentEvaluation,
    ExperimentPlan,
    ExperimentPlanRequest,
    ExperimentRequest,
    MetricSource,
    Problem,
)
from crossfade_operator.ports.telemetry import CallTelemetry
from crossfade_operator.ports.verdicts import Unavailable

EVALUATION_WITHIN = 10.0
PLAN_WITHIN = 60.0
"""A plan reads a week of traffic; who gives up earlier and asks again has the analyzer do it twice at once."""

CONNECT_WITHIN = 2.0

Answer = TypeVar("Answer", bound=BaseModel)


def analyzer_client(url: str) -> httpx.AsyncClient:
    """A connection pool for `AnalyzerVerdicts`; never through a proxy, for the analyzer is a Service of the cluster."""
    return httpx.AsyncClient(base_url=url, trust_env=False)


class AnalyzerVerdicts:
    """Implements `Verdicts` and `ExperimentVerdicts` of `ports.verdicts`."""

    def __init__(self, client: httpx.AsyncClient, telemetry: CallTelemetry) -> None:
        self._client = client
        self._telemetry = telemetry

    async def evaluate(self, request: EvaluationRequest) -> Evaluation | Unavailable:
        answer = await self._ask("evaluations", request, Evaluation)
        if isinstance(answer, Evaluation) and answer.subject != request.subject:
            return Unavailable(f"the analyzer answered about {answer.subject!r}, not about {request.subject!r}")
        return answer

    async def check(self, source: MetricSource) -> ContractReport | Unavailable:
        return await self._ask("contracts", source, ContractReport)

    async def evaluate_experiment(self, request: ExperimentRequest) -> ExperimentEvaluation | Unavailable:
        answer = await self._ask("experiments/evaluations", request, ExperimentEvaluation)
        if isinstance(answer, ExperimentEvaluation) and answer.subject != request.subject:
            return Unavailable(f"the analyzer answered about {answer.subject!r}, not about {request.subject!r}")
        return answer

    async def plan_experiment(self, request: ExperimentPlanRequest) -> ExperimentPlan | Unavailable:
        return await self._ask("experiments/plans", request, ExperimentPlan, PLAN_WITHIN)

    async def _ask(
        self, operation: str, question: BaseModel, expected: type[Answer], within: float = EVALUATION_WITHIN
    ) -> Answer | Unavailable:
        began = time.monotonic()
        answer: Answer | Unavailable
        try:
            answer = await self._post(operation, question, expected, within)
        except httpx.TimeoutException:
            answer = Unavailable(f"the analyzer at {self._client.base_url} did not answer in time")
        except httpx.HTTPError as error:
            answer = Unavailable(f"the analyzer at {self._client.base_url} cannot be reached: {_said(error)}")
        except ValidationError as error:
            answer = Unavailable(f"the analyzer's answer breaks the contract {VERSION}: {_first(error)}")
        outcome = "unavailable" if isinstance(answer, Unavailable) else "ok"
        self._telemetry.analyzer_call(operation, outcome, time.monotonic() - began)
        return answer

    async def _post(
        self, operation: str, question: BaseModel, expected: type[Answer], within: float
    ) -> Answer | Unavailable:
        content = question.model_dump_json(by_alias=True, exclude_none=True)
        headers = {"Content-Type": "application/json"}
        limits = httpx.Timeout(within, connect=CONNECT_WITHIN)
        response = await self._client.post(f"/{VERSION}/{operation}", content=content, headers=headers, timeout=limits)
        if response.status_code != httpx.codes.OK:
            return Unavailable(f"the analyzer answered {response.status_code}: {_problem(response)}")
        return expected.model_validate_json(response.content)


def _problem(response: httpx.Response) -> str:
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        return response.text[:200] or response.reason_phrase
    return f"{problem.title}: {problem.detail}"


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the whole"
    return f"{where}: {first['msg']}"
