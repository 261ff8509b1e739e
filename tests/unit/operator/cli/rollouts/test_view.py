from __future__ import annotations

from typing import Any

import pytest

from crossfade_operator.cli.rollouts.view import rollout_of


def test_a_rollout_that_no_controller_has_seen_reads_as_pending(rollout_object: dict[str, Any]) -> None:
    del rollout_object["status"]
    rollout = rollout_of(rollout_object)
    assert (rollout.phase, rollout.stable, rollout.candidate, rollout.settled) == ("Pending", None, None, False)


def test_the_step_in_force_brings_its_hold_and_its_requests(rollout_object: dict[str, Any]) -> None:
    rollout = rollout_of(rollout_object)
    assert (rollout.step, rollout.hold, rollout.min_requests) == (2, "30m", 2000)
    assert rollout.requests == (12345, 1234, 1100)


def test_steps_that_were_edited_away_leave_no_hold(rollout_object: dict[str, Any]) -> None:
    rollout_object["spec"]["strategy"]["steps"].pop()
    assert rollout_of(rollout_object).hold is None


def test_fields_of_a_newer_version_are_passed_over(rollout_object: dict[str, Any]) -> None:
    before = rollout_of(rollout_object)
    rollout_object["status"]["metrics"][0]["novelty"] = {"x": 1}
    rollout_object["status"]["comet"] = "halley"
    assert rollout_of(rollout_object) == before


@pytest.mark.parametrize(
    ("counted", "shown"),
    [
        pytest.param({"events": 123, "total": 12345, "value": "0.009964"}, "1.00% (123 of 12,345)", id="a-rate"),
        pytest.param({"events": 1234500000, "total": 100, "value": "12.345"}, "12.35", id="a-mean"),
        pytest.param({"events": 0, "total": 0}, "no value (0 of 0)", id="nothing-counted"),
        pytest.param(None, "-", id="not-looked-at"),
    ],
)
def test_an_arm_shows_its_counts(rollout_object: dict[str, Any], counted: Any, shown: str) -> None:
    rollout_object["status"]["metrics"][0]["candidate"] = counted
    assert rollout_of(rollout_object).metrics[0].candidate == shown


@pytest.mark.parametrize("phase", ["Promoted", "RolledBack", "Refused"])
def test_an_end_counts_only_for_the_present_specification(rollout_object: dict[str, Any], phase: str) -> None:
    rollout_object["status"].update(phase=phase, candidateRevision=None)
    assert rollout_of(rollout_object).ended
    rollout_object["metadata"]["generation"] += 1
    assert not rollout_of(rollout_object).ended
