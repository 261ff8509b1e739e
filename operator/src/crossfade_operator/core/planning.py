"""From a rollout's spec to the analyzer's plan: what the guarantee rests on, pinned when the rollout starts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from crossfade_analyzer.contract import (
    Arm,
    Bound,
    CounterSource,
    Direction,
    EvaluationRequest,
    HistogramSource,
    MetricKind,
    MetricPlan,
    MetricSource,
    Plan,
    Role,
    Step,
)
from crossfade_operator.api.metric import MetricSpec
from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelrollout import Bound as ApiBound
from crossfade_operator.api.modelrollout import MetricUse, ModelRolloutSpec
from crossfade_operator.api.modelrollout_status import Candidate, Exposure, Stage
from crossfade_operator.core.rollout.checks import step_of
from crossfade_operator.core.rollout.view import View

BUILT_IN = {"error-rate": MetricKind.ERROR_RATE, "latency": MetricKind.LATENCY}
"""Metrics that the router itself counts; they need no Metric object."""


class MetricMissing(Exception):
    """A metric of the plan is neither built in nor a Metric of the namespace."""


def plan_for(
    endpoint_name: str, endpoint: ModelEndpointSpec, spec: ModelRolloutSpec, metrics: Mapping[str, MetricSpec]
) -> Plan:
    """The plan of one candidate. Raises `MetricMissing` with a sentence."""
    analysis = spec.strategy.analysis
    return Plan(
        endpoint=endpoint_name,
        alpha=Decimal(str(analysis.alpha)),
        beta=Decimal(str(analysis.beta)),
        interval_seconds=analysis.interval.total_seconds(),
        horizon_seconds=max(sum(step.hold.total_seconds() for step in spec.strategy.steps), 1.0),
        latency_bounds=tuple(str(bound) for bound in endpoint.router.latency_bounds),
        warmup_seconds=analysis.warmup.total_seconds(),
        metrics=tuple(_metric(metric, metrics) for metric in analysis.metrics),
    )


def _metric(metric: MetricUse, metrics: Mapping[str, MetricSpec]) -> MetricPlan:
    own = metrics.get(metric.metric)
    kind = BUILT_IN.get(metric.metric)
    if kind is None and own is None:
        raise MetricMissing(
            f"there is no Metric {metric.metric!r} in this namespace; create it, or use one of {', '.join(BUILT_IN)}"
        )
    return MetricPlan(
        name=metric.metric,
        kind=kind or MetricKind(own.type.value),  # type: ignore[union-attr]
        role=Role(metric.role.value),
        direction=Direction(own.direction.value) if own and not kind else Direction.LOWER_IS_BETTER,
        margin=_bound(metric.margin),
        tolerance=_bound(metric.tolerance),
        source=source_of(own) if own and not kind else None,
    )


def _bound(bound: ApiBound | None) -> Bound | None:
    return Bound(relative=bound.relative_value, absolute=bound.absolute_value) if bound else None


def source_of(metric: MetricSpec) -> MetricSource:
    """Where the analyzer finds a metric's series."""
    series = metric.prometheus.model_dump(exclude_none=True)
    if metric.prometheus.above is not None:
        series["above"] = metric.prometheus.above.value
    return (HistogramSource if "histogram" in series else CounterSource)(
        **series,
        arm_label=metric.labels.arm,
        bucket_label=metric.labels.bucket,
        freshness_seconds=metric.freshness.total_seconds(),
    )


def look_is_due(view: View) -> bool:
    """Whether the analyzer is to be asked in this turn."""
    candidate = view.status.candidate
    return (
        candidate is not None
        and candidate.stage in (Stage.SHIFTING, Stage.ANALYZING)
        and candidate.next_look_at is not None
        and bool(candidate.plan)
        and candidate.since is not None
        and exposure_of(view, candidate) is not None
        and view.now >= candidate.next_look_at
    )


def exposure_of(view: View, candidate: Candidate) -> Exposure | None:
    """The slice that the evidence is about: the step's, or the one before while routers take up the step's."""
    if candidate.step_started_at is None:
        return candidate.former
    step = step_of(view, candidate)
    return Exposure(step=step, positions=candidate.positions, started_at=candidate.step_started_at)


def request_for(subject: str, view: View, candidate: Candidate) -> EvaluationRequest:
    """The question about the candidate as it is now; the view's candidate holds a slice and a plan."""
    others = view.routes.experiments + (view.routes.holdout.positions if view.routes.holdout else 0)
    stable, exposure = view.status.stable_revision, exposure_of(view, candidate)
    if not candidate.plan or candidate.since is None or exposure is None or stable is None:
        raise ValueError("the candidate holds no slice yet")
    return EvaluationRequest(
        subject=subject,
        plan=Plan.model_validate(candidate.plan),
        control=Arm(label="stable", revisions=(stable,)),
        candidate=Arm(label="candidate", revisions=(candidate.revision,)),
        since=candidate.since,
        step=Step(
            index=exposure.step,
            started_at=exposure.started_at,
            share=Decimal(exposure.positions) / Decimal(1000 - others),
            shifting=candidate.step_started_at is None,
        ),
    )
