"""Evidence as it is kept: canonical, chained, and the same after a round trip."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade_analyzer.rules import RULE
from crossfade_analyzer.snapshots import Kind, Snapshot, canonical, differences, digest_of, link, opening
from tests.fakes.requests import request

ROW = st.tuples(*[st.integers(0, 2**40)] * 3)
CELLS = st.tuples(ROW, ROW)
SNAPSHOT = Snapshot(
    look=1,
    step=0,
    share=Decimal("0.10"),
    start=5,
    end=9,
    floor=5,
    requests=((1, 2), (3, 4)),
    counts={"error-rate": (((0, 1), (1, 0)), None)},
    ends={"router": 9},
)


@settings(deadline=None, max_examples=50)
@given(CELLS, CELLS, st.none() | CELLS)
def test_a_snapshot_survives_its_json(requests: object, events: object, totals: object) -> None:
    snapshot = replace(SNAPSHOT, requests=requests, counts={"m": (events, totals)})  # type: ignore[arg-type]
    again = Snapshot.of(json.loads(canonical(snapshot.body())))
    assert again == replace(snapshot, share=Decimal("0.1"))
    assert canonical(again.body()) == canonical(snapshot.body())


def test_the_digest_is_the_same_on_any_machine() -> None:
    body = canonical(SNAPSHOT.body())
    assert body == (
        '{"counts":{"error-rate":{"n":"requests","x":[[0,1],[1,0]]}},"end":9,"ends":{"router":9},"floor":5,"format":1,'
        '"look":1,"requests":[[1,2],[3,4]],"share":"0.1","start":5,"step":0}'
    )
    expected = "sha256:fc4de71b25bd31a8e67b9c633482d134e2f7b71c3a20fd672c7fb536e27ca312"
    assert digest_of("s", 1, "look", body, None) == expected


def test_only_a_look_at_a_shift_says_so() -> None:
    """What was digested before there was such a mark keeps its digest."""
    shifting = replace(SNAPSHOT, shifting=True, share=Decimal("0.1"))
    assert shifting.body() == {**SNAPSHOT.body(), "shifting": True}
    assert Snapshot.of(json.loads(canonical(shifting.body()))) == shifting


def test_every_digest_covers_the_ones_before() -> None:
    opened = link("s", Kind.OPENED, {"a": 1}, None)
    other = link("s", Kind.OPENED, {"a": 2}, None)
    assert link("s", Kind.LOOK, SNAPSHOT.body(), opened).digest != link("s", Kind.LOOK, SNAPSHOT.body(), other).digest


def test_numbers_written_otherwise_are_the_same_plan_and_other_numbers_are_not() -> None:
    plan = opening(request(0, alpha="0.01"), RULE)
    assert plan == opening(request(0, alpha="0.0100", interval_seconds=30), RULE)
    assert differences(plan, opening(request(0, alpha="0.02"), RULE)) == ['plan.alpha: stored "0.01", given "0.02"']


def test_the_step_is_no_part_of_the_plan() -> None:
    assert opening(request(0, step=0), RULE) == opening(request(0, step=3, share="0.5"), RULE)
