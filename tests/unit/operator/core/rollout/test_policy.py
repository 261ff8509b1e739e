"""What an endpoint asks of every rollout: each thing that may lack, said with what to add."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade_operator.api.modelendpoint import EvaluationPolicy
from crossfade_operator.api.modelrollout_status import Stage
from crossfade_operator.core.rollout.policy import lacks
from crossfade_operator.core.rollout.view import View
from tests.unit.operator.core.rollout.views import (
    CANDIDATE,
    MINUTE,
    NOW,
    STABLE,
    candidate,
    first_step,
    spec,
    status,
    view,
)

STARTING = candidate(Stage.STARTING)


def asks(**fields: Any) -> EvaluationPolicy:
    return EvaluationPolicy.model_validate(fields)


def judged_by(**roles: str) -> View:
    """An attempt that began with these metrics, whatever the spec says since."""
    plan = {"metrics": [{"name": name.replace("_", "-"), "role": role} for name, role in roles.items()]}
    return view(candidate(plan=plan))


@pytest.mark.parametrize(
    ("seen", "policy", "says"),
    [
        pytest.param(view(STARTING), asks(), None, id="nothing is asked"),
        pytest.param(view(), asks(mirror="Required"), "begin with a step", id="not even started"),
        pytest.param(view(STARTING), asks(mirror="Required"), "begin with a step that has mirror", id="no copies"),
        pytest.param(
            view(STARTING, spec=spec(steps=first_step(mirror=True))), asks(mirror="Required"), None, id="copies first"
        ),
        pytest.param(view(STARTING), asks(guardrails=["error-rate"]), None, id="a guardrail by default"),
        pytest.param(
            view(STARTING),
            asks(guardrails=["error-rate", "latency", "plays"]),
            "give latency, plays the role Guardrail",
            id="one is only watched, another one not at all",
        ),
        pytest.param(
            judged_by(error_rate="Guardrail", plays="Deterioration"),
            asks(guardrails=["plays"]),
            "this attempt is judged without: abort it",
            id="the attempt began without",
        ),
        pytest.param(judged_by(plays="Guardrail"), asks(guardrails=["plays"]), None, id="the attempt began with it"),
        pytest.param(view(STARTING), asks(minHold="100m"), None, id="just long enough"),
        pytest.param(view(STARTING), asks(minHold="101m"), "hold for 101m together, not 1:40:00", id="too short"),
        pytest.param(
            view(STARTING, spec=spec(steps=first_step(mirror=True))),
            asks(minHold="100m"),
            "not 1:30:00",
            id="the time of copies is not time with users",
        ),
    ],
)
def test_what_is_missing_is_said(seen: View, policy: EvaluationPolicy, says: str | None) -> None:
    found = lacks(seen, policy)
    assert (found is None) if says is None else (found is not None and says in found)


def test_all_that_is_missing_is_said_at_once() -> None:
    found = lacks(view(), EVERYTHING) or ""
    assert all(f"policy.evaluation.{field}" in found for field in ("mirror", "guardrails", "minHold"))


EVERYTHING = asks(mirror="Required", guardrails=["plays"], minHold="100d")


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(view(target=STABLE), id="the stable template"),
        pytest.param(view(status=status(None, stable_revision=None)), id="the first revision"),
        pytest.param(view(status=status(STARTING, stable_revision=None)), id="the first revision, on its way"),
        pytest.param(
            view(status=status(None, previous_revision=CANDIDATE, previous_until=NOW + MINUTE)), id="what may come back"
        ),
        pytest.param(view(candidate(Stage.STARTING, restore=True)), id="the way back"),
    ],
)
def test_nothing_is_asked_of_what_is_not_evaluated(seen: View) -> None:
    assert lacks(seen, EVERYTHING) is None


def test_what_may_no_longer_come_back_is_evaluated_as_any_other() -> None:
    late = view(status=status(None, previous_revision=CANDIDATE, previous_until=NOW))
    assert lacks(late, EVERYTHING) is not None
