from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crossfade_operator.cli import text


def test_a_sentence_is_wrapped_on_terminals_but_for_commands_that_one_may_copy() -> None:
    words = "a rather long sentence about nothing in particular"
    assert text.sentence(words, 30, "error: ", 7) == (
        "error: a rather long sentence\n       about nothing in\n       particular"
    )
    assert text.sentence(words, None, "error: ") == f"error: {words}"
    assert text.sentence(f"{words}: kubectl get x", 30) == f"{words}: kubectl get x"


def test_a_table_too_wide_becomes_paragraphs_of_its_rows() -> None:
    header, rows = ("METRIC", "ROLE", "EFFECT"), [("plays", "Success", "+1.8%"), ("errors", "Guardrail", "-3.1%")]
    assert text.table(header, rows, 80)[1] == "  plays   Success    +1.8%"
    assert text.table(header, rows, 25) == [
        "  plays",
        "    role Success",
        "    effect +1.8%",
        "  errors",
        "    role Guardrail",
        "    effect -3.1%",
    ]


def test_columns_go_in_the_order_of_what_tells_least() -> None:
    rows = [("NAME", "STABLE", "AGE"), ("ranker", "p4rtz8vnd5", "1d")]
    assert text.fitting(rows, None, ("STABLE",))[0] == "NAME    STABLE      AGE"
    assert text.fitting(rows, 15, ("STABLE", "AGE"))[0] == "NAME    AGE"
    assert text.fitting(rows, 3, ("STABLE", "AGE"))[0] == "NAME"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0.0179, -0.0021, 0.0389), ["+1.8%", "-0.2%", "+3.9%"]),
        ((0.0009, 0.0), ["+0.090%", "+0.000%"]),
        ((0.0,), ["+0.0%"]),
        ((1.12,), ["+112.0%"]),
        ((0.00001,), ["+0.00100%"]),
    ],
)
def test_fractions_have_as_many_places_as_tell_the_largest_from_zero(
    values: tuple[float, ...], shown: list[str]
) -> None:
    assert text.percents(*values, signed=True) == shown


def test_words_agree_with_their_numbers() -> None:
    assert text.several(1, "look") == "1 look"
    assert text.several(1200, "look") == "1,200 looks"
    assert text.listed(["a"]) == "a"
    assert text.listed(["a", "b", "c"], "or") == "a, b or c"
    assert text.moment(datetime(2026, 11, 22, 10, 5, tzinfo=UTC)) == "2026-11-22 10:05 UTC"
    assert text.moment(None) == "an unknown time"
