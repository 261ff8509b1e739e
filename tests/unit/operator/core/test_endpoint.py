"""An endpoint's turn: who holds which positions, which table that makes, and what its conditions say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from crossfade_operator.api.modelendpoint_status import ModelEndpointStatus
from crossfade_operator.api.modelrollout_status import Stage
from crossfade_operator.core.endpoint import (
    REWRITTEN_AFTER,
    EndpointTurn,
    EndpointView,
    Entitlement,
    confirmed_generation,
    decide,
    entitlement_of,
    held_back,
    no_room,
    routes_of,
)
from crossfade_operator.core.ledger import shares_of
from crossfade_operator.core.slices import start_of
from crossfade_operator.ports.routers import RouterReport
from tests.unit.operator.core.endpoints import AT_A, HOLDOUT, NOW, TEN_PERCENT, A, B, C, after, held, reports, view
from tests.unit.operator.core.rollout import views

# Entitlement -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "positions"), [(Stage.STARTING, 0), (Stage.SHIFTING, 10), (Stage.ANALYZING, 10), (Stage.WITHDRAWING, 0)]
)
def test_a_slice_is_had_while_it_shifts_and_is_analysed(stage: Stage, positions: int) -> None:
    found = entitlement_of("ranker", views.status(views.candidate(stage)))
    assert (found.positions, found.candidate) == (positions, views.CANDIDATE if positions else None)
    assert (found.stable, found.mirror, found.decision) == (views.STABLE, False, "")
    assert found.starting == (views.CANDIDATE if stage is Stage.STARTING else None)


def test_a_mirror_is_entitled_to_copies() -> None:
    assert entitlement_of("ranker", views.status(views.candidate(mirror=True))).mirror


@dataclass(frozen=True)
class HeldBack:
    sentence: str
    present: Entitlement
    wanted: Entitlement
    allowed: Entitlement


HELD_BACK = (
    HeldBack("a first slice waits", AT_A, TEN_PERCENT, AT_A),
    HeldBack("a next slice waits", TEN_PERCENT, replace(TEN_PERCENT, positions=500, decision="d9"), TEN_PERCENT),
    HeldBack(
        "users in the place of copies wait",
        replace(TEN_PERCENT, mirror=True),
        replace(TEN_PERCENT, decision="d9"),
        replace(TEN_PERCENT, mirror=True),
    ),
    HeldBack(
        "a promotion waits, and the slice stays", TEN_PERCENT, replace(AT_A, stable=B, decision="d9"), TEN_PERCENT
    ),
    HeldBack(
        "nothing follows a promotion that waits",
        TEN_PERCENT,
        Entitlement("ranker", B, C, 10, decision="d9"),
        TEN_PERCENT,
    ),
    HeldBack("a slice goes back", TEN_PERCENT, replace(AT_A, decision="d9"), replace(AT_A, decision="d9")),
    HeldBack(
        "copies end", replace(TEN_PERCENT, mirror=True), replace(AT_A, decision="d9"), replace(AT_A, decision="d9")
    ),
)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.sentence) for case in HELD_BACK])
def test_while_a_decision_is_not_on_record(case: HeldBack) -> None:
    present = decide(view(case.present, exist=A + B + C)).status
    assert held_back(present, case.wanted) == replace(case.allowed, stable_decision=case.wanted.stable_decision)


def test_a_first_revision_that_is_not_on_record_serves_nobody() -> None:
    allowed = held_back(ModelEndpointStatus(), Entitlement("ranker", A, decision="ranker-000002"))
    assert (allowed.stable, allowed.candidate, allowed.decision) == (None, None, "")


# Ledger ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Held:
    sentence: str
    view: EndpointView
    expected: dict[str, tuple[str, int]]
    problem: str = ""


GRANTED = decide(view())
WITH_HOLDOUT = decide(view(AT_A, exist=A, spec=HOLDOUT))
BIG = Entitlement("ranker", A, B, 900)

LEDGERS = (
    Held("no candidate holds nothing", view(AT_A), {}),
    Held("a candidate holds its slice", view(), {"candidate": (B, 100)}),
    Held("a mirror is another arm", view(replace(TEN_PERCENT, mirror=True)), {"mirror": (B, 100)}),
    Held("a candidate without pods holds nothing", view(exist=A), {}),
    Held("a holdout begins on the stable revision", view(AT_A, spec=HOLDOUT), {"holdout": (A, 100)}),
    Held(
        "a holdout stays on the revision it began with",
        after(WITH_HOLDOUT, view(Entitlement("ranker", B), spec=HOLDOUT)),
        {"holdout": (A, 100)},
    ),
    Held(
        "a holdout whose revision is gone goes to the stable one",
        after(WITH_HOLDOUT, view(Entitlement("ranker", B), exist=B, spec=HOLDOUT)),
        {"holdout": (B, 100)},
    ),
    Held("a holdout without a stable revision waits", view(Entitlement("ranker"), exist=A, spec=HOLDOUT), {}),
    Held(
        "a holdout ends at its time",
        after(WITH_HOLDOUT, view(AT_A, spec=HOLDOUT), now=datetime(2026, 3, 2, tzinfo=UTC)),
        {},
    ),
    Held(
        "a first slice that does not fit is not granted",
        view(BIG, spec=HOLDOUT),
        {"holdout": (A, 100)},
        "a slice of 90% does not fit: Holdout holds 10%, 5% is stable's floor, 85% is free",
    ),
    Held(
        "a next slice that does not fit leaves the present one",
        after(GRANTED, view(BIG, spec={"policy": {"stableFloor": "50%"}})),
        {"candidate": (B, 100)},
        "50% is free",
    ),
    Held(
        "a holdout that comes later and does not fit takes nobody's positions",
        after(decide(view(BIG)), view(BIG, spec=HOLDOUT)),
        {"candidate": (B, 900)},
        "Holdout holds 10%",
    ),
    Held(
        "a floor below what the comparison needs is that much",
        view(Entitlement("ranker", A, B, 950), spec={**HOLDOUT, "policy": {"stableFloor": "0%"}}),
        {"holdout": (A, 100)},
        "5% is stable's floor",
    ),
)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.sentence) for case in LEDGERS])
def test_the_ledger(case: Held) -> None:
    turn = decide(case.view)
    assert held(turn) == case.expected
    assert case.problem in (turn.problem or "")
    assert bool(turn.problem) == bool(case.problem)
    positions = [
        one for entry in turn.status.ledger for span in entry.ranges for one in range(span.first, span.last + 1)
    ]
    assert len(positions) == len(set(positions))


def covered(turn: EndpointTurn) -> set[int]:
    return {one for entry in turn.status.ledger for span in entry.ranges for one in range(span.first, span.last + 1)}


def test_a_slice_begins_where_its_revision_says_and_grows_from_there() -> None:
    first = decide(view())
    wider = decide(after(first, view(replace(TEN_PERCENT, positions=200))))
    assert covered(first) == {(start_of(B, 1) + step) % 1000 for step in range(100)}
    assert covered(wider) == {(start_of(B, 1) + step) % 1000 for step in range(200)}


@pytest.mark.parametrize(("positions", "refused"), [(850, False), (851, True)])
def test_whether_a_slice_would_fit_is_known_before_it_is_wanted(positions: int, refused: bool) -> None:
    assert bool(no_room(view(spec=HOLDOUT), positions)) is refused


# Route and confirmation --------------------------------------------------------------------------------------


def test_another_table_gets_the_next_generation_and_the_decisions_name() -> None:
    first = decide(view(AT_A))
    second = decide(after(first, view()))
    assert first.status.route is not None
    assert second.status.route is not None
    assert (first.status.route.generation, second.status.route.generation) == (1, 2)
    assert (second.table.generation, second.table.decision) == (2, "ranker-000003")
    assert second.status.route.revisions == (A, B)


SETTLED = replace(AT_A, decision="ranker-000009", stable_decision="ranker-000002")


@pytest.mark.parametrize(
    ("changed", "carried"),
    [
        pytest.param(
            view(TEN_PERCENT, spec=HOLDOUT), "ranker-000003", id="a slice carries the decision that granted it"
        ),
        pytest.param(view(SETTLED, spec=HOLDOUT), "ranker-000002", id="a holdout carries that of the stable revision"),
        pytest.param(view(SETTLED, exist=A + B + C), "ranker-000001", id="an announcement carries the one in force"),
        pytest.param(
            view(SETTLED, spec={"router": {"testers": "Enabled"}}),
            "ranker-000001",
            id="a setting carries the one in force",
        ),
    ],
)
def test_the_decision_that_a_new_table_carries(changed: EndpointView, carried: str) -> None:
    first = decide(view(replace(AT_A, decision="ranker-000001")))
    second = decide(after(first, changed))
    assert (second.table.generation, second.table.decision) == (2, carried)


def test_a_holdout_that_ends_gives_its_users_the_stable_revision_by_its_decision() -> None:
    begun = decide(after(decide(view(AT_A)), view(SETTLED, spec=HOLDOUT)))
    moved = decide(after(begun, view(replace(SETTLED, stable=B, decision="p", stable_decision="p"), spec=HOLDOUT)))
    ended = decide(after(moved, view(replace(SETTLED, stable=B, decision="q", stable_decision="p"))))
    assert [turn.table.decision for turn in (begun, moved, ended)] == ["ranker-000002", "p", "p"]


def test_the_same_table_keeps_generation_and_decision() -> None:
    first = decide(view())
    again = decide(after(first, view(replace(TEN_PERCENT, decision="ranker-000009"))))
    assert again.status == first.status


def test_a_lost_status_goes_on_after_the_generation_that_was_written() -> None:
    turn = decide(view(written_generation=41))
    assert turn.table.generation == 42


@pytest.mark.parametrize(
    ("seen", "confirmed"),
    [
        pytest.param((), 0, id="nobody was asked"),
        pytest.param(reports(1, None), 0, id="one could not be asked"),
        pytest.param(reports(1, 0), 0, id="one runs an older table"),
        pytest.param(reports(1, 1), 1, id="all run it"),
        pytest.param(reports(7, 7), 1, id="never more than was written"),
    ],
)
def test_a_generation_is_confirmed_when(seen: tuple[RouterReport, ...], confirmed: int) -> None:
    found = view()
    turn = decide(after(decide(found), found, reports=seen))
    assert turn.status.route is not None
    assert turn.status.route.confirmed_generation == confirmed
    assert turn.status.route.confirmed_at == (NOW if confirmed else None)


def test_what_was_confirmed_stays_so_when_a_router_falls_silent() -> None:
    found = view()
    confirmed = decide(after(decide(found), found, reports=reports(1, 1)))
    later = after(confirmed, found, reports=reports(1, None), now=NOW + timedelta(hours=1))
    assert confirmed_generation(later) == 1
    assert decide(later).status.route == confirmed.status.route


@pytest.mark.parametrize(
    ("age", "rejected", "generation"),
    [
        pytest.param(REWRITTEN_AFTER, 1, 2, id="a router refused it long ago"),
        pytest.param(REWRITTEN_AFTER / 2, 1, 1, id="it was refused just now"),
        pytest.param(REWRITTEN_AFTER, 0, 1, id="nobody refused it"),
    ],
)
def test_a_refused_table_is_written_again(age: timedelta, rejected: int, generation: int) -> None:
    found = view()
    stuck = after(decide(found), found, reports=reports(1, 0, rejected=rejected), now=NOW + age)
    assert decide(stuck).table.generation == generation


@pytest.mark.parametrize(
    ("healthy", "reachable"),
    [
        pytest.param((), None, id="nobody was asked"),
        pytest.param((2, None), None, id="one could not say"),
        pytest.param((2, 0), False, id="one reaches no pod"),
        pytest.param((2, 1), True, id="each reaches one"),
    ],
)
def test_a_candidate_is_reachable(healthy: tuple[int | None, ...], reachable: bool | None) -> None:
    seen = tuple(RouterReport("router", 1, healthy={} if one is None else {B: one}) for one in healthy)
    assert routes_of(view(reports=seen), B).reachable is reachable
    assert routes_of(view(reports=seen)).reachable is None, "nobody waits for it"


def test_the_routes_are_those_of_the_ledger() -> None:
    routes = routes_of(after(decide(view(spec=HOLDOUT)), view(spec=HOLDOUT), reports=reports(1, 1)))
    assert routes.confirmed
    assert (routes.candidate and routes.candidate.positions, routes.holdout and routes.holdout.revision) == (100, A)
    assert routes.referenced == {A, B}
    assert routes.known == {A, B}
    assert routes.mirrored is None


def test_before_the_first_table_nothing_is_confirmed() -> None:
    assert not routes_of(view(reports=reports(0, 0))).confirmed


# Table -------------------------------------------------------------------------------------------------------


def test_a_revision_without_users_is_announced() -> None:
    table = decide(view(AT_A, exist=A + B + C)).table
    assert table.stable is not None
    assert (table.stable.revision, [one.revision for one in table.known]) == (A, [B, C])


def test_a_mirror_is_a_candidates_slice_that_stable_answers() -> None:
    (one,) = decide(view(replace(TEN_PERCENT, mirror=True))).table.slices
    assert (one.arm, one.mirror, one.positions) == ("candidate", True, 100)


def test_without_a_stable_revision_nobody_is_served() -> None:
    table = decide(view(Entitlement("ranker"), exist=B)).table
    assert (table.stable, table.slices) == (None, ())
    assert [one.revision for one in table.known] == [B]


@pytest.mark.parametrize(
    ("status", "spec", "salt"),
    [
        pytest.param({}, {}, "uid-1", id="the uid by default"),
        pytest.param({}, {"salt": "s"}, "s", id="the one that is given"),
        pytest.param({"salt": "first"}, {"salt": "s"}, "first", id="the first one, for ever"),
    ],
)
def test_the_salt(status: dict[str, str], spec: dict[str, str], salt: str) -> None:
    turn = decide(view(status=ModelEndpointStatus(**status), spec=spec))
    assert (turn.table.salt, turn.status.salt) == (salt, salt)


def test_a_table_that_would_be_too_long_forgets_those_that_nobody_is_sent_to() -> None:
    """A rollback must reach the routers, however many revisions retire."""
    many = "".join(f"retire{n:04}" for n in range(20))
    found = view(replace(AT_A, starting=C), exist=A + B + C + many)
    crowded = replace(found, backends={name: replace(one, grpc_port=8081) for name, one in found.backends.items()})
    table = decide(crowded).table
    assert table.stable is not None
    assert (table.stable.revision, [one.revision for one in table.known]) == (A, [C])


def test_the_share_of_each_arm() -> None:
    status = decide(view(spec=HOLDOUT)).status
    assert shares_of(status) == {"stable": 0.8, "candidate": 0.1, "holdout": 0.1}
    assert shares_of(decide(view(replace(TEN_PERCENT, mirror=True))).status) == {"stable": 1.0}
    assert shares_of(ModelEndpointStatus()) == {}
