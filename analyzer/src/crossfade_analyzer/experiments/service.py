"""The HTTP paths of experiments and of evidence as a record. Holds no logic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated, Any

from fastapi import FastAPI, Path
from starlette.exceptions import HTTPException

from crossfade_analyzer.contract import (
    EvidenceFile,
    ExperimentEvaluation,
    ExperimentPlan,
    ExperimentPlanRequest,
    ExperimentRequest,
    HoldoutReading,
    HoldoutRequest,
    Verification,
    VerificationRequest,
)
from crossfade_analyzer.experiments import holdouts
from crossfade_analyzer.experiments.evaluator import ExperimentEvaluator
from crossfade_analyzer.experiments.planning import plan
from crossfade_analyzer.sources.raw import RawSource
from crossfade_analyzer.store.evidence import Evidence
from crossfade_analyzer.store.files import exported
from crossfade_analyzer.telemetry import Telemetry
from crossfade_analyzer.verification import UnknownDigest, verify


@dataclass(frozen=True)
class ExperimentParts:
    """What the paths are made of."""

    evaluator: ExperimentEvaluator
    source: RawSource
    store: Evidence
    telemetry: Telemetry
    now_ms: Callable[[], int]


def add_experiments(app: FastAPI, parts: ExperimentParts, problems: dict[int | str, dict[str, Any]]) -> None:
    """Add the paths to a service."""

    @app.post("/v1/experiments/evaluations", responses=problems, operation_id="evaluateExperiment")
    def evaluate(request: ExperimentRequest) -> ExperimentEvaluation:
        """What does the experiment say? Asking twice is harmless: a window is added only for new samples."""
        begun = perf_counter()
        evaluation = parts.evaluator.evaluate(request)
        parts.telemetry.duration.observe(perf_counter() - begun)
        parts.telemetry.experiment_evaluated(request.design.endpoint, evaluation)
        return evaluation

    @app.post("/v1/experiments/plans", responses={422: problems[422]}, operation_id="planExperiment")
    def planned(request: ExperimentPlanRequest) -> ExperimentPlan:
        """What would the experiment take, from the endpoint's real traffic?"""
        return plan(parts.source, request, parts.now_ms())

    @app.post("/v1/holdouts/readings", responses=problems, operation_id="readHoldout")
    def read_holdout(request: HoldoutRequest) -> HoldoutReading:
        """What do all launches of the holdout's time add up to? Read once it is over."""
        return holdouts.read(parts.source, request, parts.now_ms())


def add_records(app: FastAPI, store: Evidence, problems: dict[int | str, dict[str, Any]]) -> None:
    """Add the paths of evidence as a record."""
    unknown: dict[int | str, dict[str, Any]] = {
        404: {**problems[422], "description": "No entry has this digest."},
        503: problems[503],
    }

    @app.get("/v1/evidence/{digest}", responses=unknown, operation_id="exportEvidence")
    def export(digest: Annotated[str, Path(pattern=r"^sha256:[0-9a-f]{64}$")]) -> EvidenceFile:
        """All evidence up to a digest, as a file that verifies anywhere."""
        entry = store.find(digest)
        if entry is None:
            raise HTTPException(404, f"no entry of the evidence store has the digest {digest}")
        return exported(store, entry)

    @app.post("/v1/verifications", responses=unknown, operation_id="verify")
    def verified(request: VerificationRequest) -> Verification:
        """Recompute what stands behind a digest from stored evidence alone."""
        try:
            return verify(store, request.digest)
        except UnknownDigest as error:
            raise HTTPException(404, str(error)) from error
