"""An experiment's design with its arms in order, what is tested at which level, and designs that are refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from crossfade_analyzer.contract import (
    ArmRole,
    Bound,
    Direction,
    ExperimentArm,
    ExperimentDesign,
    ExperimentMetric,
    ExperimentRole,
    Method,
    MetricKind,
    SpendingFunction,
)
from crossfade_analyzer.sources.readings import MICRO
from crossfade_analyzer.statistics.experiments.corrections import Levels, corrections
from crossfade_analyzer.statistics.experiments.spending import Spending
from crossfade_analyzer.statistics.refusals import InvalidPlan

MAX_WINDOWS = 5_000
ROUTER_KINDS = (MetricKind.ERROR_RATE, MetricKind.LATENCY)
SHOWN = (ExperimentRole.SUCCESS, ExperimentRole.GUARDRAIL)
"""Roles that must show something, and so are planned for."""

_SPENDING = {
    SpendingFunction.OBRIEN_FLEMING: "lan_demets_obf",
    SpendingFunction.POCOCK: "lan_demets_pocock",
    SpendingFunction.POWER: "power",
    SpendingFunction.HWANG_SHIH_DECANI: "hwang_shih_decani",
}


@dataclass(frozen=True)
class Study:
    """A design that can be judged: `arms` has control first."""

    design: ExperimentDesign
    arms: tuple[ExperimentArm, ...]

    @property
    def treatments(self) -> tuple[ExperimentArm, ...]:
        return self.arms[1:]

    @cached_property
    def comparisons(self) -> tuple[tuple[int, ExperimentArm, ExperimentMetric], ...]:
        """Every treatment (its number among the arms) with every metric."""
        return tuple(
            (number, arm, metric) for number, arm in enumerate(self.arms[1:], start=1) for metric in self.design.metrics
        )

    @cached_property
    def levels(self) -> Levels:
        """One-sided error levels per test, section 6.6."""
        arms = len(self.treatments)
        count = {role: sum(m.role is role for m in self.design.metrics) for role in ExperimentRole}
        success, guardrail = count[ExperimentRole.SUCCESS], count[ExperimentRole.GUARDRAIL]
        all_harm = arms * (success + guardrail + count[ExperimentRole.DETERIORATION])
        quality = arms * (count[ExperimentRole.QUALITY] + len(self.lasting))
        if self.design.pre_period_seconds:
            quality += arms * len(self.design.metrics)
        return corrections(
            success * arms,
            guardrail,
            all_harm - success * arms - guardrail,
            quality,
            float(self.design.alpha),
            float(self.design.alpha_minus),
            1 - float(self.design.power),
        )

    @cached_property
    def lasting(self) -> tuple[ExperimentMetric, ...]:
        """The metrics whose effect must last: success metrics, or guardrails where there are none."""
        for role in SHOWN:
            found = tuple(m for m in self.design.metrics if m.role is role)
            if found:
                return found
        return ()

    def alpha(self, metric: ExperimentMetric) -> float:
        """Of the test that a metric's role asks for."""
        if metric.role is ExperimentRole.SUCCESS:
            return self.levels.alpha_success or float(self.design.alpha)
        if metric.role is ExperimentRole.GUARDRAIL:
            return self.levels.alpha_guardrail
        return self.alpha_harm

    @property
    def alpha_harm(self) -> float:
        """Of each test of deterioration or quality."""
        return self.levels.alpha_deterioration_quality or float(self.design.alpha_minus)

    @property
    def beta(self) -> float:
        """Of each metric that must show something."""
        return self.levels.beta_metric_rule2

    @property
    def spending(self) -> Spending:
        parameter = self.design.spending_parameter
        return Spending(_SPENDING[self.design.spending], None if parameter is None else float(parameter))  # type: ignore[arg-type]

    def share(self, number: int) -> Decimal:
        """An arm's nominal share of all arms' users."""
        return self.arms[number].weight / sum((arm.weight for arm in self.arms), Decimal(0))

    def nominal(self, number: int) -> Decimal:
        """A treatment's nominal share of its own and control's users."""
        weight = self.arms[number].weight
        return weight / (weight + self.arms[0].weight)


def sign_of(metric: ExperimentMetric) -> int:
    """+1 where more is better."""
    return 1 if metric.direction is Direction.HIGHER_IS_BETTER else -1


def scale_of(metric: ExperimentMetric) -> int:
    """A Mean is counted in micro-units."""
    return MICRO if metric.kind is MetricKind.MEAN else 1


def target_of(metric: ExperimentMetric, baseline: float) -> float:
    """The effect that must be told from nothing, in units of the metric: the mde, or the margin. The smaller one when
    both a relative and an absolute one are given."""
    bound = metric.mde if metric.role is ExperimentRole.SUCCESS else metric.margin
    bound = bound or Bound()
    sizes = []
    if bound.absolute is not None:
        sizes.append(float(bound.absolute))
    if bound.relative is not None:
        sizes.append(float(bound.relative) * abs(baseline))
    return min(sizes, default=0.0)


