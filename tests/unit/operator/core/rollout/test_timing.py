"""When a rollout is looked at again: at every moment that can change what is decided, and not before."""

from __future__ import annotations

from datetime import datetime

import pytest

from crossfade_operator.api.modelrollout_status import Retiring, Stage
from crossfade_operator.core.rollout.timing import RETRY, due_at
from crossfade_operator.core.rollout.view import View
from tests.unit.operator.core.rollout.views import MINUTE, NOW, OTHER, STABLE, candidate, spec, status, view

STARTING = candidate(Stage.STARTING)
IN_HOLD = candidate(step_started_at=NOW - MINUTE)


@pytest.mark.parametrize(
    ("found", "due"),
    [
        pytest.param(view(target=STABLE), None, id="never, when all is settled"),
        pytest.param(view(STARTING), NOW + 9 * MINUTE, id="at a starting candidate's deadline"),
        pytest.param(
            view(STARTING, spec=spec(progressDeadline="20m")), NOW + 19 * MINUTE, id="at a deadline that was moved"
        ),
        pytest.param(view(IN_HOLD), NOW + 9 * MINUTE, id="at the end of the hold"),
        pytest.param(view(candidate()), NOW - MINUTE + 24 * 60 * MINUTE, id="when proof is overdue"),
        pytest.param(
            view(candidate(step_started_at=NOW - MINUTE, next_look_at=NOW + MINUTE)),
            NOW + MINUTE,
            id="at the next look",
        ),
        pytest.param(
            view(candidate(unready_since=NOW - MINUTE)), NOW + 9 * MINUTE, id="at the deadline of unready pods"
        ),
        pytest.param(view(candidate(Stage.SHIFTING)), None, id="not by time while the first slice shifts"),
        pytest.param(
            view(candidate(Stage.SHIFTING, next_look_at=NOW + MINUTE)), NOW + MINUTE, id="at a look while one shifts"
        ),
        pytest.param(
            view(candidate(Stage.WITHDRAWING, next_look_at=NOW + MINUTE)), None, id="at no look of a withdrawn one"
        ),
        pytest.param(view(candidate(Stage.SHIFTING), no_room="none"), NOW + RETRY, id="soon, when there is no room"),
        pytest.param(view(target=STABLE, refusals={STABLE: "no"}), NOW + RETRY, id="soon, when an object was refused"),
        pytest.param(view(candidate(Stage.SHIFTING), plan_problem="no"), NOW + RETRY, id="soon, without a plan"),
        pytest.param(
            view(target=STABLE, status=status(previous_revision=OTHER, previous_until=NOW + MINUTE)),
            NOW + MINUTE,
            id="at the end of the rollback window",
        ),
        pytest.param(
            view(target=STABLE, status=status(retiring=(Retiring(revision=OTHER, delete_at=NOW + MINUTE),))),
            NOW + MINUTE,
            id="at a revision's end",
        ),
        pytest.param(
            view(target=STABLE, status=status(retiring=(Retiring(revision=OTHER),))), None, id="no end, no time"
        ),
        pytest.param(
            view(target=STABLE, status=status(retiring=(Retiring(revision=OTHER, delete_at=NOW),))),
            None,
            id="what has passed is not waited for",
        ),
        pytest.param(
            view(candidate(step_started_at=NOW - MINUTE, next_look_at=NOW + 20 * MINUTE)),
            NOW + 9 * MINUTE,
            id="at the first of several",
        ),
    ],
)
def test_it_is_looked_at_again(found: View, due: datetime | None) -> None:
    assert due_at(found) == due
