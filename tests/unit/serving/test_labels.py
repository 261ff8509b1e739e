"""Arm and analysis bucket from headers, bounded."""

from __future__ import annotations

import pytest

from crossfade_serving.labels import Assignments


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"x-arm": "candidate", "x-abucket": "0"}, ("candidate", "0"), id="the router's headers are taken"),
        pytest.param({"x-arm": "stable", "x-abucket": "99"}, ("stable", "99"), id="99 is the last bucket"),
        pytest.param({"x-arm": "stable", "x-abucket": "forced"}, ("stable", "forced"), id="testers have a bucket"),
        pytest.param({}, ("none", "none"), id="no header is none"),
        pytest.param({"x-arm": "evil-17", "x-abucket": "100"}, ("none", "none"), id="invented values are none"),
        pytest.param({"x-arm": "stable", "x-abucket": "07"}, ("stable", "none"), id="another spelling is none"),
    ],
)
def test_only_known_values_become_labels(headers: dict[str, str], expected: tuple[str, str]) -> None:
    assert Assignments(["stable", "candidate"]).of(headers) == expected
