"""ModelRollout: the model that should be behind an endpoint, and the steps by which a new one earns its slices."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictBool, StrictInt

from crossfade_operator.api.meta import (
    CHILDREN_NAMES,
    Column,
    MetricName,
    ObjectName,
    Owner,
    Resource,
    Scale,
    SpecModel,
)
from crossfade_operator.api.modelrollout_status import ModelRolloutStatus, Role
from crossfade_operator.api.podtemplate import PodTemplate
from crossfade_operator.api.quantities import (
    Duration,
    Interval,
    PositiveAmount,
    PositiveDuration,
    PositiveShare,
    Probability,
    SliceShare,
)
from crossfade_operator.api.rules import Rule, strictly_increasing, unchangeable


class OnInconclusive(StrEnum):
    """What to do when the evidence does not suffice in time. There is no Promote."""

    HOLD = "Hold"
    ROLLBACK = "Rollback"


class ProveBefore(StrEnum):
    """By when the guardrails must be proven."""

    NEXT_STEP = "NextStep"
    PROMOTION = "Promotion"


class Step(SpecModel):
    """A slice of the users that the candidate gets, and what it takes to get the next one."""

    slice: SliceShare = Field(description="The candidate's share of the users, a multiple of 0.1%, at most 95%.")
    hold: Duration = Field(
        default=Duration("10m"), description="The shortest time in this step, counted from when every router runs it."
    )
    min_requests: StrictInt = Field(
        default=1000, ge=0, le=10**9, description="Requests that the candidate must have answered in this step."
    )
    approvals: StrictInt = Field(
        default=0, ge=0, le=10, description="People who must approve before the step after this one, or promotion."
    )
    mirror: StrictBool = Field(
        default=False,
        description="Send the candidate copies of the slice's requests; users get the stable revision's answers.",
    )


class Bound(SpecModel):
    """A difference to the stable revision, or to control: relative to its value, or absolute in the metric's unit."""

    RULES = (
        Rule(
            cel="has(self.relative) != has(self.absolute)",
            message="set exactly one of relative and absolute",
            holds=lambda bound: (bound.relative is None) != (bound.absolute is None),
        ),
    )

    relative: PositiveShare | None = Field(
        default=None, description="Share of the value of the stable revision, or of control, such as 10%."
    )
    absolute: PositiveAmount | None = Field(
        default=None,
        description='Difference in the metric\'s own unit: a decimal such as "0.005", or 0.5% of requests.',
    )

    @property
    def relative_value(self) -> Decimal | None:
        """The relative difference as a fraction: 10 % is 0.1."""
        return None if self.relative is None else self.relative.fraction

    @property
    def absolute_value(self) -> Decimal | None:
        """The absolute difference: 0.5 % is 0.005."""
        return None if self.absolute is None else self.absolute.value


class MetricUse(SpecModel):
    """A metric that the candidate is judged by."""

    RULES = (
        Rule(
            cel="self.role != 'Guardrail' || has(self.margin)",
            message="a Guardrail needs a margin: how much worse is still acceptable, such as {relative: 10%}",
            holds=lambda use: use.role is not Role.GUARDRAIL or use.margin is not None,
        ),
        Rule(
            cel="self.role != 'Deterioration' || !has(self.margin)",
            message="a Deterioration metric has no margin: make it a Guardrail, or use tolerance",
            holds=lambda use: use.role is not Role.DETERIORATION or use.margin is None,
        ),
    )

    metric: MetricName = Field(
        description="error-rate or latency, which the router measures, or the name of a Metric in this namespace."
    )
    role: Role = Field(
        description="Guardrail: must be proven to be within its margin. Deterioration: must not be shown worse."
    )
    margin: Bound | None = Field(
        default=None, description="For a Guardrail: how much worse than the stable revision is still acceptable."
    )
    tolerance: Bound | None = Field(
        default=None, description="How much worse is not yet called harm. Without it any increase is."
    )


