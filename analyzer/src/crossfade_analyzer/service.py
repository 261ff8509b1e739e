"""The HTTP service: translates requests to the evaluator and its errors to problem documents. Holds no logic."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

from crossfade_analyzer.contract import (
    ContractReport,
    Digest,
    Evaluation,
    EvaluationRequest,
    ExperimentEvaluation,
    Frozen,
    MetricSource,
    Name,
    Problem,
)
from crossfade_analyzer.contracts import check_contract
from crossfade_analyzer.evaluator import Evaluator
from crossfade_analyzer.experiments.evaluator import ExperimentEvaluator
from crossfade_analyzer.experiments.records import RULE as EXPERIMENT
from crossfade_analyzer.experiments.service import ExperimentParts, add_experiments, add_records
from crossfade_analyzer.snapshots import Entry, Kind
from crossfade_analyzer.sources.raw import RawSource
from crossfade_analyzer.statistics.rollout import InvalidPlan
from crossfade_analyzer.store.evidence import Evidence, StoreUnavailable
from crossfade_analyzer.subjects import PlanChanged
from crossfade_analyzer.telemetry import CONTENT_TYPE, Telemetry

log = logging.getLogger("crossfade.analyzer")
_PROBLEM_TYPE = "application/problem+json"
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text, "content": {_PROBLEM_TYPE: {}}}
    for status, text in {
        409: "The plan differs from the one the subject's evidence was gathered under.",
        422: "The request cannot be understood, or its plan would void the guarantee.",
        503: "The evidence store cannot be used.",
    }.items()
}


class LookRecord(Frozen):
    """One entry of a subject's evidence, and what was judged at it."""

    seq: int
    kind: Kind
    digest: Digest
    evaluation: Evaluation | ExperimentEvaluation | None = None


class History(Frozen):
    """A subject's entries in order, at most `limit` of them after `after`."""

    subject: Name
    entries: tuple[LookRecord, ...]
    more: bool


@dataclass(frozen=True)
class Parts:
    """What the service is made of."""

    evaluator: Evaluator
    experiments: ExperimentEvaluator
    source: RawSource
    store: Evidence
    telemetry: Telemetry
    now_ms: Callable[[], int]


def application(parts: Parts) -> FastAPI:
    """The service over its parts."""
    app = FastAPI(
        title="Crossfade analyzer",
        version="v1",
        description="Judges candidates and experiments from raw samples, and keeps the evidence.",
        docs_url=None,
        redoc_url=None,
    )
    _evaluations(app, parts)
    own = ExperimentParts(parts.experiments, parts.source, parts.store, parts.telemetry, parts.now_ms)
    add_experiments(app, own, _PROBLEMS)
    add_records(app, parts.store, _PROBLEMS)
    _history(app, parts)
    _operations(app, parts)
    _problems(app, parts)
    return app


def _evaluations(app: FastAPI, parts: Parts) -> None:
    @app.post("/v1/evaluations", responses=_PROBLEMS, operation_id="evaluate")
    def evaluate(request: EvaluationRequest) -> Evaluation:
        """How is the candidate doing? Asking twice is harmless: a look is added only for new samples."""
        begun = perf_counter()
        evaluation = parts.evaluator.evaluate(request)
        parts.telemetry.duration.observe(perf_counter() - begun)
        parts.telemetry.evaluated(evaluation)
        return evaluation

    @app.post("/v1/contracts", responses={422: _PROBLEMS[422]}, operation_id="checkContract")
    def check(source: MetricSource) -> ContractReport:
        """Can this metric's series be used?"""
        return check_contract(parts.source, source, parts.now_ms)


def _history(app: FastAPI, parts: Parts) -> None:
    @app.get(
        "/v1/subjects/{subject:path}", responses={404: _PROBLEMS[422], 503: _PROBLEMS[503]}, operation_id="history"
    )
    def history(
        subject: Annotated[str, Path(max_length=253)],
        after: Annotated[int, Query(ge=-1, description="Entries with a number above this one.")] = -1,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> History:
        """A subject's evidence, oldest first: digests and what was judged at each look."""
        entries = list(parts.store.chain(subject, after=after, through=after + limit))
        if not entries and next(parts.store.chain(subject, through=0), None) is None:
            raise HTTPException(404, f"there is no evidence for subject {subject!r}")
        more = next(parts.store.chain(subject, after=after + limit, through=after + limit + 1), None) is not None
        return History(subject=subject, entries=tuple(map(_record, entries)), more=more)


def _record(entry: Entry) -> LookRecord:
    judged: Evaluation | ExperimentEvaluation | None = None
    if entry.result:
        experiment = json.loads(entry.result)["rule"] == EXPERIMENT
        judged = (ExperimentEvaluation if experiment else Evaluation).model_validate_json(entry.result)
    return LookRecord(seq=entry.seq, kind=entry.kind, digest=entry.digest, evaluation=judged)


def _operations(app: FastAPI, parts: Parts) -> None:
    @app.get("/healthz", response_class=PlainTextResponse, operation_id="healthy")
    def healthy() -> str:
        """The process serves."""
        return "ok\n"

    @app.get("/readyz", response_class=PlainTextResponse, responses={503: _PROBLEMS[503]}, operation_id="ready")
    def ready() -> str:
        """The evidence store answers. Prometheus is not asked: without it verdicts say so themselves."""
        parts.store.ping()
        return "ok\n"

    @app.get("/metrics", response_class=PlainTextResponse, operation_id="metrics")
    def metrics() -> Response:
        """The service's own metrics."""
        return Response(parts.telemetry.text(), media_type=CONTENT_TYPE)


def _problems(app: FastAPI, parts: Parts) -> None:
    def problem(status: int, title: str, detail: str) -> JSONResponse:
        parts.telemetry.refused.labels(str(status)).inc()
        body = Problem(title=title, detail=detail).model_dump(by_alias=True)
        return JSONResponse(body, status, media_type=_PROBLEM_TYPE)

    @app.exception_handler(RequestValidationError)
    def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        found = ("/".join(map(str, item["loc"])) + ": " + item["msg"] for item in error.errors()[:5])
        return problem(422, "The request cannot be understood", "; ".join(found))

    @app.exception_handler(InvalidPlan)
    def void(_request: Request, error: InvalidPlan) -> JSONResponse:
        return problem(422, "The plan would void the guarantee", str(error))

    @app.exception_handler(PlanChanged)
    def changed(_request: Request, error: PlanChanged) -> JSONResponse:
        return problem(409, "The plan changed", str(error))

    @app.exception_handler(StoreUnavailable)
    def unavailable(_request: Request, error: StoreUnavailable) -> JSONResponse:
        log.error("%s", error)
        return problem(503, "The evidence store cannot be used", str(error))

    @app.exception_handler(HTTPException)
    def refused(_request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, "The request was refused", str(error.detail))

    @app.exception_handler(Exception)
    def failed(_request: Request, error: Exception) -> JSONResponse:
        log.error("unexpected error", exc_info=error)
        return problem(500, "Unexpected error", f"{type(error).__name__}: see the analyzer's log")
