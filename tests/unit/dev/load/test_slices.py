from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossfade_operator.core.assignment import assign
from dev.load.connection import Answer, NoAnswer
from dev.load.models import Models
from dev.load.slices import OTHERS, Slices
from dev.load.tally import Tally, unit_of
from serving_image.training.population import Play

V1 = "sha256:" + "1" * 64
HALF = Slices("salt", {"treatment": ((0, 99), (300, 699))})


def test_a_user_is_where_the_router_puts_them() -> None:
    for user in range(200):
        inside = any(first <= assign("salt", f"user-{user}").position <= last for first, last in ((0, 99), (300, 699)))
        assert HALF.of(unit_of(Play(user, 1))) == ("treatment" if inside else OTHERS)


def test_slices_count_what_their_users_met() -> None:
    tally = Tally(Models({V1: "v1"}), HALF)
    inside = next(user for user in range(100) if HALF.of(f"user-{user}") == "treatment")
    outside = next(user for user in range(100) if HALF.of(f"user-{user}") == OTHERS)
    tally.add(Play(inside, 1), Answer(200, V1), 0.01, 1.0)
    tally.add(Play(inside, 1), NoAnswer("reset"), 0.01, 1.0)
    tally.add(Play(outside, 1), Answer(200, V1), 0.02, 1.0)
    seen = tally.summary(1.0)["slices"]
    assert (seen["treatment"]["requests"], seen["treatment"]["failed"]) == (2, 1)
    assert seen["treatment"]["models"] == {"v1": 1, "none": 1}
    assert (seen[OTHERS]["requests"], seen[OTHERS]["failed"]) == (1, 0)
    assert sum(seen[OTHERS]["latency_bins"].values()) == 1


def test_without_slices_nothing_is_said_of_them() -> None:
    tally = Tally(Models({V1: "v1"}))
    tally.add(Play(1, 1), Answer(200, V1), 0.01, 1.0)
    assert "slices" not in tally.summary(1.0)


def test_slices_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "slices.json"
    path.write_text(json.dumps({"salt": "salt", "slices": {"treatment": [[0, 99], [300, 699]]}}))
    assert Slices.read(path) == HALF


@pytest.mark.parametrize("text", ["", "[]", '{"salt": "a"}', '{"salt": "a", "slices": {"b": [[1]]}}'])
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "slices.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="does not describe slices"):
        Slices.read(path)
