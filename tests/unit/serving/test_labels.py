"""Arm and analysis bucket from headers, bounded."""

from __future__ import annotations

import pytest

from crossfade_serving.labels import MOST_EXPERIMENT_ARMS, Assignments


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"x-arm": "candidate", "x-abucket": "0"}, ("candidate", "0"), id="the router's headers are taken"),
        pytest.param({"x-arm": "stable", "x-abucket": "99"}, ("stable", "99"), id="99 is the last bucket"),
        pytest.param({"x-arm": "stable", "x-abucket": "forced"}, ("stable", "forced"), id="testers have a bucket"),
        pytest.param({}, ("none", "none"), id="no header is none"),
        pytest.param({"x-arm": "evil-17", "x-abucket": "100"}, ("none", "none"), id="invented values are none"),
        pytest.param({"x-arm": "stable", "x-abucket": "07"}, ("stable", "none"), id="another spelling is none"),
        pytest.param({"x-arm": "a-1.b-2", "x-abucket": "7"}, ("a-1.b-2", "7"), id="an arm of an experiment is taken"),
        pytest.param({"x-arm": f"{'e' * 40}.{'a' * 20}"}, (f"{'e' * 40}.{'a' * 20}", "none"), id="the longest names"),
        pytest.param({"x-arm": f"{'e' * 41}.a"}, ("none", "none"), id="an experiment's name that is too long"),
        pytest.param({"x-arm": "a.b.c"}, ("none", "none"), id="three names are none"),
        pytest.param({"x-arm": "A.b"}, ("none", "none"), id="capitals are none"),
        pytest.param({"x-arm": "a.b\n"}, ("none", "none"), id="a line break is none"),
    ],
)
def test_only_known_values_become_labels(headers: dict[str, str], expected: tuple[str, str]) -> None:
    assert Assignments(["stable", "candidate"]).of(headers) == expected


def test_arms_of_experiments_are_taken_up_while_there_is_room_and_the_last_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assignments = Assignments(["stable"])
    stated = [f"experiment-{number}.treatment" for number in range(MOST_EXPERIMENT_ARMS + 5)]
    taken = [assignments.of({"x-arm": arm}).arm for arm in stated + stated]
    expected = stated[:MOST_EXPERIMENT_ARMS] + ["none"] * 5
    assert taken == expected + expected
    assert assignments.of({"x-arm": "stable"}).arm == "stable"
    (record,) = caplog.records
    assert vars(record)["fields"] == {"last": stated[MOST_EXPERIMENT_ARMS - 1]}
