"""Listeners and catalogue: the documented shares."""

from __future__ import annotations

import random

import pytest

from serving_image.training import population

DRAWS = 40_000


@pytest.fixture(scope="module")
def plays() -> list[population.Play]:
    rng = random.Random(7)
    return [population.draw_play(rng) for _ in range(DRAWS)]


@pytest.mark.parametrize(
    ("kind", "share"),
    [(population.is_heavy, 0.05), (population.is_explorer, 0.25), (population.is_newcomer, 0.02)],
)
def test_kinds_of_users_have_the_documented_share(kind: object, share: float) -> None:
    assert callable(kind)
    assert sum(map(kind, range(population.USERS))) == share * population.USERS


def test_no_heavy_listener_is_an_explorer() -> None:
    """Otherwise the errors and the latency of v3 would hit the same users."""
    assert not any(population.is_heavy(u) and population.is_explorer(u) for u in range(population.USERS))


def test_users_are_drawn_by_activity(plays: list[population.Play]) -> None:
    heavy = sum(population.is_heavy(play.user) for play in plays) / DRAWS
    assert heavy == pytest.approx(8 * 0.05 / (0.95 + 8 * 0.05), abs=0.01)  # 29.6 %; four standard errors


def test_tracks_stay_in_the_catalogue_and_new_ones_with_the_explorers(plays: list[population.Play]) -> None:
    assert all(0 <= play.track < population.TRACKS and 0 <= play.user < population.USERS for play in plays)
    new = [p for p in plays if population.ESTABLISHED_TRACKS <= p.track < population.KNOWN_TRACKS]
    assert new
    assert all(population.is_explorer(play.user) for play in new)


@pytest.mark.parametrize(
    ("known_tracks", "share"),
    [
        pytest.param(population.KNOWN_TRACKS, 0.010, id="v1 and v2 miss one play in a hundred"),
        pytest.param(population.ESTABLISHED_TRACKS, 0.030, id="v3 misses three"),
    ],
)
def test_the_share_of_plays_a_version_does_not_know(
    plays: list[population.Play], known_tracks: int, share: float
) -> None:
    assert sum(play.track >= known_tracks for play in plays) / DRAWS == pytest.approx(share, abs=0.0035)


def test_a_request_body_has_the_two_inputs() -> None:
    body = population.infer_body(population.Play(17, 3))
    assert body == {
        "inputs": [
            {"name": "user", "shape": [1], "datatype": "INT64", "data": [17]},
            {"name": "track", "shape": [1], "datatype": "INT64", "data": [3]},
        ]
    }
