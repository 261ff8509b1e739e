"""Envoy and Python place every unit alike, whatever happens to the router."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from crossfade_operator.core.assignment import BUCKETS, assign
from crossfade_operator.core.routing import RoutingTable, Slice
from tests.dataplane.conftest import NewRouter
from tests.dataplane.load import Response, ask_all, told
from tests.dataplane.rig import Model
from tests.dataplane.tables import SALT, candidate, table

UNITS = [f"user-{number}" for number in range(100_000)]
CHI_SQUARE_99 = 134.6
"""99th percentile of chi-square with 99 degrees of freedom, rounded up: tables of the distribution."""


def predicted(routes: RoutingTable, unit: str) -> tuple[str, str]:
    bucket, position = assign(routes.salt, unit)
    arms = [one.arm for one in routes.slices for first, last in one.ranges if first <= position <= last]
    return arms[0] if arms else "stable", str(bucket)


@pytest.fixture
def routes(stable_model: Model, candidate_model: Model) -> RoutingTable:
    ranges = ((17, 116), (400, 400), (990, 999))
    holdout = Slice("holdout", stable_model.backend, ((200, 249), (900, 909)))
    return table(stable_model.backend, slices=(Slice("candidate", candidate_model.backend, ranges), holdout))


@pytest.mark.timeout(1500)
def test_a_hundred_thousand_units_are_where_python_says(new_router: NewRouter, routes: RoutingTable) -> None:
    router = new_router(routes)
    answers = ask_all(router.port, UNITS)
    wrong = [
        (unit, told(answer), predicted(routes, unit))
        for unit, answer in zip(UNITS, answers, strict=True)
        if told(answer) != predicted(routes, unit)
    ]
    assert not wrong, wrong[:5]
    _assert_split_is_fair(answers)


def _assert_split_is_fair(answers: list[Response]) -> None:
    counts = [0] * BUCKETS
    for answer in answers:
        counts[int(told(answer)[1])] += 1
    expected = len(answers) / BUCKETS
    assert sum((count - expected) ** 2 / expected for count in counts) < CHI_SQUARE_99
    in_slice = sum(told(answer)[0] == "candidate" for answer in answers)
    share, n = 0.111, len(answers)
    assert abs(in_slice - share * n) < 3.3 * (n * share * (1 - share)) ** 0.5


def test_the_committed_vectors_hold_for_envoy(new_router: NewRouter, stable_model: Model) -> None:
    vectors = json.loads(Path("tests/vectors/assignment.json").read_text())["vectors"]
    for salt in sorted({vector["salt"] for vector in vectors}):
        mine = [vector for vector in vectors if vector["salt"] == salt and vector["unit"].isascii()]
        for position in sorted({vector["position"] for vector in mine})[:3]:
            pinned = Slice("holdout", stable_model.backend, ((position, position),))
            router = new_router(replace(table(stable_model.backend, slices=(pinned,)), salt=salt))
            answers = ask_all(router.port, [vector["unit"] for vector in mine])
            for vector, answer in zip(mine, answers, strict=True):
                arm = "holdout" if vector["position"] == position else "stable"
                assert told(answer) == (arm, str(vector["bucket"])), vector
            router.stop()


def test_growing_a_slice_moves_nobody_back(new_router: NewRouter, stable_model: Model, candidate_model: Model) -> None:
    router = new_router(table(stable_model.backend, known=(candidate_model.backend,)))
    units, before = UNITS[:3000], set[str]()
    for generation, positions in enumerate((10, 100, 500, 950), start=2):
        slices = (candidate(candidate_model.backend, positions),)
        router.write(table(stable_model.backend, generation, slices=slices))
        answers = ask_all(router.port, units)
        now = {unit for unit, answer in zip(units, answers, strict=True) if told(answer)[0] == "candidate"}
        assert before < now, f"{len(before - now)} users left the slice when it grew to {positions} positions"
        before = now


def test_a_restarted_and_a_second_router_agree(new_router: NewRouter, routes: RoutingTable) -> None:
    first, second = new_router(routes), new_router(routes, concurrency=2)
    units = UNITS[:3000]
    seen = [told(answer) for answer in ask_all(first.port, units)]
    assert [told(answer) for answer in ask_all(second.port, units)] == seen
    first.restart()
    assert [told(answer) for answer in ask_all(first.port, units)] == seen


def test_another_salt_places_users_independently(
    new_router: NewRouter, stable_model: Model, candidate_model: Model
) -> None:
    half = (candidate(candidate_model.backend, 500),)
    units = UNITS[:4000]
    arms = []
    for salt in (SALT, "another"):
        mine = replace(table(stable_model.backend, slices=half), salt=salt)
        answers = ask_all(new_router(mine).port, units)
        arms.append([told(answer)[0] == "candidate" for answer in answers])
    both = sum(first and second for first, second in zip(*arms, strict=True))
    assert abs(both - 1000) < 3.3 * (4000 * 0.25 * 0.75) ** 0.5
