"""Every sentence about the machine, and what a turn leaves alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crossfade_operator.api.modelrollout_status import ModelRolloutStatus, Outcome, Retiring, Stage
from crossfade_operator.core.rollout.graph import moves_between, reasons_of
from crossfade_operator.core.rollout.machine import decide
from tests.unit.operator.core.rollout.case import Case
from tests.unit.operator.core.rollout.cases import CASES
from tests.unit.operator.core.rollout.views import (
    CANDIDATE,
    CRASHING,
    GONE,
    HALF,
    MINUTE,
    NOW,
    OTHER,
    PROVEN,
    STABLE,
    answer,
    candidate,
    first_step,
    granted,
    routes,
    spec,
    status,
    view,
)

by_sentence = pytest.mark.parametrize("case", [pytest.param(case, id=case.sentence) for case in CASES])


@by_sentence
def test_the_machine(case: Case) -> None:
    turn = decide(case.view)
    made = turn.status.decision_count - case.view.status.decision_count
    decisions = [f"{one.action.value} {one.reason}" for one in turn.status.decisions][
        len(turn.status.decisions) - made :
    ]
    assert decisions == ([case.decision] if case.decision else [])
    assert f"{turn.status.phase} {turn.status.reason}" == case.shown
    assert case.says in (turn.status.message or "")
    refused = [event.reason for event in turn.events][: len(turn.events) - made]
    assert tuple(refused) == case.told


@by_sentence
def test_the_same_view_gives_the_same_turn_and_a_move_of_the_graph(case: Case) -> None:
    turn = decide(case.view)
    assert decide(case.view) == turn
    before, after = (one.candidate.stage if one.candidate else None for one in (case.view.status, turn.status))
    assert turn.status.phase is not None
    assert turn.status.reason in reasons_of(after, turn.status.phase)
    if case.decision:
        action, reason = case.decision.split()
        assert any(move.action == action and reason in move.reasons for move in moves_between(before, after))
    elif before is not after:
        assert any(move.action is None for move in moves_between(before, after))


def test_sentences_are_told_once() -> None:
    assert len({case.sentence for case in CASES}) == len(CASES)


# What a turn writes down -------------------------------------------------------------------------------------


def test_a_confirmed_slice_starts_the_clock_of_its_step() -> None:
    found = decide(view(candidate(Stage.SHIFTING))).status.candidate
    assert found is not None
    assert (found.step_started_at, found.since) == (NOW, NOW)
    assert found.next_look_at == NOW + MINUTE / 2


def test_a_later_step_keeps_the_time_of_the_first_exposure() -> None:
    later = candidate(Stage.SHIFTING, since=NOW - 30 * MINUTE, step=1, positions=100)
    found = decide(view(later, routes=routes(later, candidate=granted(100)))).status.candidate
    assert found is not None
    assert (found.step_started_at, found.since) == (NOW, NOW - 30 * MINUTE)


def test_a_mirror_exposes_nobody() -> None:
    one = candidate(Stage.SHIFTING, mirror=True)
    mirrored = routes(one, candidate=None, mirrored=granted(arm="mirror"))
    found = decide(view(one, spec=spec(steps=first_step(mirror=True)), routes=mirrored)).status.candidate
    assert found is not None
    assert found.since is None


def test_the_first_look_comes_with_the_end_of_a_short_hold() -> None:
    short = spec(steps=first_step(hold="12s"))
    found = decide(view(candidate(Stage.SHIFTING), spec=short)).status.candidate
    assert found is not None
    assert found.next_look_at == NOW + MINUTE / 5


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        pytest.param(1, NOW + MINUTE / 2, id="an interval later"),
        pytest.param(9.75, NOW + MINUTE / 4, id="with the end of the hold, when that comes first"),
        pytest.param(10, NOW + MINUTE / 2, id="an interval later, when the hold has just ended"),
    ],
)
def test_the_next_look(minutes: float, expected: object) -> None:
    one = candidate(step_started_at=NOW - minutes * MINUTE)
    found = decide(view(one, evaluation=answer(in_step=1))).status.candidate
    assert found is not None
    assert found.next_look_at == expected


def test_no_answer_takes_back_the_proof_and_keeps_the_evidence() -> None:
    found = decide(view(candidate(), evaluation=GONE)).status.candidate
    assert found is not None
    assert (found.proven, found.verdict, found.evidence) == (False, None, candidate().evidence)
    assert found.next_look_at == NOW + MINUTE / 2


def test_an_answer_is_written_down_whole() -> None:
    turn = decide(view(candidate(step_started_at=NOW - MINUTE), evaluation=answer(in_step=7)))
    found = turn.status.candidate
    assert found is not None
    assert (found.looks, found.verdict, found.proven, found.message) == (3, "Proven", True, "the analyzer says Proven")
    assert (found.requests.control, found.requests.candidate, found.requests.candidate_in_step) == (9000, 1000, 7)
    assert turn.status.verdict == "Proven"


def test_unreadiness_is_dated_once_and_forgotten_when_over() -> None:
    found = decide(view(candidate(), pods=HALF)).status.candidate
    assert found is not None
    assert found.unready_since == NOW
    later = replace(view(found, pods=HALF), now=NOW + MINUTE)
    again = decide(later).status.candidate
    assert again is not None
    assert again.unready_since == NOW
    healed = decide(view(again)).status.candidate
    assert healed is not None
    assert healed.unready_since is None


def test_a_starting_candidate_has_no_unreadiness_of_its_own() -> None:
    found = decide(view(candidate(Stage.STARTING), pods=HALF)).status.candidate
    assert found is not None
    assert found.unready_since is None


def test_the_first_revision_is_never_rolled_back_by_itself() -> None:
    one = candidate(Stage.STARTING)
    first = status(one, stable_revision=None)
    turn = decide(view(status=first, pods=CRASHING, now=NOW + 99 * MINUTE))
    assert turn.status.candidate == one


def test_a_failure_is_forgotten_when_the_template_changes() -> None:
    """Else the failed template would not be tried again after another one was."""
    failed = status(failed_revision=OTHER)
    assert decide(view(target=STABLE, status=failed)).status.failed_revision is None
    assert decide(view(target=OTHER, status=decide_rolled_back())).status.failed_revision == OTHER


def decide_rolled_back() -> ModelRolloutStatus:
    """The status after the revision `OTHER` was aborted and is gone."""
    one = candidate(revision=OTHER)
    aborted = decide(view(one, target=OTHER, requests={"abort": "x"})).status
    return decide(view(target=OTHER, status=aborted)).status


# Revisions that nobody routes to -----------------------------------------------------------------------------


def test_a_withdrawn_candidate_retires_when_its_routes_are_gone() -> None:
    one = candidate(Stage.WITHDRAWING, outcome=Outcome.SUPERSEDED)
    turn = decide(view(one, target=STABLE))
    assert turn.status.candidate is None
    assert turn.status.retiring == (Retiring(revision=CANDIDATE, delete_at=NOW + 5 * MINUTE),)


@pytest.mark.parametrize("arm", ["candidate", "mirrored"])
def test_a_withdrawn_candidate_stays_while_it_is_routed_to(arm: str) -> None:
    one = candidate(Stage.WITHDRAWING, outcome=Outcome.ROLLED_BACK)
    recorded = decide(view(candidate(), requests={"abort": "x"})).status
    turn = decide(view(one, status=recorded, routes=routes(one, **{arm: granted()})))
    assert turn.status.candidate == recorded.candidate


def test_a_withdrawn_candidate_stays_while_a_router_has_not_confirmed() -> None:
    recorded = decide(view(candidate(), requests={"abort": "x"})).status
    turn = decide(view(recorded.candidate, status=recorded, routes=routes(confirmed=False)))
    assert turn.status.candidate == recorded.candidate


def test_a_withdrawn_candidate_that_the_holdout_uses_goes_and_its_pods_stay() -> None:
    one = candidate(Stage.WITHDRAWING, outcome=Outcome.SUPERSEDED)
    held = routes(holdout=granted(arm="holdout"))
    first = decide(view(one, target=STABLE, routes=held))
    assert first.status.candidate is None
    second = decide(view(target=STABLE, status=first.status, routes=held))
    assert second.status.retiring == (Retiring(revision=CANDIDATE),), "no end as long as the holdout routes to it"


def test_a_retiring_revision_gets_its_end_when_nobody_routes_to_it() -> None:
    retiring = (Retiring(revision=OTHER),)
    turn = decide(view(target=STABLE, status=status(retiring=retiring)))
    assert turn.status.retiring == (Retiring(revision=OTHER, delete_at=NOW + 5 * MINUTE),)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(routes(confirmed=False), id="a router may still run the old table"),
        pytest.param(routes(stable=OTHER), id="the table leads to it"),
    ],
)
def test_a_retiring_revision_has_no_end_while(seen: object) -> None:
    retiring = (Retiring(revision=OTHER),)
    turn = decide(view(target=STABLE, status=status(retiring=retiring), routes=seen))
    assert turn.status.retiring == retiring


@pytest.mark.parametrize(
    ("ends", "previous", "kept"),
    [
        pytest.param(NOW + MINUTE, None, True, id="its time is not over"),
        pytest.param(NOW, None, False, id="its time is over"),
        pytest.param(NOW, OTHER, True, id="it can still be restored"),
    ],
)
def test_a_retiring_revision_is_forgotten_when(ends: object, previous: str | None, kept: bool) -> None:
    until = NOW + 60 * MINUTE if previous else None
    before = status(
        retiring=(Retiring(revision=OTHER, delete_at=ends),), previous_revision=previous, previous_until=until
    )
    assert bool(decide(view(target=STABLE, status=before)).status.retiring) is kept


@pytest.mark.parametrize(
    ("until", "expected"), [pytest.param(NOW + MINUTE, OTHER, id="before"), pytest.param(NOW, None, id="at its end")]
)
def test_the_previous_revision_is_restorable_within_its_window(until: object, expected: str | None) -> None:
    turn = decide(view(target=STABLE, status=status(previous_revision=OTHER, previous_until=until)))
    assert turn.status.previous_revision == expected


def test_a_turn_makes_one_decision_at_most() -> None:
    """Superseded, proven and asked to go on, all at once: the request comes first, and the rest waits."""
    turn = decide(view(candidate(), target=OTHER, evaluation=PROVEN, requests={"promote": "go"}))
    assert turn.status.decision_count == 1
    assert turn.status.decisions[-1].reason == "PromoteRequested"
