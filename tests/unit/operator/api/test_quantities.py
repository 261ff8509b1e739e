import copy
import pickle
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade_operator.api.quantities import (
    Amount,
    Duration,
    GridShare,
    Interval,
    LatencyBound,
    PositiveAmount,
    PositiveDuration,
    PositiveShare,
    Probability,
    Share,
    SliceShare,
    Text,
    Timeout,
)


@pytest.mark.parametrize(
    ("text", "fraction"),
    [("0%", "0"), ("0.1%", "0.001"), ("10%", "0.1"), ("10.50%", "0.105"), ("99.999999%", "0.99999999"), ("100%", "1")],
)
def test_a_share_is_an_exact_fraction(text: str, fraction: str) -> None:
    assert Share(text).fraction == Decimal(fraction)
    assert str(Share(text)) == text


@pytest.mark.parametrize(
    "text",
    ["10", "-1%", "+1%", "1e1%", " 1%", "1 %", "1%\n", ".5%", "5.%", "100.1%", "101%", "05%", "١%", "1.0000001%", ""],
)
def test_what_is_no_percentage_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be a percentage from 0% to 100%, such as 5% or 0.5%, not"):
        Share(text)


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 1000))
def test_positions_and_shares_are_each_others_inverse(positions: int) -> None:
    assert Share.of_positions(positions).positions == positions


def test_a_share_between_two_positions_has_none() -> None:
    with pytest.raises(ValueError, match=r"0.05% is finer than 0.1%"):
        _ = Share("0.05%").positions


def test_shares_compare_by_value() -> None:
    assert Share("10%") == SliceShare("10.0%")
    assert hash(Share("10%")) == hash(SliceShare("10.0%"))
    assert sorted([Share("10%"), Share("9%"), Share("9.5%")])[0] == Share("9%")
    assert Share("10%") != "10%"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0.05%", "must be a multiple of 0.1%"),
        ("0%", "must be above 0%"),
        ("0.0%", "must be above 0%"),
        ("95.1%", "must be at most 95%"),
        ("100%", "must be at most 95%"),
        ("0.00%", "must be above 0%"),
    ],
)
def test_a_slice_has_users_in_steps_of_a_position_and_leaves_some(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SliceShare(text)


def test_a_slice_may_take_all_but_the_control() -> None:
    assert SliceShare("95%").positions == 950


@pytest.mark.parametrize("text", ["0%", "100%", "0.1%"])
def test_a_floor_may_be_anything_on_the_grid(text: str) -> None:
    assert GridShare(text) == Share(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("250ms", 0.25), ("90s", 90), ("10m", 600), ("2h", 7200), ("3d", 259200)]
)
def test_a_duration_is_a_time_span_that_prints_as_written(text: str, seconds: float) -> None:
    duration = Duration(text)
    assert duration == timedelta(seconds=seconds)
    assert str(duration) == text
    assert datetime(2026, 11, 22, tzinfo=UTC) + duration == datetime(2026, 11, 22, tzinfo=UTC) + timedelta(
        seconds=seconds
    )


def test_the_longest_duration_still_fits_a_calendar() -> None:
    assert (datetime(2026, 11, 22, tzinfo=UTC) + Duration("999999d")).year == 4764


@pytest.mark.parametrize("text", ["-3s", "10", "1.5h", "1h30m", "010m", "1000000s", "5 m", "5M", "PT5M", "5m\n", ""])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration: a whole number and one of ms, s, m, h, d"):
        Duration(text)


def test_durations_compare_by_value() -> None:
    assert Duration("60s") == Duration("1m") == PositiveDuration("60000ms")
    assert len({Duration("60s"), Duration("1m")}) == 1


def test_a_copy_of_a_duration_prints_alike() -> None:
    assert str(copy.deepcopy(Duration("10m"))) == "10m"
    assert str(pickle.loads(pickle.dumps(PositiveDuration("10m")))) == "10m"


@pytest.mark.parametrize("kind", [PositiveDuration, Timeout, LatencyBound, Interval])
def test_some_durations_must_take_time(kind: type[Duration]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        kind("0s")


@pytest.mark.parametrize("text", ["5s", "5000ms", "60m", "1h"])
def test_an_interval_is_between_five_seconds_and_an_hour(text: str) -> None:
    assert str(Interval(text)) == text


@pytest.mark.parametrize("text", ["4999ms", "1s", "61m", "2h"])
def test_an_interval_outside_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be from 5s to 1h"):
        Interval(text)


@pytest.mark.parametrize("text", ["0.05", "0.000001", "0.999999", "0.5"])
def test_a_probability_is_an_exact_decimal(text: str) -> None:
    assert Probability(text) == Decimal(text)
    assert str(Probability(text)) == text


@pytest.mark.parametrize("text", ["0", "0.0", "1", "1.0", "5%", ".05", "0.0000001", "-0.1", "1e-2", "NaN"])
def test_a_probability_is_strictly_between_0_and_1(text: str) -> None:
    with pytest.raises(ValueError, match="must be a decimal between 0 and 1 with at most six places, in quotes"):
        Probability(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1%", "0.01"), ("0.005", "0.005"), ("0.5%", "0.005"), ("250", "250"), ("100%", "1"), ("0", "0")],
)
def test_an_amount_is_a_decimal_or_a_percentage(text: str, value: str) -> None:
    assert Amount(text).value == Decimal(value)
    assert str(Amount(text)) == text


def test_amounts_compare_by_value() -> None:
    assert Amount("1%") == Amount("0.01")
    assert hash(Amount("1%")) == hash(Amount("0.01"))
    assert Amount("1%") < Amount("0.02")


@pytest.mark.parametrize("text", ["-1%", "101%", "1e3", "0.0000000001", "1,5", "00", ""])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a percentage such as"):
        Amount(text)


@pytest.mark.parametrize(
    "kind_and_text", [(PositiveAmount, "0"), (PositiveAmount, "0.0%"), (PositiveShare, "0%"), (PositiveShare, "0.00%")]
)
def test_a_margin_of_nothing_is_refused(kind_and_text: tuple[type[Text], str]) -> None:
    kind, text = kind_and_text
    with pytest.raises(ValueError, match="leave it out"):
        kind.validate(text)


@pytest.mark.parametrize("value", [10, 0.5, None, True, ["5m"]])
def test_only_strings_are_quantities(value: object) -> None:
    with pytest.raises(ValueError, match="as a string, not"):
        Duration.validate(value)


def test_a_quantity_of_another_kind_is_read_by_what_was_written() -> None:
    assert type(PositiveDuration.validate(Duration("5m"))) is PositiveDuration
    with pytest.raises(ValueError, match="above 0"):
        PositiveDuration.validate(Duration("0s"))
