"""Whoever asks in whatever order: nobody loses a position, nobody shares one, and the limits hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade_operator.api.experiment_status import RequestedArm
from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelendpoint_status import LedgerArm, LedgerEntry, PositionRange
from crossfade_operator.core.ledger import (
    MOST_COOLING,
    Claims,
    Entitlement,
    Request,
    allot,
    floor_of,
    holdout_ranges,
    no_room,
    ranges_of,
)
from crossfade_operator.core.slices import expand

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
A, B = "aaaaaaaaaa", "bbbbbbbbbb"
AT_A = Entitlement("ranker", A)


def request(name: str = "taste", positions: int = 200, run: int = 1, **fields: Any) -> Request:
    arms = tuple(
        RequestedArm(name=arm, label=f"{name}.{arm}", weight=1, revision=A, http_port=8080)
        for arm in fields.pop("arms", ("control", "treatment"))
    )
    usual: dict[str, Any] = {"decision": f"{name}-exp-000001", "reached": True}
    return Request(f"Experiment/{name}", f"{name}/{run}", positions, arms, **{**usual, **fields})


def claims(*requests: Request, ledger: tuple[LedgerEntry, ...] = (), **fields: Any) -> Claims:
    spec = {"unit": {"header": "x"}, "policy": fields.pop("policy", {})}
    if "holdout" in fields:
        spec["holdout"] = {"slice": fields.pop("holdout"), "until": "2026-04-01T00:00:00Z"}
    parsed = ModelEndpointSpec.model_validate(spec)
    usual: dict[str, Any] = {"want": AT_A, "existing": frozenset({A, B}), "salt": "salt", "now": NOW}
    return Claims(ledger, requests=requests, policy=parsed.policy, holdout=parsed.holdout, **{**usual, **fields})


def held(ledger: tuple[LedgerEntry, ...], *arms: LedgerArm) -> list[int]:
    return [place for one in ledger if one.arm in arms for place in expand(ranges_of(one))]


def of(ledger: tuple[LedgerEntry, ...], holder: str) -> list[LedgerEntry]:
    return [one for one in ledger if one.holder == holder]


TASTE = allot(claims(request())).ledger


# What is granted -----------------------------------------------------------------------------------------------


def test_what_fits_is_granted_with_all_that_it_asked_for() -> None:
    turn = allot(claims(request()))
    assert [(one.label, one.request, one.revision, one.positions) for one in turn.ledger] == [
        ("taste.control", "taste/1", A, 100),
        ("taste.treatment", "taste/1", A, 100),
    ]
    assert (turn.cause, turn.refused, turn.problem) == ("taste-exp-000001", (), None)


def test_the_same_question_gets_the_same_answer_and_another_run_another() -> None:
    assert allot(claims(request())).ledger == TASTE
    assert held(allot(claims(request(run=2))).ledger, LedgerArm.EXPERIMENT) != held(TASTE, LedgerArm.EXPERIMENT)
    assert allot(claims(request(), salt="another")).ledger != TASTE


def test_what_is_granted_stays_even_if_the_request_changes_under_its_name() -> None:
    assert allot(claims(request(positions=300, arms=("x", "y")), ledger=TASTE)).ledger == TASTE


def test_who_waits_to_be_reached_is_announced_and_not_refused() -> None:
    turn = allot(claims(request(reached=False)))
    assert (turn.ledger, turn.refused, [one.holder for one in turn.announced]) == ((), (), ["Experiment/taste"])


def test_one_is_granted_at_a_time_who_asked_first_before_the_other() -> None:
    first = allot(claims(request("taste"), request("smell")))
    assert ({one.holder for one in first.ledger}, first.more) == ({"Experiment/taste"}, True)
    second = allot(claims(request("taste"), request("smell"), ledger=first.ledger))
    assert (len(second.ledger), second.cause, second.more) == (4, "smell-exp-000001", False)


def test_one_that_does_not_fit_stands_in_nobodys_way() -> None:
    turn = allot(claims(request("large", 501), request("small", 10)))
    assert {one.holder for one in turn.ledger} == {"Experiment/small"}
    assert [one.holder for one in turn.refused] == ["Experiment/large"]


def test_the_rollout_comes_first_and_the_experiment_in_the_next_turn() -> None:
    want = Entitlement("ranker", A, B, 900)
    turn = allot(claims(request(), want=want))
    assert (len(held(turn.ledger, LedgerArm.CANDIDATE)), len(held(turn.ledger, LedgerArm.EXPERIMENT))) == (900, 0)
    assert turn.cause is None
    assert "ModelRollout/ranker holds 90%" in turn.refused[0].message
    small = allot(claims(request(), want=replace(want, positions=100)))
    assert (held(small.ledger, LedgerArm.EXPERIMENT), small.more) == ([], True)


# What is refused -----------------------------------------------------------------------------------------------

TAKEN = allot(claims(request("taste", 300))).ledger


@dataclass(frozen=True)
class Refused:
    sentence: str
    claims: Claims
    says: str


REFUSALS = (
    Refused("there is no decision to run", claims(request(decision=None)), "no Decision to run the experiment"),
    Refused("nobody covers for a failing arm", claims(request(), want=Entitlement()), "no stable revision yet"),
    Refused("arms without a position", claims(request(positions=1)), "0.1% is too small for 2 arms"),
    Refused(
        "the run before still has its slice",
        claims(request(run=2), ledger=TASTE),
        "the slice of the run before has to go back first",
    ),
    Refused(
        "experiments hold enough together",
        claims(request("smell", 201), ledger=TAKEN),
        "a slice of 20.1% does not fit: experiments may hold 50% together (policy.maxExperimentSlice), "
        "Experiment/taste holds 30%, 20% is free",
    ),
    Refused(
        "the floor is stable's",
        claims(request(positions=101), want=Entitlement("ranker", A, B, 500), policy={"stableFloor": "40%"}),
        "a slice of 10.1% does not fit: ModelRollout/ranker holds 50%, 40% is stable's floor, 10% is free",
    ),
    Refused(
        "a holdout that has still to begin keeps its place",
        claims(request(positions=500), holdout="46%"),
        "Holdout holds 46%, 5% is stable's floor, 49% is free",
    ),
    Refused(
        "others rest",
        claims(
            request("smell", 901),
            ledger=(TASTE[0].model_copy(update={"arm": LedgerArm.COOLDOWN, "until": NOW + timedelta(hours=1)}),),
            policy={"maxExperimentSlice": "95%"},
        ),
        "nobody holds any, 10% cools down, 5% is stable's floor, 90% is free",
    ),
    Refused("the table is full", claims(request(), room=lambda _arms: 0), "no room for further ranges"),
)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.sentence) for case in REFUSALS])
def test_a_refusal_says_why(case: Refused) -> None:
    turn = allot(case.claims)
    (refused,) = turn.refused
    assert case.says in refused.message
    assert (
        held(turn.ledger, LedgerArm.EXPERIMENT) == held(case.claims.ledger, LedgerArm.EXPERIMENT) or turn.cause is None
    )


def test_few_ranges_are_drawn_where_the_table_has_little_room() -> None:
    turn = allot(claims(request(), room=lambda _arms: 1))
    assert [len(one.ranges) for one in turn.ledger] in ([1, 1], [2, 1], [1, 2])


# What goes back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [(), (request(run=2),)], ids=["nothing is asked for", "another run asks"])
def test_what_is_no_longer_asked_for_goes_back_and_rests(asked: tuple[Request, ...]) -> None:
    turn = allot(claims(*asked, ledger=TASTE, latest={"Experiment/taste": "taste-exp-000002"}))
    (rests,) = turn.ledger
    assert (rests.arm, rests.holder, rests.until) == (LedgerArm.COOLDOWN, "Experiment/taste", NOW + timedelta(hours=24))
    assert held(turn.ledger, LedgerArm.COOLDOWN) == sorted(held(TASTE, LedgerArm.EXPERIMENT))
    assert (turn.cause, turn.more) == ("taste-exp-000002", True)


def test_without_a_cool_down_it_is_free_at_once() -> None:
    assert allot(claims(ledger=TASTE, policy={"coolDown": "0s"})).ledger == ()


def test_what_has_rested_is_free() -> None:
    resting = allot(claims(ledger=TASTE)).ledger
    assert allot(claims(ledger=resting, now=NOW + timedelta(hours=23))).ledger == resting
    assert allot(claims(ledger=resting, now=NOW + timedelta(hours=24))).ledger == ()


def test_an_experiment_gets_nothing_that_rests_and_a_candidate_may() -> None:
    resting = allot(claims(ledger=allot(claims(request(positions=480))).ledger)).ledger
    turn = allot(claims(request("smell", 400), ledger=resting))
    assert len(held(turn.ledger, LedgerArm.EXPERIMENT)) == 400
    assert not set(held(turn.ledger, LedgerArm.EXPERIMENT)) & set(held(resting, LedgerArm.COOLDOWN))
    grown = allot(claims(ledger=resting, want=Entitlement("ranker", A, B, 950)))
    assert len(held(grown.ledger, LedgerArm.CANDIDATE)) == 950


def test_a_retry_begins_with_other_users() -> None:
    first, second = (
        set(held(allot(claims(want=Entitlement("ranker", A, B, 50, attempt=attempt))).ledger, LedgerArm.CANDIDATE))
        for attempt in (1, 2)
    )
    assert len(first) == len(second) == 50
    assert not first & second


def test_no_more_is_told_of_what_rests_than_a_status_holds() -> None:
    ledger: tuple[LedgerEntry, ...] = ()
    for number in range(MOST_COOLING + 5):
        now = NOW + timedelta(minutes=number)
        ledger = allot(claims(request(f"e{number}", 4), ledger=ledger, now=now)).ledger
        ledger = allot(claims(ledger=ledger, now=now)).ledger
    assert len(ledger) == MOST_COOLING
    assert len(set(held(ledger, LedgerArm.COOLDOWN))) == 4 * (MOST_COOLING + 5), "none of them is free early"


# The holdout ---------------------------------------------------------------------------------------------------


def test_a_holdout_waits_until_its_positions_are_free() -> None:
    full = allot(claims(request(positions=480))).ledger
    turn = allot(claims(request(positions=480), ledger=full, holdout="30%"))
    assert turn.ledger == full
    assert "Experiment/taste holds some of them" in (turn.problem or "")
    assert [(one.holder, one.request) for one in turn.refused] == [("Holdout", "holdout")]


def test_a_holdout_that_is_made_larger_keeps_what_it_has_meanwhile() -> None:
    small = allot(claims(holdout="1%")).ledger
    both = allot(claims(request(positions=480), ledger=small, holdout="1%")).ledger
    turn = allot(claims(request(positions=480), ledger=both, holdout="30%"))
    assert len(held(turn.ledger, LedgerArm.HOLDOUT)) == 10
    assert turn.ledger == both


def test_a_holdout_that_comes_later_leaves_stable_its_floor() -> None:
    policy = {"maxExperimentSlice": "90%", "stableFloor": "50%"}
    entry = TAKEN[0].model_copy(
        update={"positions": 500, "ranges": (PositionRange.model_validate({"from": 0, "to": 499}),)}
    )
    full: tuple[LedgerEntry, ...] = (entry,)
    turn = allot(claims(request(positions=500), ledger=full, policy=policy, holdout="1%"))
    assert turn.ledger == full
    assert "would leave stable less than its floor of 50%" in (turn.problem or "")
    assert not allot(claims(policy=policy, holdout="80%")).ledger
    assert len(held(allot(claims(policy=policy, holdout="50%")).ledger, LedgerArm.HOLDOUT)) == 500


@pytest.mark.parametrize(("positions", "refused"), [(650, False), (651, True)])
def test_a_candidate_is_told_beforehand_who_is_in_its_way(positions: int, refused: bool) -> None:
    sentence = no_room(claims(ledger=TAKEN), positions)
    assert bool(sentence) is refused
    assert not refused or "Experiment/taste holds 30%" in (sentence or "")


# Any interleaving ----------------------------------------------------------------------------------------------

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.tuples(st.sampled_from("abcd"), st.integers(2, 500), st.integers(2, 3))),
        st.tuples(st.just("stop"), st.sampled_from("abcd")),
        st.tuples(st.just("reach"), st.booleans()),
        st.tuples(st.just("candidate"), st.integers(0, 95).map(lambda tenths: tenths * 10)),
        st.tuples(st.just("promote"), st.none()),
        st.tuples(st.just("holdout"), st.sampled_from([None, "1%", "10%", "40%"])),
        st.tuples(st.just("wait"), st.integers(1, 30)),
    ),
    min_size=3,
    max_size=25,
)


class Endpoint:
    """An endpoint whose requests, rollout and holdout change in any order; each turn is checked against the last."""

    def __init__(self, policy: dict[str, str]) -> None:
        self.now, self.policy, self.runs = NOW, policy, 0
        self.ledger: tuple[LedgerEntry, ...] = ()
        self.asked: dict[str, Request] = {}
        self.reached, self.want, self.holdout = True, AT_A, None
        self.exposed: dict[int, datetime] = {}

    def happen(self, what: str, value: Any) -> None:
        match what:
            case "ask":
                name, positions, arms = value
                self.runs += 1
                self.asked[name] = request(name, positions, self.runs, arms=("x", "y", "z")[:arms])
            case "stop":
                self.asked.pop(value, None)
            case "reach":
                self.reached = value
            case "candidate":
                fits = value and no_room(self._claims(), value) is None
                self.want = replace(self.want, candidate=B if fits else None, positions=value if fits else 0)
            case "promote":
                self.want = replace(self.want, candidate=None, positions=0)
            case "holdout":
                self.holdout = value
            case _:
                self.now += timedelta(hours=value)
        for _ in range(6):
            self._turn()

    def _claims(self) -> Claims:
        asked = (replace(one, reached=self.reached) for one in self.asked.values())
        more = {"holdout": self.holdout} if self.holdout else {}
        return claims(*asked, ledger=self.ledger, want=self.want, policy=self.policy, now=self.now, **more)

    def _turn(self) -> None:
        asked = self._claims()
        turn = allot(asked)
        self._nobody_shares_and_the_limits_hold(asked, turn.ledger)
        self._nobody_granted_moves(turn.ledger)
        self._who_took_part_rests(turn.ledger)
        self.ledger = turn.ledger

    def _nobody_shares_and_the_limits_hold(self, asked: Claims, ledger: tuple[LedgerEntry, ...]) -> None:
        holding = (LedgerArm.CANDIDATE, LedgerArm.MIRROR, LedgerArm.HOLDOUT, LedgerArm.EXPERIMENT)
        mine, before = held(ledger, *holding), held(self.ledger, *holding)
        assert len(mine) == len(set(mine))
        assert len(mine) <= max(1000 - floor_of(asked.policy), len(before))
        experiments = len(held(ledger, LedgerArm.EXPERIMENT))
        assert experiments <= max(
            asked.policy.max_experiment_slice.positions, len(held(self.ledger, LedgerArm.EXPERIMENT))
        )

    def _nobody_granted_moves(self, ledger: tuple[LedgerEntry, ...]) -> None:
        for one in self.ledger:
            if one.arm is LedgerArm.EXPERIMENT and any(now.request == one.request for now in ledger):
                assert one in ledger

    def _who_took_part_rests(self, ledger: tuple[LedgerEntry, ...]) -> None:
        fresh = set(held(ledger, LedgerArm.EXPERIMENT)) - set(held(self.ledger, LedgerArm.EXPERIMENT))
        early = [place for place in fresh if self.exposed.get(place, self.now) > self.now]
        assert not early, f"{early} took part in an experiment before, and have not rested"
        granted = {one.request for one in ledger if one.arm is LedgerArm.EXPERIMENT}
        before = {one.request for one in self.ledger if one.arm is LedgerArm.EXPERIMENT}
        reserved = set(expand(holdout_ranges(self._claims())))
        assert granted <= before or not fresh & reserved, "a holdout's place is given to an experiment"
        gone = [one for one in self.ledger if one.arm is LedgerArm.EXPERIMENT and one.request not in granted]
        for place in (place for one in gone for place in expand(ranges_of(one))):
            self.exposed[place] = self.now + timedelta(hours=24)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(EVENTS, st.sampled_from(["5%", "20%", "50%"]), st.sampled_from(["10%", "50%", "95%"]))
def test_whatever_is_asked_in_whatever_order(events: list[tuple[str, Any]], floor: str, most: str) -> None:
    world = Endpoint({"stableFloor": floor, "maxExperimentSlice": most})
    for what, value in events:
        world.happen(what, value)
