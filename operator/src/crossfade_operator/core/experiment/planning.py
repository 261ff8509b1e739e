"""From an experiment's spec to what the analyzer is asked, and the digest by which a design is reviewed and frozen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from crossfade_analyzer.contract import (
    ArmRole,
    Bound,
    Direction,
    Exclusion,
    ExperimentArm,
    ExperimentDesign,
    ExperimentMetric,
    ExperimentRequest,
    ExperimentRole,
    ExperimentType,
    Method,
    MetricKind,
    Mock,
    MockMetric,
    SpendingFunction,
)
from crossfade_operator.api.experiment import ExperimentSpec
from crossfade_operator.api.experiment_design import ExperimentMetric as Use
from crossfade_operator.api.experiment_design import Method as ApiMethod
from crossfade_operator.api.experiment_status import ExperimentPhase, ExperimentStatus, PinnedMetric
from crossfade_operator.api.metric import MetricSpec
from crossfade_operator.api.modelrollout import Bound as ApiBound
from crossfade_operator.core.experiment.view import MetricSeen, View, label_of
from crossfade_operator.core.planning import BUILT_IN, source_of
from crossfade_operator.core.revision import served_by

CONTROL_OF_MOCK = "control"
"""The arm of a Metric's mock values that stands for every arm that is not named."""

BUILT_IN_MOCKS = {MetricKind.ERROR_RATE: Decimal("0.01"), MetricKind.LATENCY: Decimal("0.1")}
"""What a dry run sees of the router's own metrics, in every arm: they have no Metric with values of its own."""

SPENDING_PARAMETERS = {
    SpendingFunction.POWER: Decimal(2),
    SpendingFunction.HWANG_SHIH_DECANI: Decimal(-4),
}
"""The usual ones: both spend little early."""

MAX_REASON = 500


def name_of(use: Use) -> str:
    """The metric without the revision that it may be pinned to."""
    return use.metric.partition("@")[0]


def pinned_revision(use: Use) -> str | None:
    return use.metric.partition("@")[2] or None


def own_metrics(spec: ExperimentSpec) -> Mapping[str, str | None]:
    """The Metrics of the namespace that a design uses, and the revisions they are pinned to."""
    return {name_of(use): pinned_revision(use) for use in spec.design.metrics if name_of(use) not in BUILT_IN}


def pins(view: View) -> tuple[PinnedMetric, ...]:
    """The Metrics in the revisions that a start would freeze. The router's own have no revision."""
    found = view.metrics
    return tuple(PinnedMetric(name=name, revision=found[name].revision) for name in sorted(found))


