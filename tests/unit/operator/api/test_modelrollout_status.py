from typing import Any

import pytest
from pydantic import ValidationError

from crossfade_analyzer import contract
from crossfade_operator.api import metric
from crossfade_operator.api.modelrollout_status import (
    AT_REST,
    ArmResult,
    Candidate,
    ModelRolloutStatus,
    Phase,
    Role,
    Verdict,
)

AT = "2026-11-22T21:30:00.000001Z"
CANDIDATE: dict[str, Any] = {
    "revision": "0123456789",
    "attempt": 2,
    "stage": "Analyzing",
    "startedAt": AT,
    "deadlineAt": AT,
    "since": AT,
    "step": 1,
    "stepStartedAt": AT,
    "nextLookAt": AT,
    "looks": 7,
    "requests": {"control": 90000, "candidate": 10000, "candidateInStep": 900},
    "verdict": "Undecided",
    "reason": "InsufficientData",
    "message": "900 of 1000 requests.",
    "evidence": "sha256:00",
    "proven": False,
    "approvals": 0,
    "plan": {"endpoint": "recs/ranker", "metrics": [{"name": "latency", "log": None}]},
}


def test_the_controllers_memory_survives_a_restart() -> None:
    remembered = Candidate.model_validate(CANDIDATE)
    assert Candidate.model_validate(remembered.manifest()) == remembered
    assert CANDIDATE["startedAt"] == remembered.manifest()["startedAt"]


def test_a_rollout_that_nobody_has_looked_at_has_a_status_too() -> None:
    status = ModelRolloutStatus.model_validate({})
    assert status.phase is None
    assert ModelRolloutStatus.model_validate(status.manifest()) == status


def test_an_attempt_always_has_a_deadline() -> None:
    with pytest.raises(ValidationError, match="deadlineAt"):
        Candidate.model_validate({key: value for key, value in CANDIDATE.items() if key != "deadlineAt"})


@pytest.mark.parametrize("value", ["1.05", "-0.3", "1e-05", "2E+10", "0"])
def test_numbers_for_display_are_strings(value: str) -> None:
    assert ArmResult(events=1, total=2, value=value).value == value


@pytest.mark.parametrize("value", ["nan", "inf", "1,5", "", "1."])
def test_what_is_no_number_is_not_shown(value: str) -> None:
    with pytest.raises(ValidationError, match="value"):
        ArmResult(events=1, total=2, value=value)


def test_phases_at_rest_have_no_candidate_to_judge() -> None:
    assert set(AT_REST) == {Phase.PROMOTED, Phase.ROLLED_BACK, Phase.REFUSED}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(Verdict, contract.Verdict), (Role, contract.Role), (metric.Direction, contract.Direction)],
    ids=["verdicts", "roles", "directions"],
)
def test_we_use_the_words_of_the_analyzers_contract(ours: Any, theirs: Any) -> None:
    assert {word.name: word.value for word in ours} == {word.name: word.value for word in theirs}