MetricUses = Annotated[
    tuple[MetricUse, ...],
    Field(
        min_length=1,
        max_length=20,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["metric"]},
    ),
]

DEFAULT_METRICS = (
    MetricUse(metric="error-rate", role=Role.GUARDRAIL, margin=Bound(absolute=PositiveAmount("1%"))),
    MetricUse(metric="latency", role=Role.DETERIORATION),
)


class Analysis(SpecModel):
    """How a candidate is judged."""

    RULES = (
        Rule(
            cel=None,  # the list is a map by `metric`
            message="name each metric once",
            holds=lambda analysis: len({use.metric for use in analysis.metrics}) == len(analysis.metrics),
        ),
    )

    interval: Interval = Field(default=Interval("30s"), description="Time between looks at the evidence, 5s to 1h.")
    metrics: MetricUses = Field(default=DEFAULT_METRICS, description="The metrics that the candidate is judged by.")
    alpha: Probability = Field(
        default=Probability("0.01"),
        description="Chance of ever rolling back a harmless revision, over all looks, steps and metrics.",
    )
    beta: Probability = Field(
        default=Probability("0.05"), description="Chance of ever promoting a revision that is beyond a margin."
    )
    on_inconclusive: OnInconclusive = Field(
        default=OnInconclusive.HOLD,
        description="When proof is not there in time: Hold and wait for a person, or Rollback.",
    )
    inconclusive_after: PositiveDuration = Field(
        default=PositiveDuration("24h"), description="How long to wait for proof beyond a step's hold."
    )
    prove_before: ProveBefore = Field(
        default=ProveBefore.NEXT_STEP, description="Whether guardrails are proven before every next step or at the end."
    )
    warmup: Duration = Field(
        default=Duration("0s"),
        description="Evidence of this first time after the candidate's first exposure is dropped from both arms.",
    )


DEFAULT_STEPS = (
    Step(slice=SliceShare("1%"), hold=Duration("10m")),
    Step(slice=SliceShare("10%"), hold=Duration("30m")),
    Step(slice=SliceShare("50%"), hold=Duration("1h")),
)


def _mirrors_first(strategy: Strategy) -> bool:
    mirrors = [step.mirror for step in strategy.steps]
    return mirrors == sorted(mirrors, reverse=True)


def _slices_increase(strategy: Strategy) -> bool:
    slices = [step.slice for step in strategy.steps if not step.mirror]
    return slices == sorted(set(slices))


