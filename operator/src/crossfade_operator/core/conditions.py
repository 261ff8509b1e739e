"""Setting conditions: by type, keeping the time of the last transition, changing nothing when nothing changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from crossfade_operator.api.meta import Condition, ConditionStatus
from crossfade_operator.core.reasons import Explained


@dataclass(frozen=True)
class Wanted:
    """What a condition is to say. `holds` is None when it could not be looked at."""

    type: str
    holds: bool | None
    reason: Explained
    message: str = ""


_STATUS = {True: ConditionStatus.TRUE, False: ConditionStatus.FALSE, None: ConditionStatus.UNKNOWN}


def set_all(
    present: Iterable[Condition], wanted: Iterable[Wanted], *, generation: int, now: datetime
) -> tuple[Condition, ...]:
    """The declared conditions in their declared order; types that are no longer declared fall away."""
    before = {condition.type: condition for condition in present}
    return tuple(_set(before.get(want.type), want, generation, now) for want in wanted)


def _set(before: Condition | None, want: Wanted, generation: int, now: datetime) -> Condition:
    status = _STATUS[want.holds]
    since = before.last_transition_time if before is not None and before.status is status else now
    return Condition(
        type=want.type,
        status=status,
        observed_generation=generation,
        last_transition_time=since,
        reason=want.reason.value,
        message=want.message or want.reason.sentence,
    )
