"""Conditions: in their declared order, dated by their last change, and unchanged when nothing is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crossfade_operator.api.meta import ConditionStatus
from crossfade_operator.core.conditions import Wanted, set_all
from crossfade_operator.core.reasons import Reason

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("holds", "status"),
    [
        pytest.param(True, ConditionStatus.TRUE, id="it holds"),
        pytest.param(False, ConditionStatus.FALSE, id="it does not"),
        pytest.param(None, ConditionStatus.UNKNOWN, id="it could not be looked at"),
    ],
)
def test_what_a_condition_says(holds: bool | None, status: ConditionStatus) -> None:
    (made,) = set_all((), [Wanted("Ready", holds, Reason.PAUSED, "so it is")], generation=3, now=NOW)
    assert (made.type, made.status, made.reason, made.message) == ("Ready", status, "Paused", "so it is")
    assert (made.observed_generation, made.last_transition_time) == (3, NOW)


def test_without_a_message_the_reasons_sentence_is_said() -> None:
    (made,) = set_all((), [Wanted("Ready", True, Reason.ACCEPTED)], generation=1, now=NOW)
    assert made.message == Reason.ACCEPTED.sentence


def test_setting_it_twice_changes_nothing() -> None:
    wanted = [Wanted("Ready", True, Reason.ACCEPTED)]
    once = set_all((), wanted, generation=1, now=NOW)
    assert set_all(once, wanted, generation=1, now=LATER) == once


def test_another_reason_is_no_transition() -> None:
    once = set_all((), [Wanted("Ready", False, Reason.PAUSED)], generation=1, now=NOW)
    (again,) = set_all(once, [Wanted("Ready", False, Reason.ANALYZING)], generation=2, now=LATER)
    assert (again.reason, again.observed_generation, again.last_transition_time) == ("Analyzing", 2, NOW)


@pytest.mark.parametrize("holds", [False, None])
def test_another_status_is_a_transition(holds: bool | None) -> None:
    once = set_all((), [Wanted("Ready", True, Reason.ACCEPTED)], generation=1, now=NOW)
    (again,) = set_all(once, [Wanted("Ready", holds, Reason.ACCEPTED)], generation=1, now=LATER)
    assert again.last_transition_time == LATER


def test_only_what_is_declared_is_kept_in_its_order() -> None:
    old = set_all((), [Wanted("Gone", True, Reason.PAUSED), Wanted("B", True, Reason.PAUSED)], generation=1, now=NOW)
    wanted = [Wanted("A", True, Reason.PAUSED), Wanted("B", True, Reason.PAUSED)]
    made = set_all(old, wanted, generation=1, now=LATER)
    assert [(one.type, one.last_transition_time) for one in made] == [("A", LATER), ("B", NOW)]