class Strategy(SpecModel):
    """How a new revision earns its users."""

    RULES = (
        Rule(
            cel="self.steps.exists(s, !s.mirror)",
            message="at least one step must not be a mirror: a candidate is judged by users who get its answers",
            holds=lambda strategy: not all(step.mirror for step in strategy.steps),
            at=".steps",
        ),
        Rule(
            cel="self.steps.map(s, s.mirror ? 0 : 1).isSorted()",
            message="put mirror steps before all others",
            holds=_mirrors_first,
            at=".steps",
        ),
        Rule(
            cel="self.steps.exists(s, !s.slice.matches('^[0-9]{1,3}(\\\\.[0-9]+)?%$'))"
            " || "
            + strictly_increasing(
                "self.steps.map(s, s.mirror ? 0.0 : double(s.slice.replace('%', '')))", but_for="0.0"
            ),
            message="the slices of steps must increase strictly, such as 1%, 10%, 50%",
            holds=_slices_increase,
            at=".steps",
        ),
    )

    steps: Annotated[
        tuple[Step, ...],
        Field(min_length=1, max_length=20, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = Field(
        default=DEFAULT_STEPS,
        description="The slices a candidate earns one after the other; promotion follows the last.",
    )
    analysis: Analysis = Field(default_factory=Analysis, description="How a candidate is judged.")


class Gate(SpecModel):
    """What the candidate needs, besides its own evidence, to hold more than the endpoint's `unprovenSlice`."""

    RULES = (
        Rule(
            cel="has(self.experiment) != has(self.approvals)",
            message="set exactly one of experiment and approvals in each gate",
            holds=lambda gate: (gate.experiment is None) != (gate.approvals is None),
        ),
    )

    experiment: ObjectName | None = Field(
        default=None,
        description="An Experiment of this endpoint: its decision must be Ship, for this very model, and not expired.",
    )
    approvals: StrictInt | None = Field(
        default=None, ge=1, le=10, description="People who must approve the revision by Review."
    )


class ModelRolloutSpec(SpecModel):
    """The wanted model and the way there."""

    endpoint: Annotated[
        ObjectName,
        unchangeable("endpoint cannot be changed: create another ModelRollout for the other endpoint"),
    ] = Field(description="The ModelEndpoint in the same namespace. Cannot be changed.")
    owner: Owner | None = Field(default=None, description="The team or person to ask about this rollout.")
    replicas: StrictInt = Field(default=1, ge=0, le=1000, description="Pods of each revision.")
    template: PodTemplate = Field(description="The pods of the model server. Editing it starts a rollout.")
    strategy: Strategy = Field(default_factory=Strategy, description="How a new revision earns its users.")
    gates: Annotated[tuple[Gate, ...], Field(max_length=10, json_schema_extra={"x-kubernetes-list-type": "atomic"})] = (
        Field(
            default=(),
            description="What the candidate needs to hold more than the endpoint's `policy.unprovenSlice`, besides "
            "what the endpoint's own gates ask for.",
        )
    )
    progress_deadline: PositiveDuration = Field(
        default=PositiveDuration("10m"), description="How long a candidate's pods may take to become ready."
    )
    scale_down_delay: Duration = Field(
        default=Duration("5m"), description="How long a revision's pods stay after its routes are gone everywhere."
    )
    rollback_window: Duration = Field(
        default=Duration("72h"), description="How long after a promotion the stable revision before can be restored."
    )
    paused: StrictBool = Field(
        default=False, description="Grant no further slice; what was granted stays, and harm is still rolled back."
    )


_SAME_ANALYSIS = " && ".join(
    f"self.spec.strategy.analysis.{name} == oldSelf.spec.strategy.analysis.{name}"
    for name in ("alpha", "beta", "metrics")
)

RESOURCE = Resource(
    kind="ModelRollout",
    plural="modelrollouts",
    short_name="mr",
    description="The model that should be behind an endpoint, and the steps by which a new revision of it earns its "
    "users.",
    spec=ModelRolloutSpec,
    status=ModelRolloutStatus,
    rules=(
        CHILDREN_NAMES,
        Rule(
            cel="!self.metadata.name.endsWith('-exp')",
            message="the name must not end in -exp: the Decisions of an Experiment are named so",
        ),
        Rule(
            cel="(has(oldSelf.status) && has(oldSelf.status.phase)"
            " && oldSelf.status.phase in ['Promoted', 'RolledBack', 'Refused'])"
            f" || ({_SAME_ANALYSIS})",
            message="alpha, beta and metrics cannot be changed while a rollout is under way, because its guarantee "
            "rests on them: wait for its end or abort it first",
            at=".spec.strategy.analysis",
        ),
    ),
    columns=(
        Column("Phase", ".status.phase", "Where the rollout stands."),
        Column("Step", ".status.step", "Step in force, from 1.", type="integer"),
        Column("Slice", ".status.slice", "The share of the users that the revision has."),
        Column("Revision", ".status.revision", "The candidate, or the stable revision without one."),
        Column("Verdict", ".status.verdict", "What the last look at the evidence found."),
        Column("Reason", ".status.reason", "Why it stands there."),
        Column("Message", ".status.message", "Why, and what to do.", wide=True),
        Column("Stable", ".status.stableRevision", "Revision that users get unless in a slice.", wide=True),
        Column("Owner", ".spec.owner", "Whom to ask.", wide=True),
        Column("Age", ".metadata.creationTimestamp", "Age of the object.", type="date"),
    ),
    scale=Scale(spec_replicas=".spec.replicas"),
    selectable=(".spec.endpoint",),
)
