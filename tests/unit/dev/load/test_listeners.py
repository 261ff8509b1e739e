"""What is played depends on the answer and on nothing else that is not seeded."""

from __future__ import annotations

import json

from dev.load.connection import Answer
from dev.load.listeners import Listeners
from serving_image.training.population import KNOWN_TRACKS, Play


def _ranking(*tracks: int) -> bytes:
    return json.dumps({"outputs": [{"name": "scores", "data": [0.5]}, {"name": "tracks", "data": tracks}]}).encode()


def _plays(answer: Answer, *, seed: int = 1, track: int = 40) -> list[int]:
    return [Listeners(seed).plays(number, Play(2, track), answer) for number in range(8)]


def test_the_same_seed_plays_the_same_and_another_one_does_not() -> None:
    answer = Answer(200, None, _ranking(*range(0, 495, 3)))
    assert _plays(answer) == _plays(answer) != _plays(answer, seed=2)


def test_nothing_is_played_where_nothing_was_recommended() -> None:
    assert _plays(Answer(500, None, b'{"error": "the model failed"}')) == [0] * 8
    assert _plays(Answer(200, None, _ranking(1)), track=KNOWN_TRACKS) == [0] * 8


def test_places_without_a_track_are_no_recommendation() -> None:
    nothing = _plays(Answer(200, None, _ranking(*[-1] * 10)))
    everything = _plays(Answer(200, None, _ranking(*range(KNOWN_TRACKS))))
    assert [more - less for more, less in zip(everything, nothing, strict=True)] == [5] * 8
