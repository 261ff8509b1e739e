"""Each move: the decision that it writes and the status that follows, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crossfade_operator.api.modelrollout_status import (
    CandidateRequests,
    Decision,
    Exposure,
    Outcome,
    Retiring,
    Stage,
)
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout import moves
from crossfade_operator.core.rollout.records import KEPT, RULE, decide_to
from crossfade_operator.core.rollout.view import Turn, View
from tests.unit.operator.core.rollout.views import (
    CANDIDATE,
    DIGEST,
    MINUTE,
    NOW,
    OTHER,
    STABLE,
    candidate,
    first_step,
    spec,
    status,
    view,
)
from tests.unit.operator.core.test_planning import planned


def turn_of(found: View) -> Turn:
    return Turn(found.status)


def last(turn: Turn) -> tuple[str, str, str, int, str]:
    one = turn.status.decisions[-1]
    return one.action.value, one.reason, one.revision, one.step, one.slice


# Start -------------------------------------------------------------------------------------------------------


def test_a_start_brings_up_the_target_and_forgets_its_end() -> None:
    retiring = (Retiring(revision=CANDIDATE, delete_at=NOW), Retiring(revision=OTHER, delete_at=NOW))
    found = view(status=status(retiring=retiring))
    turn = moves.start(found, turn_of(found), Reason.NEW_TEMPLATE)
    one = turn.status.candidate
    assert one is not None
    assert (one.revision, one.stage, one.attempt, one.restore) == (CANDIDATE, Stage.STARTING, 3, False)
    assert (one.started_at, one.deadline_at) == (NOW, NOW + 10 * MINUTE)
    assert (turn.status.attempts, turn.status.retiring) == (3, retiring[1:])
    assert last(turn) == ("Start", "NewTemplate", CANDIDATE, 1, "0%")
    assert "for 3 steps" in turn.status.decisions[-1].message


@pytest.mark.parametrize(
    ("previous", "until", "restored"),
    [
        pytest.param(CANDIDATE, NOW + MINUTE, True, id="within its window"),
        pytest.param(CANDIDATE, NOW, False, id="when the window has passed"),
        pytest.param(OTHER, NOW + MINUTE, False, id="not another one"),
    ],
)
def test_the_previous_stable_revision_is_restored(previous: str, until: object, restored: bool) -> None:
    found = view(status=status(previous_revision=previous, previous_until=until))
    turn = moves.start(found, turn_of(found), Reason.NEW_TEMPLATE)
    assert turn.status.candidate is not None
    assert turn.status.candidate.restore is restored
    assert ("restored" in turn.status.decisions[-1].message) is restored


def test_the_first_revision_is_told_apart() -> None:
    found = view(status=status(stable_revision=None))
    turn = moves.start(found, turn_of(found), Reason.NEW_TEMPLATE)
    assert "straight to stable" in turn.status.decisions[-1].message


# Steps -------------------------------------------------------------------------------------------------------


def test_the_first_slice_pins_the_plan() -> None:
    plan = planned()
    found = view(candidate(Stage.STARTING), plan=plan)
    turn = moves.first_slice(found, turn_of(found))
    assert turn.status.candidate is not None
    assert turn.status.candidate.plan == plan.model_dump(mode="json", by_alias=True)
    assert last(turn) == ("Advance", "CandidateReady", CANDIDATE, 1, "1%")


def test_a_next_step_starts_from_nothing_but_the_evidence() -> None:
    found = view(candidate(approved_by=("ana", "ben"), next_look_at=NOW))
    turn = moves.next_step(found, turn_of(found), Reason.STEP_PROVEN)
    one = turn.status.candidate
    assert one is not None
    assert (one.stage, one.step, one.step_started_at) == (Stage.SHIFTING, 1, None)
    assert one.former == Exposure(step=0, positions=10, started_at=candidate().step_started_at)
    assert one.next_look_at == NOW + MINUTE / 2, "the users of the step before are still looked at"
    assert (one.approved_by, one.requests) == ((), CandidateRequests())
    assert (one.positions, one.mirror) == (100, False)
    assert (one.since, one.evidence) == (candidate().since, DIGEST)
    assert last(turn) == ("Advance", "StepProven", CANDIDATE, 2, "10%")
    assert turn.status.decisions[-1].message == "step 2/3: a slice of 10%"


def test_after_a_mirror_nobody_is_looked_at_before_the_first_slice_is_confirmed() -> None:
    found = view(candidate(mirror=True), spec=spec(first_step(mirror=True)))
    one = moves.next_step(found, turn_of(found), Reason.STEP_PROVEN).status.candidate
    assert one is not None
    assert (one.step, one.former, one.next_look_at) == (1, None, None)


def test_a_mirror_gives_nobody_to_the_candidate() -> None:
    found = view(candidate(Stage.STARTING), spec=spec(first_step(mirror=True)))
    turn = moves.first_slice(found, turn_of(found))
    assert last(turn) == ("Advance", "CandidateReady", CANDIDATE, 1, "0%")
    assert turn.status.decisions[-1].message == "step 1/3: copies of 1%"
    assert turn.status.candidate is not None
    assert (turn.status.candidate.positions, turn.status.candidate.mirror) == (10, True)


@pytest.mark.parametrize(
    ("asked", "recorded"),
    [(Reason.STEP_PROVEN, "AllStepsProven"), (Reason.PROMOTE_REQUESTED, "PromoteRequested")],
)
def test_after_the_last_step_comes_promotion(asked: Reason, recorded: str) -> None:
    found = view(candidate(step=2))
    turn = moves.next_step(found, turn_of(found), asked)
    assert last(turn) == ("Promote", recorded, CANDIDATE, 3, "100%")


# Ends --------------------------------------------------------------------------------------------------------


def test_promotion_makes_the_candidate_stable_and_the_old_one_restorable() -> None:
    retiring = (Retiring(revision=OTHER, delete_at=NOW), Retiring(revision=STABLE, delete_at=NOW))
    found = view(candidate(step=2), status=status(candidate(step=2), retiring=retiring, failed_revision=OTHER))
    made = moves.next_step(found, turn_of(found), Reason.STEP_PROVEN).status
    assert (made.stable_revision, made.candidate, made.failed_revision) == (CANDIDATE, None, None)
    assert (made.previous_revision, made.previous_until) == (STABLE, NOW + timedelta(hours=72))
    assert made.retiring == (retiring[0], Retiring(revision=STABLE)), "without an end until its routes are gone"


def test_the_first_revision_has_no_previous_one() -> None:
    one = candidate(Stage.STARTING)
    found = view(status=status(one, stable_revision=None))
    made = moves.promote(found, turn_of(found), moves.Action.PROMOTE, Reason.FIRST_REVISION).status
    assert (made.previous_revision, made.previous_until, made.retiring) == (None, None, ())
    assert made.decisions[-1].message == f"everyone is served by {CANDIDATE}"


@pytest.mark.parametrize(
    ("outcome", "action", "failed"),
    [
        (Outcome.ROLLED_BACK, "Rollback", CANDIDATE),
        (Outcome.SUPERSEDED, "Supersede", None),
        (Outcome.BACK_TO_STABLE, "Withdraw", None),
    ],
)
def test_a_withdrawal_takes_the_slice_and_only_a_rollback_is_held_against_it(
    outcome: Outcome, action: str, failed: str | None
) -> None:
    found = view(candidate())
    turn = moves.withdraw(found, turn_of(found), outcome, Reason.SUPERSEDED, "why")
    one = turn.status.candidate
    assert one is not None
    assert (one.stage, one.outcome, one.reason, one.message) == (Stage.WITHDRAWING, outcome, "Superseded", "why")
    assert turn.status.failed_revision == failed
    assert last(turn) == (action, "Superseded", CANDIDATE, 1, "0%")
    assert [event.kind for event in turn.events] == ["Warning" if failed else "Normal"]


def test_a_retired_candidate_is_listed_once() -> None:
    retiring = (Retiring(revision=CANDIDATE, delete_at=NOW),)
    found = view(candidate(), status=status(candidate(), retiring=retiring))
    made = moves.retire(found, turn_of(found)).status
    assert (made.candidate, made.retiring, made.decision_count) == (None, (Retiring(revision=CANDIDATE),), 0)


# Records -----------------------------------------------------------------------------------------------------


def test_a_decision_is_numbered_dated_signed_and_rests_on_evidence() -> None:
    found = view(candidate(), status=status(candidate(), decision_count=41))
    turn = decide_to(
        found, turn_of(found), moves.Action.ADVANCE, Reason.STEP_PROVEN, "on", revision=CANDIDATE, share="10%"
    )
    one = turn.status.decisions[-1]
    assert (one.name, one.at, one.by, one.evidence) == ("ranker-000042", NOW, RULE, DIGEST)
    assert turn.status.decision_count == 42
    (event,) = turn.events
    assert (event.reason, event.message) == ("StepProven", f"Advance {CANDIDATE}: on")


def test_the_last_decisions_are_kept_and_the_count_goes_on() -> None:
    old = Decision(name="old", action="Start", revision=OTHER, reason="NewTemplate", at=NOW, by=RULE)
    found = view(status=status(decisions=(old,) * KEPT, decision_count=99))
    made = decide_to(found, turn_of(found), moves.Action.START, Reason.NEW_TEMPLATE, "go", revision=CANDIDATE).status
    assert (len(made.decisions), made.decisions[-1].name, made.decision_count) == (KEPT, "ranker-000100", 100)
