import pytest

from crossfade_operator.api.rules import Rule, check, strictly_increasing, unchangeable

POSITIVE = Rule(cel="self > 0", message="must be above 0", holds=lambda value: value > 0)
EVEN = Rule(cel="self % 2 == 0", message="must be even", holds=lambda value: value % 2 == 0, at=".number")


def test_all_broken_rules_are_named() -> None:
    with pytest.raises(ValueError, match=r"^must be above 0; must be even$"):
        check([POSITIVE, EVEN], -1)


def test_what_holds_says_nothing() -> None:
    check([POSITIVE, EVEN], 2)


def test_rules_about_the_object_before_are_left_to_the_api_server() -> None:
    check([unchangeable("cannot be changed")], object())


def test_a_rule_is_written_as_the_api_server_reads_it() -> None:
    assert EVEN.as_schema() == {"rule": "self % 2 == 0", "message": "must be even", "fieldPath": ".number"}
    assert POSITIVE.as_schema() == {"rule": "self > 0", "message": "must be above 0"}


def test_a_rule_without_cel_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="no CEL for 'once'"):
        Rule(cel=None, message="once").as_schema()


def test_a_long_list_is_evaluated_once() -> None:
    assert strictly_increasing("self.xs.map(x, int(x))").count("self.xs") == 1
