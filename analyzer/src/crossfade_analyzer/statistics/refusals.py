"""What the engine answers instead of a number when it cannot judge, and how it refuses a bad plan."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Refusal(StrEnum):
    """Why no number is given. Each is told with a sentence that says what to do."""

    NO_DATA = "NoData"
    TOO_FEW_BUCKETS = "TooFewBuckets"
    BUCKETS_CHANGED = "BucketsChanged"
    BOUNDS_MISSING = "BoundsMissing"
    EVENTS_EXCEED_REQUESTS = "EventsExceedRequests"
    PLAN_CHANGED = "PlanChanged"
    CUMULATIVE_METRIC = "CumulativeMetric"
    UNSTABLE_DENOMINATOR = "UnstableDenominator"
    NOT_YET = "NotYet"
    DEGENERATE = "Degenerate"


@dataclass(frozen=True, slots=True)
class CannotJudge:
    """No verdict: neither a pass nor a failure, and not a number that could be mistaken for one.

    `subject` is the metric (or bound) that cannot be judged; `sentence` says what was found and what to do.
    """

    reason: Refusal
    sentence: str
    subject: str = ""

    def __bool__(self) -> bool:
        raise TypeError("a CannotJudge is neither true nor false; ask `isinstance(result, CannotJudge)`")


class InvalidPlan(ValueError):
    """A plan whose guarantee would be void; the message says which field and what to write instead."""


class InvalidLook(ValueError):
    """A look that contradicts the ones before it or itself; the message says where."""
