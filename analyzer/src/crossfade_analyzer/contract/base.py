"""What both halves of the contract speak of: metrics and where they come from, faults, problems."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

VERSION = "v1"

Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]
Selector = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Probability = Annotated[Decimal, Field(gt=0, lt=1)]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Direction(StrEnum):
    LOWER_IS_BETTER = "LowerIsBetter"
    HIGHER_IS_BETTER = "HigherIsBetter"


class MetricKind(StrEnum):
    """Where a metric's counts come from: the router's own counters, or series of one's own."""

    ERROR_RATE = "ErrorRate"
    LATENCY = "Latency"
    COUNT = "Count"
    MEAN = "Mean"


class Bound(Frozen):
    """A margin or tolerance: a relative one (0.1 = 10 % of control's value) or an absolute one, or both."""

    relative: Decimal | None = Field(default=None, ge=0, le=100)
    absolute: Decimal | None = Field(default=None, ge=0)


class _Labelled(Frozen):
    arm_label: Name = "arm"
    bucket_label: Name = "abucket"
    freshness_seconds: float = Field(default=60.0, gt=0, description="Oldest acceptable last sample, seconds.")


class CounterSource(_Labelled):
    """Two raw counters of one's own, by PromQL series selectors, and the labels that name arm and bucket."""

    numerator: Selector
    denominator: Selector


class HistogramSource(_Labelled):
    """A raw histogram of one's own: its observations above `above`, of all its observations.

    A selector of `<name>_bucket` reads a classic histogram, any other name a native one. `above` is in the unit of
    what was observed, and must be the bound of a bucket: nothing is interpolated.
    """

    histogram: Selector
    above: Annotated[Decimal, Field(gt=0)]


MetricSource = CounterSource | HistogramSource
"""Where the series of a metric of one's own are."""


class Reason(StrEnum):
    """Why a verdict could not be given, in the words of the rollout's status."""

    INSUFFICIENT_DATA = "InsufficientData"
    METRICS_UNAVAILABLE = "MetricsUnavailable"
    CONTRACT_BROKEN = "ContractBroken"
    SAMPLE_RATIO_MISMATCH = "SampleRatioMismatch"


class Fault(StrEnum):
    """What exactly is missing or broken; `Reason` is its class. Documented in `docs/analyzer.md`."""

    WARMING_UP = "WarmingUp"
    NOTHING_SCRAPED_YET = "NothingScrapedYet"
    ARM_MISSING = "ArmMissing"
    TOO_FEW_BUCKETS = "TooFewBuckets"
    PROMETHEUS_UNREACHABLE = "PrometheusUnreachable"
    PROMETHEUS_TIMEOUT = "PrometheusTimeout"
    PROMETHEUS_REFUSED = "PrometheusRefused"
    NO_SERIES = "NoSeries"
    NOT_SCRAPED = "NotScraped"
    TARGET_DOWN = "TargetDown"
    STALE = "Stale"
    VANISHED = "Vanished"
    NOT_A_SELECTOR = "NotASelector"
    NOT_A_COUNTER = "NotACounter"
    BOUND_MISSING = "BoundMissing"
    PINNED_LABEL = "PinnedLabel"
    NOT_A_NUMBER = "NotANumber"
    NOT_AN_INTEGER = "NotAnInteger"
    NEGATIVE = "Negative"
    DECREASING = "Decreasing"
    RELABELLED = "Relabelled"
    DUPLICATED = "Duplicated"
    OWN_TIMESTAMPS = "OwnTimestamps"
    MORE_EVENTS_THAN_REQUESTS = "MoreEventsThanRequests"
    SAMPLE_RATIO_MISMATCH = "SampleRatioMismatch"


class ArmCounts(Frozen):
    """What was seen in one arm: `events` of `total` (requests for counts), and their ratio `value`."""

    events: int
    total: int
    value: float | None = None


class ContractReport(Frozen):
    """Whether a metric's source can be used; `reason` and `message` say what to do when it cannot."""

    holds: bool
    reason: Reason | None = None
    fault: Fault | None = None
    message: str


class Problem(Frozen):
    """A refused request: what, where, what to do."""

    title: str
    detail: str
