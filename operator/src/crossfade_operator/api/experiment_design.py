"""The design of an Experiment: what its result rests on. Frozen and hashed when it starts."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictInt

from crossfade_operator.api.experiment_status import ArmRole, MetricRole
from crossfade_operator.api.meta import DNS_LABEL, SpecModel, TextFormat
from crossfade_operator.api.modelrollout import Bound
from crossfade_operator.api.podtemplate import PodTemplate
from crossfade_operator.api.quantities import Duration, Interval, MinorShare, PositiveDuration, Probability, SliceShare
from crossfade_operator.api.review import Reasoning
from crossfade_operator.api.rules import Rule

SECOND = timedelta(seconds=1)
MAX_WINDOWS = 5000
"""Windows of evidence that the analyzer keeps of one run, at most."""


class Method(StrEnum):
    """When results are looked at."""

    FIXED_HORIZON = "FixedHorizon"
    GROUP_SEQUENTIAL = "GroupSequential"
    ALWAYS_VALID = "AlwaysValid"


class Spending(StrEnum):
    """How a group sequential design spends its alpha over the looks."""

    OBRIEN_FLEMING = "OBrienFleming"
    POCOCK = "Pocock"
    POWER = "Power"
    HWANG_SHIH_DE_CANI = "HwangShihDeCani"


class RevisionRef(StrEnum):
    """A model that is not written out but taken from the endpoint."""

    STABLE = "Stable"


ArmName = Annotated[
    str,
    TextFormat(
        DNS_LABEL, 20, "must be a name of at most 20 lower-case letters, digits and '-', starting with a letter"
    ),
]

PinnedMetricName = Annotated[
    str,
    TextFormat(
        r"^[a-z]([-a-z0-9]*[a-z0-9])?(@[a-z0-9]{10})?$",
        74,
        "must be the name of a metric, such as plays, or of a revision of it, such as plays@1a2b3c4d5e",
    ),
]


class Arm(SpecModel):
    """A model that some of the users get."""

    RULES = (
        Rule(
            cel="has(self.template) != has(self.revision)",
            message="set exactly one of template and revision",
            holds=lambda arm: (arm.template is None) != (arm.revision is None),
        ),
    )

    name: ArmName = Field(description="Name of the arm: its metrics are labelled `<experiment>.<name>`.")
    role: ArmRole = Field(description="Control is what the treatments are compared with.")
    weight: StrictInt = Field(default=1, ge=1, le=100, description="Its part of the slice, against the other weights.")
    replicas: StrictInt = Field(default=1, ge=1, le=1000, description="Pods of the arm.")
    revision: RevisionRef | None = Field(
        default=None,
        description="Stable: the model that is stable when the experiment starts, in pods of its own, whatever becomes "
        "stable later.",
    )
    template: PodTemplate | None = Field(default=None, description="The pods of the arm's model server.")


class ExperimentMetric(SpecModel):
    """A metric and what it must show."""

    RULES = (
        Rule(
            cel="self.role != 'Guardrail' || has(self.margin)",
            message="a Guardrail needs a margin: how much worse is still acceptable, such as {relative: 2%}",
            holds=lambda use: use.role is not MetricRole.GUARDRAIL or use.margin is not None,
        ),
        Rule(
            cel="self.role != 'Success' || has(self.mde)",
            message="a Success metric needs an mde: the smallest effect worth finding, such as {relative: 1%}",
            holds=lambda use: use.role is not MetricRole.SUCCESS or use.mde is not None,
        ),
        Rule(
            cel="!has(self.margin) || self.role == 'Guardrail'",
            message="margin belongs to a Guardrail: leave it out, or make the metric one",
            holds=lambda use: use.margin is None or use.role is MetricRole.GUARDRAIL,
        ),
        Rule(
            cel="!has(self.mde) || self.role == 'Success'",
            message="mde belongs to a Success metric: leave it out, or make the metric one",
            holds=lambda use: use.mde is None or use.role is MetricRole.SUCCESS,
        ),
    )

    metric: PinnedMetricName = Field(
        description="error-rate or latency, which the router measures, or a Metric in this namespace, with @revision "
        "to pin what it says. What is not pinned is pinned when the experiment starts."
    )
    role: MetricRole = Field(
        description="Success: must be shown better. Guardrail: must be shown not worse than its margin. Deterioration: "
        "must not be shown worse. Quality: must not be shown different either way, or no result is used."
    )
    mde: Bound | None = Field(default=None, description="For a Success metric: the smallest effect worth finding.")
    margin: Bound | None = Field(default=None, description="For a Guardrail: how much worse is still acceptable.")


class ExperimentAnalysis(SpecModel):
    """How and when the evidence is looked at."""

    RULES = (
        Rule(
            cel="double(self.alphaMinus) + double(self.power) < 1.0",
            message="alphaMinus must be below 1 - power: tests for deterioration stop some good models too, and so use "
            "up power",
            holds=lambda analysis: analysis.alpha_minus + analysis.power < 1,
        ),
    )

    method: Method = Field(
        default=Method.GROUP_SEQUENTIAL,
        description="FixedHorizon: one look at the end. GroupSequential: planned looks. AlwaysValid: any time, for 2.4 "
        "times the sample.",
    )
    looks: StrictInt = Field(default=5, ge=1, le=50, description="Looks of a GroupSequential design, evenly spaced.")
    spending: Spending = Field(
        default=Spending.OBRIEN_FLEMING, description="How a GroupSequential design spends alpha over its looks."
    )
    alpha: Probability = Field(
        default=Probability("0.05"), description="Probability of calling a model better that is not, over all metrics."
    )
    alpha_minus: Probability = Field(
        default=Probability("0.01"), description="Probability of calling a model worse that is not, over all metrics."
    )
    power: Probability = Field(
        default=Probability("0.8"), description="Probability of shipping a model that has the effects planned for."
    )
    interval: Interval = Field(
        default=Interval("10m"),
        description="Length of the windows in which evidence is kept, 5s to 1h; maxRuntime has room for 5000 of them.",
    )
    pre_period: Duration = Field(
        default=Duration("7d"),
        description="How long before the start, such as 7d, is used to reduce variance (CUPED), where the arms' users "
        "were counted by arm then; 0s for none.",
    )
    max_fallback_rate: MinorShare = Field(
        default=MinorShare("5%"),
        description="Largest share of an arm's requests, such as 5%, that stable may answer in its place; with more, "
        "no result is used, for the effect is diluted by as much. A model's own errors are among them: stay above.",
    )


ExperimentMetrics = Annotated[
    tuple[ExperimentMetric, ...],
    Field(
        min_length=1,
        max_length=20,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["metric"]},
    ),
]
Arms = Annotated[
    tuple[Arm, ...],
    Field(
        min_length=2,
        max_length=5,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    ),
]


def _in_seconds(duration: str) -> str:
    """CEL for the whole seconds of a duration, whose unit may be days."""
    days = f"int({duration}.replace('d', '')) * 86400"
    return f"({duration}.endsWith('d') ? {days} : duration({duration}).getSeconds())"


_RUNTIMES = "[self.minRuntime, self.maxRuntime]"


class Design(SpecModel):
    """What the result rests on. Frozen when the experiment starts: another design is another run."""

    RULES = (
        Rule(
            cel="self.arms.filter(a, a.role == 'Control').size() == 1",
            message="give exactly one arm the role Control: the others are compared with it",
            holds=lambda design: [arm.role for arm in design.arms].count(ArmRole.CONTROL) == 1,
            at=".arms",
        ),
        Rule(
            cel="self.metrics.exists(m, m.role in ['Success', 'Guardrail'])",
            message="at least one metric must be a Success or a Guardrail: nothing else can lead to a Ship",
            holds=lambda design: any(use.role in (MetricRole.SUCCESS, MetricRole.GUARDRAIL) for use in design.metrics),
            at=".metrics",
        ),
        Rule(
            cel=None,  # the lists are maps by their keys
            message="name each arm and each metric once",
            holds=lambda design: (
                len({arm.name for arm in design.arms}) == len(design.arms)
                and len({use.metric for use in design.metrics}) == len(design.metrics)
            ),
        ),
        Rule(
            cel="self.metrics.all(m, self.metrics.exists_one(o, o.metric.split('@')[0] == m.metric.split('@')[0]))",
            message="name each metric once, in one revision",
            holds=lambda design: len({use.metric.split("@")[0] for use in design.metrics}) == len(design.metrics),
            at=".metrics",
        ),
        Rule(
            cel=f"{_RUNTIMES}.exists(d, !d.matches('^[1-9][0-9]{{0,5}}(ms|s|m|h|d)$'))"
            f" || {_in_seconds('self.minRuntime')} <= {_in_seconds('self.maxRuntime')}",
            message="maxRuntime must not be shorter than minRuntime",
            holds=lambda design: design.min_runtime // SECOND <= design.max_runtime // SECOND,
            at=".maxRuntime",
        ),
        Rule(
            cel=f"!self.maxRuntime.matches('^[1-9][0-9]{{0,5}}(ms|s|m|h|d)$')"
            f" || !self.analysis.interval.matches('^[1-9][0-9]{{0,5}}(ms|s|m|h)$')"
            f" || {_in_seconds('self.maxRuntime')} <= {MAX_WINDOWS} * duration(self.analysis.interval).getSeconds()",
            message=f"maxRuntime has room for at most {MAX_WINDOWS} windows: use a longer analysis.interval",
            holds=lambda design: design.max_runtime // SECOND <= MAX_WINDOWS * (design.analysis.interval // SECOND),
            at=".maxRuntime",
        ),
    )

    hypothesis: Reasoning = Field(description="What is expected to happen, and why: one or two sentences.")
    slice: SliceShare = Field(
        description="Share of the users that all arms together get, such as 20%: at most 95%, in steps of 0.1%."
    )
    arms: Arms = Field(description="The models that are compared: one Control and one to four Treatments.")
    metrics: ExperimentMetrics = Field(description="What is measured, and what it must show.")
    analysis: ExperimentAnalysis = Field(
        default_factory=ExperimentAnalysis, description="How and when the evidence is looked at."
    )
    min_runtime: PositiveDuration = Field(
        default=PositiveDuration("7d"),
        description="The shortest time, such as 14d, before a success or the lack of it is concluded: whole weeks, for "
        "users differ by weekday.",
    )
    max_runtime: PositiveDuration = Field(
        default=PositiveDuration("28d"),
        description="The longest time, such as 28d; then the experiment stops by itself.",
    )
