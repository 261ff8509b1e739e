"""What do all launches of a holdout's time add up to? Asked once, when the holdout is over."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from pydantic import AwareDatetime, Field

from crossfade_analyzer.contract.base import ArmCounts, Frozen, Name, Probability
from crossfade_analyzer.contract.experiments import ExperimentMetric


class HoldoutState(StrEnum):
    """`NotYet`: it is not over, and comparing earlier would be peeking. `CannotJudge`: nothing was counted."""

    READ = "Read"
    NOT_YET = "NotYet"
    CANNOT_JUDGE = "CannotJudge"


class HoldoutRequest(Frozen):
    """`until`: when the holdout ends. Its beginning is found in the routers' series, up to `history_seconds` back.
    `alpha`: two-sided, of each metric alone. Roles, effects and margins of `metrics` play no part."""

    endpoint: Name = Field(description="`namespace/name`, the value of the router's label `model_endpoint`.")
    until: AwareDatetime
    metrics: tuple[ExperimentMetric, ...] = Field(min_length=1, max_length=50)
    latency_bounds: tuple[Name, ...] = ()
    alpha: Probability = Decimal("0.05")
    held_out_label: Name = "holdout"
    rest_label: Name = "stable"
    history_seconds: float = Field(default=366 * 86_400.0, gt=0, le=1_100 * 86_400.0)


class HoldoutDifference(Frozen):
    """The rest minus the held out, with its two-sided interval: in units of the metric, or relative to the held out."""

    value: float
    lower: float
    upper: float


class HoldoutMetric(Frozen):
    """One metric. `absolute` and `relative` are missing where they cannot be judged; `message` then says why."""

    metric: Name
    held_out: ArmCounts | None = None
    rest: ArmCounts | None = None
    absolute: HoldoutDifference | None = None
    relative: HoldoutDifference | None = None
    message: str | None = None


class HoldoutReading(Frozen):
    """The answer. `since`: when the first request of a held-out user was seen."""

    state: HoldoutState
    message: str
    since: AwareDatetime | None = None
    until: AwareDatetime
    requests_held_out: int = 0
    requests_rest: int = 0
    metrics: tuple[HoldoutMetric, ...] = ()
