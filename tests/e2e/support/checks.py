"""What must be true of every rollout's record and of every load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from crossfade_operator.cli.rollouts.view import Decision, Rollout
from tests.e2e.support.manifests import Json
from tests.e2e.support.scene import told


def nobody_failed(load: Mapping[str, Any] | None) -> None:
    """No request failed but those that the answering model fails by itself."""
    assert load is not None, "the load is still running"
    assert load["requests"] > 0
    assert load["failed"]["requests"] == 0, load["failed"]


def answered(load: Mapping[str, Any] | None, model: str) -> int:
    """How many requests a model answered."""
    assert load is not None, "the load is still running"
    return int(load["models"].get(model, {"requests": 0})["requests"])


def since(before: Rollout, after: Rollout) -> list[Decision]:
    """The decisions that `before` did not have yet."""
    known = {decision.name for decision in before.decisions}
    return [decision for decision in after.decisions if decision.name not in known]


def made(decisions: Sequence[Decision]) -> list[str]:
    return [decision.action for decision in decisions]


def no_step_is_lost_doubled_or_early(decisions: Sequence[Decision], steps: Sequence[Json]) -> None:
    """From its start to its promotion a candidate took each step once, in order, and none before its hold was over."""
    advances = [decision for decision in decisions if decision.action == "Advance"]
    assert made(decisions) == ["Start", *["Advance"] * len(steps), "Promote"], told(decisions)
    assert [decision.step for decision in advances] == list(range(1, len(steps) + 1)), told(decisions)
    assert [decision.slice for decision in advances] == [step["slice"] for step in steps], told(decisions)
    numbers = [int(decision.name.rpartition("-")[2]) for decision in decisions]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), told(decisions)
    for step, began, ended in zip(steps, advances, [*advances[1:], decisions[-1]], strict=True):
        hold = timedelta(seconds=int(step["hold"].removesuffix("s")))
        assert at(ended) - at(began) >= hold, f"{step} took {at(ended) - at(began)}: {told(decisions)}"


def at(decision: Decision) -> datetime:
    assert decision.at is not None, decision
    return decision.at
