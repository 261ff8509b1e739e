"""Requests by annotation: how a token is read, and that each is acted on once. What they do is in `cases_requests`."""

from __future__ import annotations

import pytest

from crossfade_operator.api.modelrollout_status import Handled, Stage
from crossfade_operator.core.rollout.requests import Request, handle, parse
from crossfade_operator.core.rollout.view import Turn
from crossfade_operator.core.signatures import UNNAMED
from tests.unit.operator.core.rollout.views import CANDIDATE, MINUTE, NOW, STABLE, candidate, status, view


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        pytest.param("abc", Request(), id="a token"),
        pytest.param("full", Request(), id="a token that is a word of ours"),
        pytest.param("full:abc", Request(full=True), id="in full"),
        pytest.param("kx7wq2m9bc:abc", Request("kx7wq2m9bc"), id="for one revision"),
        pytest.param("kx7wq2m9bc:full:abc", Request("kx7wq2m9bc", full=True), id="for one revision, in full"),
        pytest.param("kx7wq2m9bc:2026-03-01T12:00", Request("kx7wq2m9bc"), id="a token with a colon"),
        pytest.param("emergency:abc", Request(emergency=True), id="in an emergency"),
        pytest.param("emergency:full:abc", Request(full=True, emergency=True), id="in an emergency, in full"),
        pytest.param("kx7wq2m9bc:full:emergency:a", Request("kx7wq2m9bc", True, True), id="in either order"),
        pytest.param("", Request(), id="nothing"),
    ],
)
def test_a_token_is_taken_apart(token: str, expected: Request) -> None:
    assert parse(token) == expected


@pytest.mark.parametrize("verb", ["promote", "abort", "retry"])
def test_a_request_is_recorded_as_handled_whether_it_is_met_or_refused(verb: str) -> None:
    found = view(target=STABLE, requests={verb: "t1"})
    turn = handle(found, Turn(found.status))
    assert getattr(turn.status.handled, verb) == "t1"
    assert len(turn.events) == 1
    again = handle(view(target=STABLE, status=turn.status, requests={verb: "t1"}), Turn(turn.status))
    assert again == Turn(turn.status)


def test_another_token_is_another_request() -> None:
    found = view(candidate(), status=status(candidate(), handled=Handled(abort="t1")), requests={"abort": "t2"})
    turn = handle(found, Turn(found.status))
    assert turn.status.decisions[-1].by == UNNAMED
    assert turn.status.handled.abort == "t2"


def test_abort_comes_before_promote() -> None:
    """Whoever asks for both at once gets the safe one."""
    found = view(candidate(), requests={"promote": "full:x", "abort": "x"})
    turn = handle(found, Turn(found.status))
    assert [one.action.value for one in turn.status.decisions] == ["Rollback"]
    assert turn.events[-1].reason == "NothingToPromote"


@pytest.mark.parametrize("stage", [Stage.SHIFTING, Stage.STARTING, Stage.WITHDRAWING])
def test_only_an_analysed_candidate_is_promoted(stage: Stage) -> None:
    found = view(candidate(stage), requests={"promote": "full:x"})
    turn = handle(found, Turn(found.status))
    assert turn.status.decisions == ()
    assert [event.reason for event in turn.events] == ["NothingToPromote"]


def test_an_aborted_candidate_is_not_aborted_twice() -> None:
    found = view(candidate(Stage.WITHDRAWING), requests={"abort": "x"})
    assert [event.reason for event in handle(found, Turn(found.status)).events] == ["NothingToAbort"]


def test_retry_forgets_the_failure_and_starts_anew() -> None:
    found = view(status=status(failed_revision=CANDIDATE), requests={"retry": f"{CANDIDATE}:x"})
    made = handle(found, Turn(found.status)).status
    assert made.failed_revision is None
    assert made.candidate is not None
    assert (made.candidate.attempt, made.candidate.started_at) == (3, NOW)


def test_no_retry_while_a_candidate_is_on_its_way_out() -> None:
    one = candidate(Stage.WITHDRAWING)
    found = view(one, status=status(one, failed_revision=CANDIDATE), requests={"retry": "x"})
    assert [event.reason for event in handle(found, Turn(found.status)).events] == ["NothingToRetry"]


def test_an_approval_counts_and_keeps_the_share() -> None:
    waiting = status(candidate(approved_by=("ana",)), reason="ApprovalMissing", slice="1%")
    found = view(status=waiting, requests={"promote": "ben"}, now=NOW + MINUTE)
    made = handle(found, Turn(found.status)).status
    assert made.candidate is not None
    assert (made.candidate.approved_by, made.candidate.stage) == (("ana", UNNAMED), Stage.ANALYZING)
    assert (made.decisions[-1].slice, made.decisions[-1].message) == ("1%", "2 approvals of step 1")