def design_hash(spec: ExperimentSpec, metrics: tuple[PinnedMetric, ...]) -> str:
    """`sha256:` and 64 digits over canonical JSON of the design and the type, every Metric with its revision.

    Editing a Metric that the design does not pin makes it another design, also to its reviewers.
    """
    revisions = {metric.name: metric.revision for metric in metrics}
    design = spec.design.manifest()
    for use in design["metrics"]:
        name = use["metric"].partition("@")[0]
        use["metric"] = f"{name}@{revisions[name]}" if name in revisions else use["metric"]
    canonical = json.dumps(
        {"design": design, "type": spec.type.value}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


# The design, as it is frozen -------------------------------------------------------------------------------------


def design_for(view: View) -> ExperimentDesign:
    """The design in full, sources included: later edits of Metrics change nothing. The view has every Metric."""
    assert view.endpoint is not None  # noqa: S101 - findings say otherwise before
    design, analysis = view.spec.design, view.spec.design.analysis
    spending = SpendingFunction(analysis.spending.value)
    return ExperimentDesign(
        endpoint=f"{view.namespace}/{view.spec.endpoint}",
        type=ExperimentType(view.spec.type.value),
        method=Method(analysis.method.value),
        spending=spending,
        spending_parameter=SPENDING_PARAMETERS.get(spending),
        looks=analysis.looks if analysis.method is ApiMethod.GROUP_SEQUENTIAL else 1,
        alpha=Decimal(str(analysis.alpha)),
        alpha_minus=Decimal(str(analysis.alpha_minus)),
        power=Decimal(str(analysis.power)),
        max_fallback_rate=analysis.max_fallback_rate.fraction,
        interval_seconds=analysis.interval.total_seconds(),
        min_runtime_seconds=design.min_runtime.total_seconds(),
        max_runtime_seconds=design.max_runtime.total_seconds(),
        pre_period_seconds=0.0 if view.spec.dry_run else analysis.pre_period.total_seconds(),
        latency_bounds=tuple(str(bound) for bound in view.endpoint.spec.router.latency_bounds),
        metrics=tuple(_metric(use, view.metrics.get(name_of(use))) for use in design.metrics),
        design_hash=view.status.design_hash,
        mock=_mock(view) if view.spec.dry_run else None,
    )


def _metric(use: Use, own: MetricSeen | None) -> ExperimentMetric:
    name = name_of(use)
    spec = own.spec if own else None
    return ExperimentMetric(
        name=name,
        revision=f"{name}@{own.revision}" if own else None,
        kind=MetricKind(spec.type.value) if spec else BUILT_IN[name],
        role=ExperimentRole(use.role.value),
        direction=Direction(spec.direction.value) if spec else Direction.LOWER_IS_BETTER,
        mde=_bound(use.mde),
        margin=_bound(use.margin),
        source=source_of(spec) if spec else None,
        grows_with_time=bool(spec and spec.grows_with_time),
    )


def _bound(bound: ApiBound | None) -> Bound | None:
    return Bound(relative=bound.relative_value, absolute=bound.absolute_value) if bound else None


def _mock(view: View) -> Mock:
    """Made-up traffic: as much as the least of the Metrics says of one arm, in every arm."""
    names = [name_of(use) for use in view.spec.design.metrics]
    rates = [seen.spec.mock.requests_per_minute for seen in view.metrics.values() if seen.spec.mock]
    arms = [arm.name for arm in view.spec.design.arms]
    return Mock(
        requests_per_minute=Decimal(min(rates, default=1000) * len(arms)),
        metrics={name: MockMetric(values=dict(_values(view, name, arms))) for name in names},
    )


def _values(view: View, name: str, arms: list[str]) -> Iterator[tuple[str, Decimal]]:
    if name in BUILT_IN:
        yield from ((arm, BUILT_IN_MOCKS[BUILT_IN[name]]) for arm in arms)
        return
    values = mock_values(view.metrics[name].spec)
    for arm in arms:
        yield arm, values[arm] if arm in values else values[CONTROL_OF_MOCK]


def mock_values(metric: MetricSpec) -> dict[str, Decimal]:
    """The true values by arm that a dry run sees; none for a Metric without."""
    return {arm.arm: arm.value.value for arm in metric.mock.values} if metric.mock else {}


def unmocked(view: View) -> dict[str, list[str]]:
    """The arms for which a dry run has no value, by Metric; none unless it is one."""
    if not view.spec.dry_run:
        return {}
    arms = {arm.name for arm in view.spec.design.arms}
    found = {}
    for name, seen in sorted(view.metrics.items()):
        values = mock_values(seen.spec)
        missing = sorted(arms - values.keys())
        if missing and CONTROL_OF_MOCK not in values:
            found[name] = missing
    return found


# Questions --------------------------------------------------------------------------------------------------------


def frozen(status: ExperimentStatus) -> ExperimentDesign:
    """The design that was frozen, whatever the spec says since."""
    return ExperimentDesign.model_validate(status.design)


def frozen_body(design: ExperimentDesign) -> dict[str, Any]:
    """The design as `status.design` keeps it."""
    return design.model_dump(mode="json", by_alias=True, exclude_none=True)


def request_for(view: View) -> ExperimentRequest:
    """The question about the run as it is now; it has started."""
    status = view.status
    if status.started_at is None:
        raise ValueError("the experiment has not started: there is nothing to ask yet")
    return ExperimentRequest(
        subject=view.subject,
        design=frozen(status),
        arms=_arms(view),
        fallback_revisions=status.fallback_revisions,
        since=status.started_at,
        ended=status.stopped_at is not None,
        stopped_at=status.stopped_at,
        exclusions=tuple(
            Exclusion(start=one.start, end=one.end, reason=one.reason[:MAX_REASON]) for one in view.spec.exclusions
        ),
    )


def _arms(view: View) -> tuple[ExperimentArm, ...]:
    """The arms by the names that the routers' counters have for them.

    The pods of an arm that is pinned to the stable revision are not stable's: when stable answers in its place, the
    counters say so.
    """
    return tuple(
        ExperimentArm(
            name=arm.name,
            role=ArmRole(arm.role.value),
            label=label_of(view.name, arm.name),
            weight=Decimal(arm.weight),
            revisions=(served_by(label_of(view.name, arm.name), arm.revision),),
        )
        for arm in view.status.arms
    )


LOOKED_AT = (ExperimentPhase.RUNNING, ExperimentPhase.INTERRUPTED, ExperimentPhase.STOPPED)


def look_is_due(view: View) -> bool:
    """Whether the analyzer is to be asked in this turn.

    Nothing is asked while the slice is not granted or not confirmed: what was counted then would be nobody's evidence.
    """
    status = view.status
    if view.deleting or status.phase not in LOOKED_AT or status.started_at is None or status.final or status.pending:
        return False
    if status.phase is ExperimentPhase.STOPPED and status.stopped_at is None:
        return False
    running = status.phase is not ExperimentPhase.STOPPED and not view.spec.dry_run
    if running and not (view.granted and view.confirmed):
        return False
    return status.next_look_at is None or view.now >= status.next_look_at


def interval_of(status: ExperimentStatus) -> timedelta:
    return timedelta(seconds=frozen(status).interval_seconds)


def shortest(status: ExperimentStatus) -> timedelta:
    return timedelta(seconds=frozen(status).min_runtime_seconds)


def longest(status: ExperimentStatus) -> timedelta:
    return timedelta(seconds=frozen(status).max_runtime_seconds)
