"""The HTTP service: what it answers, and every refusal as a problem document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from crossfade_analyzer.contract import (
    Evaluation,
    EvidenceFile,
    ExperimentEvaluation,
    ExperimentMetric,
    ExperimentPlan,
    ExperimentPlanRequest,
    ExperimentRole,
    ExperimentType,
    HoldoutReading,
    HoldoutRequest,
    HoldoutState,
    MetricKind,
    Problem,
    Recommendation,
    Verdict,
    Verification,
)
from crossfade_analyzer.evaluator import Evaluator
from crossfade_analyzer.experiments.evaluator import ExperimentEvaluator
from crossfade_analyzer.service import Parts, application
from crossfade_analyzer.store.evidence import Evidence
from crossfade_analyzer.store.files import FileEvidence
from crossfade_analyzer.telemetry import MeasuredSource, Telemetry
from crossfade_analyzer.verification import verify, verify_file
from tests.fakes.experiments import CONTROL, PLAYS, SUBJECT, TREATMENT, design, experiment, mock
from tests.fakes.experiments import ERRORS as EXPERIMENT_ERRORS
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


async def ask_experiment(app: FastAPI, **fields: object) -> httpx.Response:
    chosen = {"design": design(metrics=(PLAYS, EXPERIMENT_ERRORS), mock=mock(plays=(2.0, 2.2))), **fields}
    body = experiment(FakePrometheus().now_ms - 3_600_000, **chosen).model_dump_json(by_alias=True, exclude_none=True)
    return await ask(app, "POST", "/v1/experiments/evaluations", body)


async def test_an_experiment_is_evaluated_exported_and_verified(app: FastAPI) -> None:
    answer = await ask_experiment(app)
    seen = ExperimentEvaluation.model_validate_json(answer.content)
    assert (answer.status_code, seen.recommendation, seen.final) == (200, Recommendation.SHIP, True)
    exported = await ask(app, "GET", f"/v1/evidence/{seen.digest}")
    file = EvidenceFile.model_validate_json(exported.content)
    assert (file.subject, file.digest, len(file.entries)) == (seen.subject, seen.digest, 13)
    assert verify_file(FileEvidence(file)).verified
    verified = await ask(app, "POST", "/v1/verifications", json.dumps({"digest": seen.digest}))
    assert Verification.model_validate_json(verified.content).verdict == "Ship"
    history = await ask(app, "GET", f"/v1/subjects/{seen.subject}")
    assert history.json()["entries"][-1]["evaluation"]["recommendation"] == "Ship"
    text = (await ask(app, "GET", "/metrics")).text
    assert 'crossfade_analyzer_experiment_looks_total{recommendation="Ship"} 1.0' in text
    assert 'crossfade_analyzer_experiment_verdicts_total{role="Success",verdict="Superior"} 1.0' in text


async def test_an_aa_experiment_is_a_metric_of_the_endpoint(app: FastAPI) -> None:
    await ask_experiment(app, design=design(metrics=(PLAYS, EXPERIMENT_ERRORS), mock=mock(), type=ExperimentType.AA))
    text = (await ask(app, "GET", "/metrics")).text
    assert 'crossfade_analyzer_experiment_aa_false_positive_ratio{model_endpoint="recs/ranker"} 0.0' in text
    assert 'crossfade_analyzer_experiment_aa_split_error_ratio{model_endpoint="recs/ranker"} 0.0' in text


async def test_a_changed_design_is_a_conflict_and_a_void_one_refused(app: FastAPI) -> None:
    await ask_experiment(app)
    changed = await ask_experiment(app, design=design(mock=mock(), metrics=(PLAYS, EXPERIMENT_ERRORS), alpha="0.1"))
    void = await ask_experiment(app, design=design(alpha_minus="0.3"))
    assert (changed.status_code, void.status_code) == (409, 422)
    assert "design.alpha" in problem(changed).detail
    assert "alphaMinus" in problem(void).detail


async def test_a_subject_of_another_kind_is_a_conflict(app: FastAPI) -> None:
    subject = json.loads((await evaluate(app)).content)["subject"]
    assert (await ask_experiment(app, subject=subject)).status_code == 409
    await ask_experiment(app)
    assert (await evaluate(app, subject=SUBJECT)).status_code == 409


async def test_a_plan_that_would_not_work_is_an_answer_with_refusals(app: FastAPI) -> None:
    request = ExperimentPlanRequest(design=design(), arms=(CONTROL, TREATMENT), slice=Decimal("0.2"))
    answer = await ask(app, "POST", "/v1/experiments/plans", request.model_dump_json(by_alias=True))
    assert answer.status_code == 200
    assert ExperimentPlan.model_validate_json(answer.content).refusals


async def test_a_holdout_without_traffic_is_an_answer_with_a_sentence(app: FastAPI) -> None:
    errors = ExperimentMetric(name="error-rate", kind=MetricKind.ERROR_RATE, role=ExperimentRole.QUALITY)
    request = HoldoutRequest(endpoint="recs/ranker", until=datetime(2026, 1, 1, tzinfo=UTC), metrics=(errors,))
    answer = await ask(app, "POST", "/v1/holdouts/readings", request.model_dump_json(by_alias=True))
    assert answer.status_code == 200
    assert HoldoutReading.model_validate_json(answer.content).state is HoldoutState.CANNOT_JUDGE


async def test_a_digest_nobody_has_is_not_found(app: FastAPI) -> None:
    digest = "sha256:" + "0" * 64
    answers = [
        await ask(app, "GET", f"/v1/evidence/{digest}"),
        await ask(app, "POST", "/v1/verifications", json.dumps({"digest": digest})),
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert all(digest in problem(answer).detail for answer in answers)


async def test_a_full_store_is_a_503_that_says_what_to_do_and_goes_on_by_itself(tmp_path: Path) -> None:
    store = Evidence(f"sqlite:///{tmp_path / 'evidence.db'}")
    store.migrate()
    app = over(store)
    with store._engine.connect() as connection:  # the pool hands the same connection out again
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    full = await ask_experiment(app)
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1073741823")
    healed = await ask_experiment(app)
    assert (full.status_code, healed.status_code) == (503, 200)
    assert "free space on its volume" in problem(full).detail
    digest = json.loads(healed.content)["digest"]
    assert verify(store, digest).verified
    store.close()


async def test_a_read_only_store_says_so(tmp_path: Path) -> None:
    store = Evidence(f"sqlite:///{tmp_path / 'evidence.db'}")
    store.migrate()
    reader = Evidence(f"sqlite:///{tmp_path / 'evidence.db'}", read_only=True)
    answer = await ask_experiment(over(reader))
    assert answer.status_code == 503
    assert "writable" in problem(answer).detail
    assert list(store.dump()) == []
    reader.close()
    store.close()


async def test_its_own_metrics_count_what_it_did(app: FastAPI) -> None:
    await evaluate(app)
    text = (await ask(app, "GET", "/metrics")).text
    assert 'crossfade_analyzer_evaluations_total{fault="NoSeries",verdict="CannotJudge"} 1.0' in text
    assert 'crossfade_analyzer_prometheus_query_duration_seconds_count{kind="instant",outcome="ok"}' in text


def test_the_published_document_is_this_services(app: FastAPI) -> None:
    assert json.loads(DOCUMENT.read_text()) == app.openapi(), "stale: run `make generate`"
