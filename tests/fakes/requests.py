"""Evaluation requests with everything filled in that a test does not care about."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from crossfade_analyzer.contract import (
    Arm,
    Bound,
    CounterSource,
    EvaluationRequest,
    MetricKind,
    MetricPlan,
    Plan,
    Role,
    Step,
)

ERRORS = MetricPlan(
    name="error-rate", kind=MetricKind.ERROR_RATE, role=Role.GUARDRAIL, margin=Bound(absolute=Decimal("0.02"))
)
LATENCY = MetricPlan(name="latency", kind=MetricKind.LATENCY, role=Role.DETERIORATION)
BOUNDS = ("25ms", "100ms", "500ms", "1s")


def own_metric(
    kind: MetricKind = MetricKind.COUNT, numerator: str = "empty_total", denominator: str = "answers_total"
) -> MetricPlan:
    """A metric of a model server's own counters."""
    source = CounterSource(numerator=numerator, denominator=denominator)
    return MetricPlan(name="own", kind=kind, role=Role.DETERIORATION, source=source)


def request(
    since_ms: int,
    *,
    subject: str = "ModelRollout/recs/ranker/uid/new/1",
    endpoint: str = "recs/ranker",
    metrics: tuple[MetricPlan, ...] = (ERRORS,),
    share: str = "0.1",
    step: int = 0,
    step_at_ms: int | None = None,
    shifting: bool = False,
    **plan: Any,
) -> EvaluationRequest:
    """An evaluation request of a rollout whose first exposure was at `since_ms`."""
    since = datetime.fromtimestamp(since_ms / 1000, UTC)
    chosen: dict[str, Any] = {
        "endpoint": endpoint,
        "alpha": Decimal("0.01"),
        "beta": Decimal("0.05"),
        "interval_seconds": 30.0,
        "horizon_seconds": 3600.0,
        "latency_bounds": BOUNDS,
        "metrics": metrics,
    }
    return EvaluationRequest(
        subject=subject,
        plan=Plan(**{**chosen, **plan}),
        control=Arm(label="stable", revisions=("old",)),
        candidate=Arm(label="candidate", revisions=("new",)),
        since=since,
        step=Step(
            index=step,
            started_at=since if step_at_ms is None else datetime.fromtimestamp(step_at_ms / 1000, UTC),
            share=Decimal(share),
            shifting=shifting,
        ),
    )
