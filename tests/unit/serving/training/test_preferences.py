"""What listeners like, and what they play of a ranking."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from crossfade_serving.engine import OnnxEngine
from crossfade_serving.errors import ModelFailure
from serving_image.training import population
from serving_image.training.population import Play
from serving_image.training.preferences import OWN_PLAYS, SEED, WISHES, Preferences
from serving_image.training.train import Trained

EXPLORER, OTHER = 1, 2
DRAWS = 4000


@pytest.fixture(scope="module")
def preferences() -> Preferences:
    return Preferences.draw(np.random.default_rng(SEED))


@pytest.mark.parametrize("user", [EXPLORER, OTHER])
def test_wishes_are_drawn_as_histories_are(preferences: Preferences, user: int) -> None:
    rng, play = np.random.default_rng(5), Play(user, 40)
    slow = Counter(preferences.next_tracks(rng, np.full(DRAWS, user), np.full(DRAWS, 40)).tolist())
    fast = Counter(track for _ in range(DRAWS // WISHES) for track in preferences.wishes(rng, play))
    assert fast.total() == DRAWS
    assert fast[40] == 0
    for track, drawn in slow.most_common(8):
        # the difference of two independent shares, within four standard errors
        assert abs(fast[track] - drawn) < 4 * (2 * drawn) ** 0.5
    new = sum(count for track, count in fast.items() if track >= population.ESTABLISHED_TRACKS)
    assert new == (pytest.approx(population.NEW_TRACK_SHARE * DRAWS, abs=80) if user == EXPLORER else 0)


def test_a_session_is_the_wishes_that_were_recommended_and_some_plays_of_ones_own(preferences: Preferences) -> None:
    play = Play(OTHER, 40)

    def session(ranked: range) -> list[int]:
        return [preferences.session(np.random.default_rng([1, n]), play, ranked) for n in range(500)]

    nothing, everything = session(range(0)), session(range(population.KNOWN_TRACKS))
    assert np.mean(nothing) == pytest.approx(OWN_PLAYS, abs=0.36)  # four standard errors
    assert [more - less for more, less in zip(everything, nothing, strict=True)] == [WISHES] * 500


def test_better_rankings_are_played_more(preferences: Preferences, trained: dict[str, Trained]) -> None:
    """v2 is worth some 13 % more plays than v1: enough for an experiment of minutes, too little to see by eye."""
    engines = {version: OnnxEngine(trained[version].path) for version in ("v1", "v2")}
    plays = {version: _plays_per_session(engine, preferences) for version, engine in engines.items()}
    assert 1.08 < plays["v2"] / plays["v1"] < 1.18


def _plays_per_session(engine: OnnxEngine, preferences: Preferences) -> float:
    rng, total = random.Random(3), 0
    for number in range(2500):
        play = population.draw_play(rng)
        feeds = {"user": np.array([play.user]), "track": np.array([play.track])}
        try:
            (tracks,) = engine.run(feeds, ["tracks"])
        except ModelFailure:
            continue
        total += preferences.session(np.random.default_rng([1, number]), play, tracks[0].tolist())
    return total / 2500
