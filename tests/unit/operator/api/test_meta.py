from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from crossfade_operator.api.meta import MESSAGE_LENGTH, Condition, ConditionStatus, TextFormat, rfc3339

AT = datetime(2026, 11, 22, 21, 30, 0, 123456, tzinfo=UTC)


def condition(**changes: object) -> Condition:
    fields = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-22T21:30:00.123456Z", "reason": "Fine"}
    return Condition.model_validate(fields | changes)


def test_a_time_keeps_its_microseconds_on_the_way_out_and_in() -> None:
    assert condition().last_transition_time == AT
    assert condition().manifest()["lastTransitionTime"] == "2026-11-22T21:30:00.123456Z"


def test_a_time_is_written_in_utc() -> None:
    assert rfc3339(AT.astimezone(timezone(timedelta(hours=2)))) == "2026-11-22T21:30:00.123456Z"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        condition(lastTransitionTime="2026-11-22T21:30:00")


def test_a_condition_says_true_false_or_unknown() -> None:
    assert condition(status="Unknown").status is ConditionStatus.UNKNOWN
    with pytest.raises(ValidationError, match="'True', 'False' or 'Unknown'"):
        condition(status=True)


def test_a_reason_is_one_word() -> None:
    with pytest.raises(ValidationError, match="reason"):
        condition(reason="not fine")


def test_a_long_message_is_cut_so_that_the_status_stays_writable() -> None:
    cut = condition().model_copy(update={"message": "ä" * 5000}).manifest()["message"]
    assert len(cut) == MESSAGE_LENGTH
    assert cut.endswith("ä…")


def test_a_message_that_fits_is_left_alone() -> None:
    assert condition(message="m" * MESSAGE_LENGTH).manifest()["message"] == "m" * MESSAGE_LENGTH


def test_a_newer_versions_field_of_a_status_is_passed_over() -> None:
    assert condition(severity="Low") == condition()


def test_absent_is_not_null() -> None:
    assert None not in condition().manifest().values()


def test_models_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        condition().reason = "Other"  # type: ignore[misc]


def test_a_text_of_another_format_is_shown_in_part() -> None:
    with pytest.raises(ValueError, match=r"^must be short, not 'xxxx{60}x*'$"):
        TextFormat(r"^[a-z]+$", 5, "must be short").matching("x" * 500)
