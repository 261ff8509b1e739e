"""The HTTP service: what it answers, and every refusal as a problem document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from crossfade_analyzer.contract import Evaluation, Problem, Verdict
from crossfade_analyzer.evaluator import Evaluator
from crossfade_analyzer.experiments.evaluator import ExperimentEvaluator
from crossfade_analyzer.service import Parts, application
from crossfade_analyzer.store.evidence import Evidence
from crossfade_analyzer.telemetry import MeasuredSource, Telemetry
from tests.fakes.prometheus import FakePrometheus
from tests.fakes.requests import request

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "analyzer-openapi.json"
SINCE = 1_699_999_000_000


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    store = Evidence(f"sqlite:///{tmp_path / 'evidence.db'}")
    store.migrate()
    yield over(store)
    store.close()


def over(store: Evidence) -> FastAPI:
    prometheus, telemetry = FakePrometheus(), Telemetry()
    source = MeasuredSource(prometheus, telemetry)
    evaluator = Evaluator(source, store, lambda: prometheus.now_ms)
    experiments = ExperimentEvaluator(source, store, lambda: prometheus.now_ms, on_look=telemetry.experiment_looked)
    return application(Parts(evaluator, experiments, source, store, telemetry, lambda: prometheus.now_ms))


async def ask(app: FastAPI, method: str, path: str, body: str | None = None) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://analyzer") as client:
        return await client.request(method, path, content=body, headers={"content-type": "application/json"})


async def evaluate(app: FastAPI, **fields: object) -> httpx.Response:
    body = request(SINCE, **fields).model_dump_json(by_alias=True)  # type: ignore[arg-type]
    return await ask(app, "POST", "/v1/evaluations", body)


def problem(answer: httpx.Response) -> Problem:
    assert answer.headers["content-type"] == "application/problem+json"
    return Problem.model_validate_json(answer.content)


async def test_an_evaluation_that_cannot_judge_is_an_answer_not_an_error(app: FastAPI) -> None:
    answer = await evaluate(app)
    assert answer.status_code == 200
    assert Evaluation.model_validate_json(answer.content).verdict is Verdict.CANNOT_JUDGE


async def test_a_changed_plan_is_a_conflict(app: FastAPI) -> None:
    await evaluate(app)
    answer = await evaluate(app, beta="0.2")
    assert answer.status_code == 409
    assert "plan.beta" in problem(answer).detail


async def test_a_plan_without_a_guarantee_is_refused(app: FastAPI) -> None:
    answer = await evaluate(app, alpha="0.6")
    assert answer.status_code == 422
    assert "alpha is a probability" in problem(answer).detail


@pytest.mark.parametrize("body", ["", "{", "[]", '{"subject": ""}'])
async def test_a_request_that_cannot_be_understood_says_where(app: FastAPI, body: str) -> None:
    answer = await ask(app, "POST", "/v1/evaluations", body)
    assert answer.status_code == 422
    assert problem(answer).detail.startswith("body")


async def test_a_metrics_contract_is_checked(app: FastAPI) -> None:
    answer = await ask(app, "POST", "/v1/contracts", '{"numerator": "sum(a)", "denominator": "b"}')
    assert (answer.status_code, answer.json()["fault"]) == (200, "NotASelector")


async def test_a_subjects_history_is_listed_in_pages(app: FastAPI) -> None:
    subject = json.loads((await evaluate(app)).content)["subject"]
    answer = await ask(app, "GET", f"/v1/subjects/{subject}?limit=1")
    assert [entry["kind"] for entry in answer.json()["entries"]] == ["opened"]
    assert answer.json()["more"] is False
    unknown = await ask(app, "GET", "/v1/subjects/nobody")
    assert unknown.status_code == 404
    assert "nobody" in problem(unknown).detail


async def test_a_store_that_cannot_be_used_is_unready_and_503_but_alive() -> None:
    store = Evidence("sqlite:////nonexistent/evidence.db")
    app = over(store)
    answers = [await ask(app, "GET", "/readyz"), await evaluate(app), await ask(app, "GET", "/healthz")]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert "CROSSFADE_STORE_URL" in problem(answers[1]).detail
    store.close()


async def test_its_own_metrics_count_what_it_did(app: FastAPI) -> None:
    await evaluate(app)
    text = (await ask(app, "GET", "/metrics")).text
    assert 'crossfade_analyzer_evaluations_total{fault="NoSeries",verdict="CannotJudge"} 1.0' in text
    assert 'crossfade_analyzer_prometheus_query_duration_seconds_count{kind="instant",outcome="ok"}' in text


def test_the_published_document_is_this_services(app: FastAPI) -> None:
    assert json.loads(DOCUMENT.read_text()) == app.openapi(), (
        "stale: run `crossfade-analyzer openapi > docs/reference/analyzer-openapi.json`"
    )
