from typing import Any

import pytest
from pydantic import ValidationError

from crossfade_operator.api.decision import LEARNING, DecisionAction, DecisionSpec, Outcome
from crossfade_operator.api.modelrollout_status import Action

RECORD: dict[str, Any] = {
    "subject": {"kind": "ModelRollout", "name": "ranker", "uid": "4f1c", "revision": "0123456789", "attempt": 2},
    "endpoint": "ranker",
    "action": "Promote",
    "recommendation": "Promote",
    "basis": "Evidence",
    "actor": "rollout@1",
    "rule": "rollout@1",
    "reason": "AllStepsProven",
    "message": "everyone is served by 0123456789",
    "at": "2027-01-01T00:00:00.000000Z",
    "step": 0,
    "results": [{"name": "latency", "role": "Deterioration", "verdict": "Proven", "estimate": "1.01", "message": ""}],
    "checks": [{"name": "SampleRatio", "passed": True, "blocking": True, "message": ""}],
    "reviews": [{"name": "r", "reviewer": "bo@example.com", "verdict": "Dissent", "reason": "too soon"}],
    "retainUntil": "2029-01-01T00:00:00.000000Z",
}


def test_a_record_comes_out_as_it_was_written() -> None:
    assert DecisionSpec.model_validate(RECORD).manifest() == RECORD


def test_every_action_of_a_rollout_can_be_recorded() -> None:
    assert {action.value for action in Action} <= {action.value for action in DecisionAction}


def test_a_neutral_result_with_enough_power_is_learning_and_an_invalid_one_is_not() -> None:
    assert Outcome.POWERED_NEUTRAL in LEARNING
    assert Outcome.INVALID not in LEARNING


@pytest.mark.parametrize("missing", ["subject", "action", "basis", "actor", "rule", "reason", "at", "retainUntil"])
def test_a_record_says_who_what_why_and_when(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        DecisionSpec.model_validate({key: value for key, value in RECORD.items() if key != missing})
