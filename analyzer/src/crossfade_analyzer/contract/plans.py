"""What would an experiment take? Asked before it starts, from the endpoint's real traffic."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from crossfade_analyzer.contract.base import Fault, Frozen, Name
from crossfade_analyzer.contract.experiments import ExperimentArms, ExperimentDesign, ExperimentRole


class ExperimentPlanRequest(Frozen):
    """`slice`: the share of the endpoint's users that all arms together ask for. `stable_label`: the arm label whose
    traffic is looked at, up to `history_seconds` back."""

    design: ExperimentDesign
    arms: ExperimentArms
    slice: Annotated[Decimal, Field(gt=0, le=1)]
    stable_label: Name = "stable"
    history_seconds: float = Field(default=7 * 86_400.0, gt=0, le=60 * 86_400.0)


class Reachable(Frozen):
    """The smallest effect that would be found with the planned power."""

    absolute: float
    relative: float | None = None


class PlannedMetric(Frozen):
    """What one metric takes. `alpha` and `beta` are per test, after the corrections for several metrics and
    treatments; `inflation` is what the method costs; samples are units of the denominator over all arms."""

    metric: Name
    revision: Name | None = None
    role: ExperimentRole
    holds: bool = Field(description="The metric's contract holds, as far as that can be known before the start.")
    fault: Fault | None = None
    message: str
    baseline: float | None = None
    deviation: float | None = Field(default=None, description="Standard deviation per unit, users' clustering in it.")
    units_per_day: float | None = Field(default=None, description="That the arms would have at the asked slice.")
    alpha: float | None = None
    beta: float | None = None
    inflation: float | None = None
    required_sample: int | None = None
    days: float | None = Field(default=None, description="To the required sample, before rounding up.")
    reachable: Reachable | None = Field(default=None, description="Within the longest run time.")
    cuped_r2: float | None = Field(default=None, description="Variance that a labelled pre-period may explain.")
    series_per_arm: int | None = None


class ExperimentPlan(Frozen):
    """`feasible`: it can be started and reaches its planned power in time. Each of `refusals` keeps it from that and
    says what to do; `notes` are worth knowing."""

    feasible: bool
    refusals: tuple[str, ...]
    notes: tuple[str, ...]
    history_from: datetime | None = None
    history_until: datetime | None = None
    requests_per_day: float | None = Field(default=None, description="Of the endpoint's stable users.")
    required_sample: int | None = None
    days: int | None = Field(default=None, description="Expected, in whole days, and whole weeks from one week on.")
    metrics: tuple[PlannedMetric, ...]
