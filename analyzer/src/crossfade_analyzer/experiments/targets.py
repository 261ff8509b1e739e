"""What looks aim at: the information and the sample that show an effect with the planned power. Pure."""

from __future__ import annotations

from math import ceil, sqrt

from crossfade_analyzer.contract import ExperimentMetric, MetricKind
from crossfade_analyzer.contract import Method as Design
from crossfade_analyzer.experiments.records import Target
from crossfade_analyzer.experiments.study import SHOWN, Study, target_of
from crossfade_analyzer.statistics.experiments import always_valid
from crossfade_analyzer.statistics.experiments.comparison import BucketSums
from crossfade_analyzer.statistics.experiments.contrast import ArmValue, arm_value
from crossfade_analyzer.statistics.experiments.planning import z_sum
from crossfade_analyzer.statistics.refusals import CannotJudge
from crossfade_analyzer.statistics.scientific import normal_quantile

MIN_UNITS = 1_000
# Metrics that need not show anything are followed as if a tenth of control's value were to be told.
_TUNING_EFFECT = 0.1


def inflation(study: Study, metric: ExperimentMetric) -> float:
    """How much more information the method needs than one look. What a group sequential design must show is tested
    once, at its end, at full alpha: only its deterioration tests are repeated, and they need no power."""
    if study.design.method is not Design.ALWAYS_VALID:
        return 1.0
    alpha, beta = study.alpha(metric), study.beta
    at_plan = always_valid.halfwidth_one_sided(1.0, 1.0, 1.0, alpha)
    return ((at_plan + normal_quantile(1 - beta)) / z_sum(alpha, beta)) ** 2


def baseline(metric: ExperimentMetric, arm: BucketSums) -> ArmValue | CannotJudge | None:
    """One arm's value and variance; `None` while there is too little to plan with."""
    if sum(arm.x) < MIN_UNITS:
        return None
    return arm_value(arm, events=metric.kind is not MetricKind.MEAN)


def deviation_of(value: ArmValue, units: float) -> float:
    """Standard deviation per unit: sigma^2 = n Var(R), users' clustering in it."""
    return sqrt(units * value.variance)


def target(study: Study, metric: ExperimentMetric, value: float, deviation: float, source: str) -> Target | None:
    """The target from a baseline; `None` when the effect asked for is nothing at this baseline."""
    if metric.role not in SHOWN:
        effect = _TUNING_EFFECT * (abs(value) or deviation)
        tuning = (z_sum(study.alpha_harm, study.beta) / effect) ** 2 if effect > 0 else None
        return Target(value, deviation, source, tuning) if tuning else None
    effect = target_of(metric, value)
    if not effect > 0:
        return None
    information = (z_sum(study.alpha(metric), study.beta) / effect) ** 2 * inflation(study, metric)
    return Target(value, deviation, source, information, sample(study, information, deviation))


def sample(study: Study, information: float, deviation: float) -> int:
    """Units over all arms at which the treatment with the fewest users reaches `information`."""
    control = float(study.share(0))
    needed = (
        information * deviation**2 * (control + share) / (control * share)
        for share in (float(study.share(number)) for number in range(1, len(study.arms)))
    )
    return ceil(max(needed))


def reachable(study: Study, metric: ExperimentMetric, units: float, deviation: float) -> float:
    """The smallest effect found with the planned power by `units` over all arms, in units of the metric."""
    control = float(study.share(0))
    least = min(float(study.share(number)) for number in range(1, len(study.arms)))
    information = units * control * least / (control + least) / deviation**2
    return z_sum(study.alpha(metric), study.beta) * sqrt(inflation(study, metric) / information)
