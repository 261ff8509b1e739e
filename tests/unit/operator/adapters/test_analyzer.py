"""Whatever the analyzer does wrong is `Unavailable` with a sentence; nothing is raised."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from crossfade_analyzer.contract import (
    Arm,
    ContractReport,
    CounterSource,
    Evaluation,
    EvaluationRequest,
    ExperimentPlanRequest,
    MetricKind,
    MetricPlan,
    Plan,
    Problem,
    Reason,
    Requests,
    Role,
    Step,
    Verdict,
)
from crossfade_operator.adapters.analyzer import EVALUATION_WITHIN, PLAN_WITHIN, AnalyzerVerdicts
from crossfade_operator.ports.verdicts import Unavailable
from tests.fakes.experiments import CONTROL, TREATMENT, design
from tests.fakes.telemetry import FakeTelemetry

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REQUEST = EvaluationRequest(
    subject="ModelRollout/recs/ranker/uid/aaaaaaaaaa/1",
    plan=Plan(
        endpoint="recs/ranker",
        alpha=Decimal("0.01"),
        beta=Decimal("0.05"),
        interval_seconds=30,
        horizon_seconds=600,
        latency_bounds=("25ms",),
        metrics=(MetricPlan(name="error-rate", kind=MetricKind.ERROR_RATE, role=Role.DETERIORATION),),
    ),
    control=Arm(label="stable", revisions=("bbbbbbbbbb",)),
    candidate=Arm(label="candidate", revisions=("aaaaaaaaaa",)),
    since=NOON,
    step=Step(index=0, started_at=NOON, share=Decimal("0.1")),
)
EVALUATION = Evaluation(
    subject=REQUEST.subject,
    verdict=Verdict.UNDECIDED,
    message="look again",
    look=3,
    requests=Requests(control=900, candidate=100, candidate_in_step=100),
    metrics=(),
    rule="rollout@1",
)
SOURCE = CounterSource(numerator="a_total", denominator="b_total")

Handler = Callable[[httpx.Request], httpx.Response]


def verdicts(handler: Handler, telemetry: FakeTelemetry | None = None) -> AnalyzerVerdicts:
    client = httpx.AsyncClient(transport=httpx.MockTransport(handler), base_url="http://analyzer:8080")
    return AnalyzerVerdicts(client, telemetry or FakeTelemetry())


async def test_a_question_goes_out_by_the_contract_and_the_answer_comes_back_whole() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, text=EVALUATION.model_dump_json(by_alias=True))

    assert await verdicts(handler).evaluate(REQUEST) == EVALUATION
    assert (seen[0].method, seen[0].url.path) == ("POST", "/v1/evaluations")
    assert EvaluationRequest.model_validate_json(seen[0].content) == REQUEST


async def test_a_contract_is_checked_at_its_own_address() -> None:
    report = ContractReport(holds=False, reason=Reason.CONTRACT_BROKEN, message="no arm label")

    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/contracts"
        assert CounterSource.model_validate_json(request.content) == SOURCE
        return httpx.Response(200, text=report.model_dump_json(by_alias=True))

    assert await verdicts(handler).check(SOURCE) == report


async def test_a_plan_may_take_longer_than_a_look() -> None:
    allowed: dict[str, float] = {}

    def handler(request: httpx.Request) -> httpx.Response:
        allowed[request.url.path] = request.extensions["timeout"]["read"]
        return httpx.Response(503)

    plan = ExperimentPlanRequest(design=design(), arms=(CONTROL, TREATMENT), slice=Decimal("0.2"))
    await verdicts(handler).plan_experiment(plan)
    await verdicts(handler).check(SOURCE)
    assert allowed == {"/v1/experiments/plans": PLAN_WITHIN, "/v1/contracts": EVALUATION_WITHIN}


def _raises(error: Exception) -> Handler:
    def handler(_: httpx.Request) -> httpx.Response:
        raise error

    return handler


def _answers(status: int, text: str) -> Handler:
    return lambda _: httpx.Response(status, text=text)


OTHER = EVALUATION.model_copy(update={"subject": "ModelRollout/recs/other"}).model_dump_json(by_alias=True)
PROBLEM = Problem(title="Bad plan", detail="alpha is missing").model_dump_json()


@pytest.mark.parametrize(
    ("handler", "sentence"),
    [
        pytest.param(_raises(httpx.ConnectError("refused")), "cannot be reached: refused", id="nobody listens"),
        pytest.param(_raises(httpx.ReadTimeout("")), "did not answer in time", id="it hangs"),
        pytest.param(_raises(httpx.RemoteProtocolError("")), "RemoteProtocolError", id="it hangs up"),
        pytest.param(_answers(422, PROBLEM), "answered 422: Bad plan: alpha is missing", id="it refuses the plan"),
        pytest.param(_answers(503, "upstream"), "answered 503: upstream", id="something before it fails"),
        pytest.param(_answers(200, "<html>"), "breaks the contract v1", id="it is not the analyzer"),
        pytest.param(_answers(200, '{"verdict":"Proven"}'), "subject: Field required", id="its answer lacks a field"),
        pytest.param(_answers(200, OTHER), "answered about 'ModelRollout/recs/other'", id="it answers about another"),
    ],
)
async def test_a_failure_is_a_value(handler: Handler, sentence: str) -> None:
    telemetry = FakeTelemetry()
    answer = await verdicts(handler, telemetry).evaluate(REQUEST)
    assert isinstance(answer, Unavailable)
    assert sentence in answer.message


async def test_a_verdict_that_is_not_known_is_no_verdict() -> None:
    forged = {**json.loads(EVALUATION.model_dump_json(by_alias=True)), "verdict": "Splendid"}
    answer = await verdicts(_answers(200, json.dumps(forged))).evaluate(REQUEST)
    assert isinstance(answer, Unavailable)


async def test_calls_are_counted_by_outcome() -> None:
    telemetry = FakeTelemetry()
    await verdicts(_raises(httpx.ConnectError("refused")), telemetry).check(SOURCE)
    name, args, _ = telemetry.told[0]
    assert (name, args[:2]) == ("analyzer_call", ("contracts", "unavailable"))