def study_of(design: ExperimentDesign, arms: Sequence[ExperimentArm]) -> Study:
    """The study, or `InvalidPlan` with a sentence that says what to write instead."""
    for problem in problems(design, arms):
        raise InvalidPlan(problem)
    ordered = sorted(arms, key=lambda arm: arm.role is not ArmRole.CONTROL)
    study = Study(design, tuple(ordered))
    try:
        _ = study.levels, study.spending
    except ValueError as error:
        raise InvalidPlan(str(error)) from error
    return study


def problems(design: ExperimentDesign, arms: Sequence[ExperimentArm]) -> Iterator[str]:
    """Everything that keeps a design from being judged, each a sentence."""
    yield from _of_arms(arms)
    yield from _of_design(design)
    for metric in design.metrics:
        yield from (f"metric {metric.name}: {text}" for text in _of_metric(design, metric))
    if design.mock is not None:
        yield from _of_mock(design, arms)


def _of_arms(arms: Sequence[ExperimentArm]) -> Iterator[str]:
    controls = sum(arm.role is ArmRole.CONTROL for arm in arms)
    if controls != 1:
        yield f"an experiment has one control arm, not {controls}: give one arm the role Control"
    for what in ("name", "label"):
        if len({getattr(arm, what) for arm in arms}) != len(arms):
            yield f"two arms have the same {what}: give each its own"


def _of_design(design: ExperimentDesign) -> Iterator[str]:
    if len({metric.name for metric in design.metrics}) != len(design.metrics):
        yield "a metric is named twice: a metric has one role in an experiment"
    if not any(metric.role in SHOWN for metric in design.metrics):
        yield "nothing could ever be shown: give at least one metric the role Success or Guardrail"
    for name in ("alpha", "alpha_minus", "srm_alpha"):
        if getattr(design, name) >= Decimal("0.5"):
            yield f"{name} is the chance of a false alarm, below 0.5, not {getattr(design, name)}"
    if design.alpha_minus >= 1 - design.power:
        yield (
            f"alphaMinus {design.alpha_minus} uses up all that a power of {design.power} leaves (1 - power): false "
            "alarms of deterioration also stop good versions; lower one of them"
        )
    if design.min_runtime_seconds > design.max_runtime_seconds:
        yield "minRuntime is longer than maxRuntime: no look could ever be taken"
    if design.interval_seconds > design.max_runtime_seconds:
        yield "the interval is longer than maxRuntime: shorten the interval"
    if design.max_runtime_seconds / design.interval_seconds > MAX_WINDOWS:
        yield (
            f"maxRuntime holds more than {MAX_WINDOWS} windows of {design.interval_seconds:g} s: use an interval of at "
            f"least {design.max_runtime_seconds / MAX_WINDOWS:g} s"
        )


def _of_metric(design: ExperimentDesign, metric: ExperimentMetric) -> Iterator[str]:
    for name, role in (("mde", ExperimentRole.SUCCESS), ("margin", ExperimentRole.GUARDRAIL)):
        bound: Bound | None = getattr(metric, name)
        sizes = [size for size in (bound.relative, bound.absolute) if size is not None] if bound else []
        if metric.role is role and (not sizes or min(sizes) <= 0):
            yield f"a {role} metric needs an {name} above 0, relative or absolute"
        if metric.role is not role and bound is not None:
            yield f"only a {role} metric has an {name}; leave it out"
    if metric.margin and metric.margin.relative is not None and metric.margin.relative >= 1 and sign_of(metric) > 0:
        yield f"a margin of {metric.margin.relative} accepts a loss of everything; use less than 1"
    if metric.grows_with_time and design.method is not Method.FIXED_HORIZON:
        yield (
            "a sum per user grows with time, so looks at it are not comparable and sequential bounds do not hold; "
            "divide by user-days or requests, or use the method FixedHorizon"
        )
    if metric.kind in ROUTER_KINDS and metric.source is not None:
        yield f"{metric.kind} is counted by the router; leave the source out, or use the kind Count or Mean"
    if design.mock is not None:
        return
    if metric.kind not in ROUTER_KINDS and metric.source is None:
        yield f"a {metric.kind} needs a source: numerator and denominator"
    if metric.kind is MetricKind.LATENCY and not design.latency_bounds:
        yield "the design has no latencyBounds to choose from; give the router's"


def _of_mock(design: ExperimentDesign, arms: Sequence[ExperimentArm]) -> Iterator[str]:
    mock = design.mock
    assert mock is not None  # noqa: S101
    names = {metric.name for metric in design.metrics}
    for unknown in sorted(set(mock.metrics) - names):
        yield f"mock: {unknown!r} is no metric of the design"
    for metric in design.metrics:
        values = mock.metrics[metric.name].values if metric.name in mock.metrics else {}
        missing = sorted({arm.name for arm in arms} ^ set(values))
        if missing:
            yield f"mock: metric {metric.name} needs one value for each arm, no more; see {', '.join(missing)}"
        wrong = [value for value in values.values() if value < 0 or (metric.kind is not MetricKind.MEAN and value > 1)]
        if wrong:
            yield f"mock: metric {metric.name} is a {metric.kind}: {wrong[0]} is no share between 0 and 1"
