"""What does an experiment say? Its design, and the question asked again and again while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from crossfade_analyzer.contract.base import (
    Bound,
    Digest,
    Direction,
    Frozen,
    MetricKind,
    MetricSource,
    Name,
    Probability,
)

MAX_ARMS = 8


class ArmRole(StrEnum):
    """Each treatment is compared with the one control."""

    CONTROL = "Control"
    TREATMENT = "Treatment"


class ExperimentType(StrEnum):
    """`AA`: all arms are the same version; what is found is how often this endpoint's analysis is wrong."""

    AB = "AB"
    AA = "AA"


class Method(StrEnum):
    """When results may be looked at: once at the end, as planned, or at any time."""

    FIXED_HORIZON = "FixedHorizon"
    GROUP_SEQUENTIAL = "GroupSequential"
    ALWAYS_VALID = "AlwaysValid"


class SpendingFunction(StrEnum):
    """How a group sequential design spends alpha over its looks. `Power` and `HwangShihDeCani` take a parameter."""

    OBRIEN_FLEMING = "OBrienFleming"
    POCOCK = "Pocock"
    POWER = "Power"
    HWANG_SHIH_DECANI = "HwangShihDeCani"


class ExperimentRole(StrEnum):
    """What a metric must show. `Success`: better; `Guardrail`: not worse than its margin; `Deterioration`: not shown
    worse; `Quality`: no difference at all, else the comparison itself is in doubt."""

    SUCCESS = "Success"
    GUARDRAIL = "Guardrail"
    DETERIORATION = "Deterioration"
    QUALITY = "Quality"


class ExperimentMetric(Frozen):
    """One metric of a design. A `Success` metric needs an `mde`, a `Guardrail` a `margin`, others neither.

    `source` is absent for the router's own `ErrorRate` and `Latency` (the share of requests slower than the bound
    nearest to control's p90). `grows_with_time`: a sum per user, which sequential methods refuse.
    """

    name: Name
    revision: Name | None = Field(default=None, description="Of the Metric object, as `name@revision`.")
    kind: MetricKind
    role: ExperimentRole
    direction: Direction = Direction.LOWER_IS_BETTER
    mde: Bound | None = Field(default=None, description="Smallest effect worth finding: relative or absolute.")
    margin: Bound | None = Field(default=None, description="Largest loss that is accepted: relative or absolute.")
    source: MetricSource | None = None
    grows_with_time: bool = False


class MockMetric(Frozen):
    """`values`: the true value per arm name. `spread`: how much users' own values vary, relative to the value."""

    values: Mapping[Name, Decimal]
    spread: Decimal = Field(default=Decimal("0.1"), ge=0, le=10)


class Mock(Frozen):
    """Made-up traffic for a dry run: seeded, so that asking again gives the same, and judged like real traffic.

    Every metric of the design needs values; none may then have a `source` that is read.
    """

    requests_per_minute: Decimal = Field(gt=0, le=10_000_000, description="Over all arms.")
    metrics: Mapping[Name, MockMetric]


class ExperimentDesign(Frozen):
    """What the guarantee rests on; frozen when an experiment starts and the same in every request of a subject.

    `alpha`: one-sided, chance of finding a success that is none. `alpha_minus`: chance of any false alarm of
    deterioration or quality. `power`: chance of shipping a version as good as the mdes say.
    """

    endpoint: Name = Field(description="`namespace/name`, the value of the router's label `model_endpoint`.")
    type: ExperimentType = ExperimentType.AB
    method: Method = Method.FIXED_HORIZON
    spending: SpendingFunction = SpendingFunction.OBRIEN_FLEMING
    spending_parameter: Decimal | None = Field(default=None, ge=-10, le=10)
    looks: int = Field(default=5, ge=1, le=50, description="Planned looks of a group sequential design, with the last.")
    alpha: Probability = Decimal("0.05")
    alpha_minus: Probability = Decimal("0.01")
    power: Probability = Decimal("0.8")
    srm_alpha: Probability = Field(default=Decimal("0.001"), description="Chance of a false alarm of the split check.")
    max_fallback_rate: Probability = Field(
        default=Decimal("0.05"), description="Largest share of an arm's requests that may be answered by another."
    )
    interval_seconds: float = Field(gt=0, description="Length of a stored window, seconds.")
    min_runtime_seconds: float = Field(ge=0, description="No result before, seconds after the start.")
    max_runtime_seconds: float = Field(gt=0, description="The last look at the latest, seconds after the start.")
    pre_period_seconds: float = Field(
        default=0.0, ge=0, description="Labelled traffic before the start for CUPED and the bias check; 0: off."
    )
    latency_bounds: tuple[Name, ...] = Field(default=(), description="The router's bounds, increasing, e.g. `25ms`.")
    metrics: tuple[ExperimentMetric, ...] = Field(min_length=1, max_length=20)
    design_hash: Digest | None = Field(
        default=None, description="Of the design as it was reviewed; kept with the evidence, which so names it."
    )
    mock: Mock | None = None


class ExperimentArm(Frozen):
    """An arm as the router labels it. `label`: what users were assigned (`<experiment>.<arm>`); `weight`: its nominal
    share relative to the other arms'; `revisions`: who should answer them."""

    name: Name
    role: ArmRole
    label: Name
    weight: Decimal = Field(gt=0, le=1_000_000)
    revisions: tuple[Name, ...] = Field(min_length=1)


ExperimentArms = Annotated[tuple[ExperimentArm, ...], Field(min_length=2, max_length=MAX_ARMS)]


class Exclusion(Frozen):
    """A range of time that counts for no arm, e.g. an incident's; there is no arm field."""

    start: AwareDatetime
    end: AwareDatetime
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"an exclusion ends after it starts, not at {self.end} after {self.start}")
        return self


class ExperimentRequest(Frozen):
    """What does the experiment say? Asking twice is harmless: a window is added only for new samples.

    `subject` names one run (`Experiment/ns/name/uid/run`). `since` is when every router had confirmed all arms.
    `fallback_revisions`: who may have answered in an arm's place; such requests stay with the arm they were assigned
    to. `ended`: nobody is sent to the arms any more since `stopped_at`, so the last look is due.
    """

    subject: Name
    design: ExperimentDesign
    arms: ExperimentArms
    fallback_revisions: tuple[Name, ...] = ()
    since: AwareDatetime
    ended: bool = False
    stopped_at: AwareDatetime | None = None
    exclusions: tuple[Exclusion, ...] = Field(default=(), max_length=100)

    @model_validator(mode="after")
    def _stopped_when_ended(self) -> Self:
        if self.ended != (self.stopped_at is not None):
            raise ValueError("stoppedAt says when an experiment ended: give both or neither")
        return self
