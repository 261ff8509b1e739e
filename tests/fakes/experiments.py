"""Experiment requests with everything filled in that a test does not care about."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from crossfade_analyzer.contract import (
    ArmRole,
    Bound,
    CounterSource,
    Direction,
    Exclusion,
    ExperimentArm,
    ExperimentDesign,
    ExperimentMetric,
    ExperimentRequest,
    ExperimentRole,
    Method,
    MetricKind,
    Mock,
    MockMetric,
)

SUBJECT = "Experiment/recs/new-ranker/uid/1"
ERRORS = ExperimentMetric(
    name="error-rate",
    kind=MetricKind.ERROR_RATE,
    role=ExperimentRole.GUARDRAIL,
    margin=Bound(absolute=Decimal("0.02")),
)
LATENCY = ExperimentMetric(name="latency", kind=MetricKind.LATENCY, role=ExperimentRole.DETERIORATION)
PLAYS = ExperimentMetric(
    name="plays",
    revision="plays@1",
    kind=MetricKind.MEAN,
    role=ExperimentRole.SUCCESS,
    direction=Direction.HIGHER_IS_BETTER,
    mde=Bound(relative=Decimal("0.05")),
    source=CounterSource(numerator="plays_sum", denominator="plays_count"),
)
BOUNDS = ("25ms", "100ms", "500ms", "1s")


def arm(name: str, role: ArmRole = ArmRole.TREATMENT, weight: int = 1) -> ExperimentArm:
    return ExperimentArm(
        name=name, role=role, label=f"new-ranker.{name}", weight=Decimal(weight), revisions=(f"{name}-1",)
    )


CONTROL, TREATMENT = arm("control", ArmRole.CONTROL), arm("treatment")


def design(**fields: Any) -> ExperimentDesign:
    """A fixed horizon of ten minutes in windows of one, at most an hour."""
    chosen: dict[str, Any] = {
        "endpoint": "recs/ranker",
        "method": Method.FIXED_HORIZON,
        "interval_seconds": 60.0,
        "min_runtime_seconds": 600.0,
        "max_runtime_seconds": 3600.0,
        "latency_bounds": BOUNDS,
        "metrics": (ERRORS,),
    }
    return ExperimentDesign(**{**chosen, **fields})


def mock(plays: tuple[float, ...] = (2.0, 2.0), errors: tuple[float, ...] = (0.01, 0.01), **fields: Any) -> Mock:
    """Made-up values of `plays` and `error-rate` for control and treatments, in this order."""
    names = ("control", "treatment", "second")
    values = {"plays": plays, "error-rate": errors}
    spread = fields.pop("spread", "0.3")
    chosen: dict[str, Any] = {
        "requests_per_minute": Decimal(3000),
        "metrics": {
            metric: MockMetric(
                values={name: Decimal(str(value)) for name, value in zip(names, of, strict=False)},
                spread=Decimal(spread),
            )
            for metric, of in values.items()
        },
    }
    return Mock(**{**chosen, **fields})


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def excluded(start_ms: int, end_ms: int, reason: str = "INC-1") -> Exclusion:
    return Exclusion(start=at(start_ms), end=at(end_ms), reason=reason)


def experiment(since_ms: int, *, stopped_ms: int | None = None, **fields: Any) -> ExperimentRequest:
    """The question about an experiment that began at `since_ms`."""
    chosen: dict[str, Any] = {
        "subject": SUBJECT,
        "design": design(),
        "arms": (CONTROL, TREATMENT),
        "fallback_revisions": ("stable-1",),
        "since": at(since_ms),
        "ended": stopped_ms is not None,
        "stopped_at": None if stopped_ms is None else at(stopped_ms),
    }
    return ExperimentRequest(**{**chosen, **fields})
