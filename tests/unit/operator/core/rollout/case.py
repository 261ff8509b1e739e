"""One sentence about the machine: the view it is given, what it decides and how it shows that."""

from __future__ import annotations

from dataclasses import dataclass

from crossfade_operator.api.modelrollout_status import (
    Action,
    Decision,
    Phase,
    Stage,
)
from crossfade_operator.core.rollout.view import View
from tests.unit.operator.core.rollout.views import (
    CANDIDATE,
    MINUTE,
    NOW,
    candidate,
    first_step,
    granted,
    routes,
    spec,
    status,
)


@dataclass(frozen=True)
class Case:
    """`decision` is `Action reason`; `says` is part of the message that is shown, `told` the reasons of Events."""

    sentence: str
    view: View
    shown: str
    decision: str | None = None
    says: str = ""
    told: tuple[str, ...] = ()


def decided(action: Action, reason: str, revision: str = CANDIDATE) -> tuple[Decision, ...]:
    return (
        Decision(
            name="ranker-000004", action=action, revision=revision, reason=reason, message="so it was", at=NOW, by="x"
        ),
    )


STARTING, SHIFTING, ANALYZING = candidate(Stage.STARTING), candidate(Stage.SHIFTING), candidate()
LAST = candidate(step=2, positions=500, step_started_at=NOW - 61 * MINUTE)
FIRST = status(STARTING, stable_revision=None)
DECLINED = {"failed_revision": CANDIDATE, "phase": Phase.ROLLED_BACK}
IN_LAST = routes(LAST, candidate=granted(500))
UNREADY = candidate(unready_since=NOW - 10 * MINUTE)
COPIED = candidate(Stage.SHIFTING, mirror=True)
MIRROR = spec(steps=first_step(mirror=True))
