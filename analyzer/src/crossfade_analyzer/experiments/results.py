"""A look's readings as results for people: one row per treatment and metric."""

from __future__ import annotations

from collections.abc import Mapping

from crossfade_analyzer.contract import (
    ArmCounts,
    Estimate,
    ExperimentArm,
    ExperimentMetric,
    ExperimentMetricResult,
    ExperimentRole,
    Method,
    MetricVerdict,
)
from crossfade_analyzer.experiments.fold import Fold
from crossfade_analyzer.experiments.records import Look, Reading
from crossfade_analyzer.experiments.study import Study, scale_of
from crossfade_analyzer.faults import Finding


def results(fold: Fold, look: Look | None, by_metric: Mapping[str, Finding]) -> tuple[ExperimentMetricResult, ...]:
    """Every treatment and metric; before the first look, and where the plan shows nothing yet, without a number."""
    readings = {(r.treatment, r.metric): r for r in look.included} if look else {}
    return tuple(
        _result(fold, look, arm, metric, readings.get((arm.name, metric.name)), by_metric.get(metric.name))
        for _, arm, metric in fold.study.comparisons
    )


def verdict_of(reading: Reading, study: Study, look: Look) -> MetricVerdict:
    """What one reading shows. Harm counts first, and a metric that only guards shows nothing else."""
    role = next(m.role for m in study.design.metrics if m.name == reading.metric)
    if reading.harmed:
        return MetricVerdict.DIFFERENT if role is ExperimentRole.QUALITY else MetricVerdict.INFERIOR
    if reading.refusal is not None:
        return MetricVerdict.CANNOT_JUDGE
    if reading.shown:
        return MetricVerdict.SUPERIOR if role is ExperimentRole.SUCCESS else MetricVerdict.NON_INFERIOR
    always = study.design.method is Method.ALWAYS_VALID
    if role in (ExperimentRole.SUCCESS, ExperimentRole.GUARDRAIL) and not (look.final or always):
        return MetricVerdict.NOT_YET
    return MetricVerdict.INCONCLUSIVE


def _result(
    fold: Fold,
    look: Look | None,
    arm: ExperimentArm,
    metric: ExperimentMetric,
    reading: Reading | None,
    finding: Finding | None,
) -> ExperimentMetricResult:
    target = fold.planned.targets.get(metric.name) if fold.planned else None
    named = {
        "treatment": arm.name,
        "metric": metric.name,
        "revision": metric.revision,
        "role": metric.role,
        "planned_information": target.information if target and target.sample is not None else None,
        "required_sample": target.sample if target else None,
    }
    verdict, message = _told(fold, look, reading, finding)
    reason = finding.fault.value if finding else reading.refusal if reading else None
    if look is None or reading is None or reading.difference is None or _hidden(fold, metric, look):
        return ExperimentMetricResult(**named, verdict=verdict, reason=reason, message=message)
    return ExperimentMetricResult(
        **named,
        verdict=verdict,
        reason=reason,
        message=message,
        control=_counts(metric, reading.control),
        treated=_counts(metric, reading.treated),
        absolute=_estimate(reading.difference, reading.se, reading.reach),
        relative=None if reading.relative is None else _estimate(reading.relative, reading.relative_se, reading.reach),
        z=reading.z,
        bound=reading.bound,
        harm_z=reading.harm_z,
        harm_bound=reading.harm_bound,
        information_fraction=look.fraction,
        information=reading.information,
        cuped_r2=reading.explained,
    )


def _told(fold: Fold, look: Look | None, reading: Reading | None, finding: Finding | None) -> tuple[MetricVerdict, str]:
    """The verdict in words; what was found wrong takes the place of "nothing found yet" only."""
    if look is None or reading is None:
        verdict, message = MetricVerdict.NOT_YET, "Not looked at yet"
    else:
        verdict = verdict_of(reading, fold.study, look)
        message = reading.sentence or _SAID[verdict]
    unclear = verdict in (MetricVerdict.NOT_YET, MetricVerdict.INCONCLUSIVE) and not fold.final
    return (MetricVerdict.CANNOT_JUDGE, finding.message) if finding is not None and unclear else (verdict, message)


_SAID = {
    MetricVerdict.SUPERIOR: "Shown to be better",
    MetricVerdict.NON_INFERIOR: "Shown to be within its margin",
    MetricVerdict.INFERIOR: "Shown to be worse",
    MetricVerdict.DIFFERENT: "Shown to differ, so the arms may not be comparable",
    MetricVerdict.INCONCLUSIVE: "Neither shown nor excluded",
    MetricVerdict.NOT_YET: "Tested at the end only; at looks before, only for harm",
    MetricVerdict.CANNOT_JUDGE: "Cannot be judged",
}


def _hidden(fold: Fold, metric: ExperimentMetric, look: Look) -> bool:
    """A fixed horizon shows nothing before its end."""
    return fold.study.design.method is Method.FIXED_HORIZON and not look.final


def _estimate(value: float, se: float | None, reach: float | None) -> Estimate:
    half = None if se is None or reach is None else reach * se
    return Estimate(
        value=value,
        lower=None if half is None else value - half,
        upper=None if half is None else value + half,
    )


def _counts(metric: ExperimentMetric, pair: tuple[int, int]) -> ArmCounts:
    events, total = pair
    value = events / (total * scale_of(metric)) if total else None
    return ArmCounts(events=events, total=total, value=value)
