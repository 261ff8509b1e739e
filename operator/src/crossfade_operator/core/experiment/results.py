"""What the analyzer answered, as the status keeps it and as a Decision holds it for ever."""

from __future__ import annotations

import math
from collections.abc import Iterable

from crossfade_analyzer.contract import (
    Check,
    ExperimentEvaluation,
    ExperimentMetricResult,
    ExperimentReason,
    ExperimentState,
    VerdictSummary,
)
from crossfade_analyzer.contract import Recommendation as Recommended
from crossfade_operator.api.decision import (
    CheckFinding,
    MetricFinding,
    Outcome,
    Recommendation,
    WithoutExclusions,
)
from crossfade_operator.api.experiment_status import ExperimentResult, MetricRole
from crossfade_operator.api.modelrollout import Bound
from crossfade_operator.core.experiment.planning import name_of
from crossfade_operator.core.experiment.reasons import Reason
from crossfade_operator.core.experiment.view import Turn, View

BLIND = {
    ExperimentReason.METRICS_UNAVAILABLE: Reason.METRICS_UNAVAILABLE,
    ExperimentReason.CONTRACT_BROKEN: Reason.CONTRACT_BROKEN,
}
"""Answers that say that no look could be taken, as reasons to be interrupted."""

HARM = (ExperimentReason.DETERIORATION, ExperimentReason.SUCCESS_AND_DETERIORATION)

CALIBRATION_CHECKS = ("FalsePositiveRate", "SplitAccuracy")
"""The checks of an A/A experiment that say whether the endpoint's verdicts can be trusted."""


def blind(evaluation: ExperimentEvaluation) -> Reason | None:
    """Why this answer is no look at the evidence; None when it is one, or when there merely is too little of it."""
    return BLIND.get(evaluation.reason) if evaluation.state is ExperimentState.CANNOT_JUDGE else None


def counted(turn: Turn, evaluation: ExperimentEvaluation) -> Turn:
    """Note down what was counted, without what was judged from it: `evidence` stays that of the results shown."""
    return turn.set(
        look=evaluation.look,
        windows=evaluation.windows,
        progress=f"{math.floor(evaluation.progress * 100)}%",
        rule=evaluation.rule,
    )


def judged(view: View, turn: Turn, evaluation: ExperimentEvaluation) -> Turn:
    """Note down the result as it is now. Deliberation begins when the recommendation last changed."""
    status = turn.status
    recommendation = _recommendation(evaluation)
    same = (recommendation, evaluation.treatment) == (status.recommendation, status.treatment)
    since = status.recommended_at if same else view.now
    return counted(turn, evaluation).set(
        evidence=evaluation.digest or status.evidence,
        results=tuple(_row(result) for result in evaluation.metrics),
        checks=checks_of(evaluation.checks),
        recommendation=recommendation,
        treatment=evaluation.treatment if recommendation else None,
        recommended_at=since if recommendation else None,
        outcome=Outcome(evaluation.outcome.value),
        without_exclusions=_summary(evaluation.without_exclusions),
        final=evaluation.final,
    )


def checks_of(checks: Iterable[Check]) -> tuple[CheckFinding, ...]:
    """One finding for each name, whatever the number of arms and metrics: it failed where any of them did, and says
    what was found of those, or of all."""
    named: dict[str, list[Check]] = {}
    for check in checks:
        named.setdefault(check.name.value, []).append(check)
    return tuple(_together(name, group) for name, group in named.items())


def _together(name: str, group: list[Check]) -> CheckFinding:
    failed = [check for check in group if not check.passed]
    return CheckFinding(
        name=name,
        passed=not failed,
        blocking=any(check.blocking for check in failed or group),
        message="; ".join(check.message for check in failed or group),
    )


def _recommendation(evaluation: ExperimentEvaluation) -> Recommendation | None:
    """`Continue` recommends nothing."""
    found = evaluation.recommendation
    return None if found is Recommended.CONTINUE else Recommendation(found.value)


def _summary(summary: VerdictSummary | None) -> WithoutExclusions | None:
    if summary is None:
        return None
    return WithoutExclusions(
        recommendation=summary.recommendation.value,
        outcome=Outcome(summary.outcome.value),
        reason=summary.reason.value,
        treatment=summary.treatment,
        message=summary.message,
    )


def _row(result: ExperimentMetricResult) -> ExperimentResult:
    control, treated = result.control, result.treated
    interval = result.relative or result.absolute
    return ExperimentResult(
        metric=result.metric,
        treatment=result.treatment,
        role=MetricRole(result.role.value),
        verdict=result.verdict.value,
        control=_number(control.value if control else None),
        value=_number(treated.value if treated else None),
        relative=_number(result.relative.value if result.relative else None),
        lower=_number(interval.lower if interval else None),
        upper=_number(interval.upper if interval else None),
        progress=_percent(result.information_fraction),
        message=result.message,
    )


def _number(value: float | None) -> str | None:
    return None if value is None or not math.isfinite(value) else f"{value:.6g}"


def _percent(fraction: float | None) -> str | None:
    return None if fraction is None else f"{math.floor(min(max(fraction, 0.0), 1.0) * 100)}%"


def findings(view: View) -> tuple[MetricFinding, ...]:
    """The results in status as a Decision holds them, with what they were held against."""
    revisions = {metric.name: metric.revision for metric in view.status.metrics}
    margins = {name_of(use): _margin(use.margin or use.mde) for use in view.spec.design.metrics}
    return tuple(
        MetricFinding(
            name=row.metric,
            revision=revisions.get(row.metric),
            treatment=row.treatment,
            role=row.role.value,
            verdict=row.verdict,
            control=row.control,
            value=row.value,
            estimate=row.relative,
            lower=row.lower,
            upper=row.upper,
            margin=margins.get(row.metric),
            message=row.message,
        )
        for row in view.status.results
    )


def _margin(bound: Bound | None) -> str | None:
    if bound is None:
        return None
    return f"{bound.relative} relative" if bound.relative is not None else f"{bound.absolute} absolute"
