"""What a rollout's guarantee rests on; fixed when it starts, identified by a digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Literal

from crossfade_analyzer.statistics.refusals import CannotJudge, InvalidPlan, Refusal

MIN_BUCKETS = 20
DEFAULT_LATENCY_TOLERANCE = Decimal("0.05")

Kind = Literal["count", "latency", "mean"]
Role = Literal["Guardrail", "Deterioration"]
Direction = Literal["LowerIsBetter", "HigherIsBetter"]


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """One metric. Margins are what a Guardrail must be proven within; tolerances are what is not yet harm.

    Relative ones are shares of control's value (0.1 = 10 %); absolute ones are differences of rates (count, latency:
    events per request) or of means in whole units. `scale`: how many integer units of x make one (1_000_000 when a mean
    is summed in micro-units). `bounds`: the keys of a latency metric's counts, one per histogram bound. `slo`: judge a
    count against this rate alone, without control; a Guardrail is then proven when the rate is shown to be within it.
    """

    name: str
    kind: Kind
    role: Role
    direction: Direction = "LowerIsBetter"
    tolerance_relative: Decimal | None = None
    tolerance_absolute: Decimal | None = None
    margin_relative: Decimal | None = None
    margin_absolute: Decimal | None = None
    bounds: tuple[str, ...] = ()
    scale: int = 1
    slo: Decimal | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of this metric's counts in a look."""
        return self.bounds if self.kind == "latency" else (self.name,)

    @property
    def tolerated_ratio(self) -> Decimal:
        """The relative tolerance in force: 5 % for latency, none otherwise, unless the plan says."""
        default = DEFAULT_LATENCY_TOLERANCE if self.kind == "latency" else Decimal(0)
        return default if self.tolerance_relative is None else self.tolerance_relative

    @property
    def must_be_proven(self) -> bool:
        return self.role == "Guardrail"

    def __post_init__(self) -> None:
        _choices(self)
        _amounts(self)
        _shape(self)


def _choices(metric: MetricPlan) -> None:
    allowed = {
        "kind": ("count", "latency", "mean"),
        "role": ("Guardrail", "Deterioration"),
        "direction": ("LowerIsBetter", "HigherIsBetter"),
    }
    for field, values in allowed.items():
        if getattr(metric, field) not in values:
            raise InvalidPlan(f"metric {metric.name}: {field} is one of {', '.join(values)}")


def _amounts(metric: MetricPlan) -> None:
    for field in ("tolerance_relative", "tolerance_absolute"):
        value = getattr(metric, field)
        if value is not None and value < 0:
            raise InvalidPlan(f"metric {metric.name}: {field} must be >= 0, not {value}")
    for field in ("margin_relative", "margin_absolute"):
        value = getattr(metric, field)
        if value is not None and value <= 0:
            raise InvalidPlan(f"metric {metric.name}: {field} must be > 0, not {value}: equality cannot be proven")
    for field in ("tolerance_relative", "margin_relative"):
        value = getattr(metric, field)
        if metric.direction == "HigherIsBetter" and value is not None and value >= 1:
            raise InvalidPlan(f"metric {metric.name}: {field} of {value} allows a loss of everything; use less than 1")
    if metric.slo is not None and not 0 < metric.slo < 1:
        raise InvalidPlan(f"metric {metric.name}: slo is a rate in (0, 1), not {metric.slo}")


def _shape(metric: MetricPlan) -> None:
    where = f"metric {metric.name}"
    if not metric.name:
        raise InvalidPlan("a metric needs a name")
    if (metric.kind == "latency") != bool(metric.bounds) or len(set(metric.bounds)) != len(metric.bounds):
        raise InvalidPlan(f"{where}: a latency metric names its bounds once each; others have none")
    if metric.scale < 1 or (metric.scale != 1 and metric.kind != "mean"):
        raise InvalidPlan(f"{where}: scale is >= 1, and 1 unless the metric is a mean")
    relative_or_absolute = metric.margin_relative is not None or metric.margin_absolute is not None
    if metric.slo is not None:
        if metric.kind != "count" or relative_or_absolute or metric.tolerance_relative or metric.tolerance_absolute:
            raise InvalidPlan(f"{where}: an slo stands alone, on a count, without margins or tolerances")
    elif metric.must_be_proven != relative_or_absolute:
        raise InvalidPlan(f"{where}: a Guardrail needs a margin to be proven within, a Deterioration metric has none")


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """`alpha`: the chance of ever calling a harmless candidate harmful, over all looks, steps and metrics; `beta`: of
    ever calling a guardrail proven that is beyond its margin; `alpha_srm`: of a false alarm of the split check.

    `planned_requests`: candidate requests expected by the end of the first step; it tunes the score processes and
    must come from the plan, never from the data (any value is valid, a good one is faster). `split_counts`: the key
    of the counts whose n is the traffic of the split check, a metric's or one of its own (default: the first key).
    `report_alpha`: error level of the reported intervals.
    """

    metrics: tuple[MetricPlan, ...]
    alpha: Decimal = Decimal("0.01")
    beta: Decimal = Decimal("0.05")
    alpha_srm: Decimal = Decimal("0.001")
    horizon_minutes: Decimal = Decimal(240)
    min_events: int = 20
    planned_requests: int = 2000
    report_alpha: Decimal = Decimal("0.05")
    split_counts: str | None = None

    def __post_init__(self) -> None:
        if not self.metrics:
            raise InvalidPlan("a plan without metrics can neither promote nor roll back: name at least one")
        for field in ("alpha", "beta", "alpha_srm", "report_alpha"):
            if not 0 < getattr(self, field) < Decimal("0.5"):
                raise InvalidPlan(f"{field} is a probability in (0, 0.5), not {getattr(self, field)}")
        if self.horizon_minutes <= 0 or self.planned_requests < 1 or self.min_events < 0:
            raise InvalidPlan("horizon_minutes and planned_requests must be positive, min_events not negative")
        keys = [key for metric in self.metrics for key in metric.keys]
        names = [metric.name for metric in self.metrics]
        if len(set(keys)) != len(keys) or len(set(names)) != len(names):
            raise InvalidPlan("metric names and latency bounds must be unique over the plan")

    @property
    def split_key(self) -> str:
        return self.split_counts or self.metrics[0].keys[0]

    def digest(self) -> str:
        """Identifies the plan: sha256 over its canonical JSON, decimals as normalised strings."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), default=_plain)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    raise TypeError(f"a plan holds no {type(value).__name__}")


def refuse_changed(plan: RolloutPlan, digest: str) -> CannotJudge | None:
    """A refusal when `digest`, recorded with the first evidence, is not this plan's: the guarantee is for one plan."""
    if plan.digest() == digest:
        return None
    return CannotJudge(
        Refusal.PLAN_CHANGED,
        "The plan (alpha, metrics, margins or tolerances) changed after evidence was seen, which voids its error "
        "guarantee. Restore the plan, or start a new rollout.",
    )
