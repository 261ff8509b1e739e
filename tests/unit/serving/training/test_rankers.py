"""The rankers' scores and their offline quality."""

from __future__ import annotations

import math

import numpy as np
import pytest

from serving_image.training import population
from serving_image.training.listening import Histories
from serving_image.training.rankers import Quality, Ranker, fit_taste, quality


def by_bias(*bias: float) -> Ranker:
    """A ranker that prefers tracks by their bias, whoever listens."""
    none = np.zeros((len(bias), 1))
    return Ranker(np.zeros((3, 1)), none, none, none, np.array(bias))


def test_the_current_track_is_ruled_out() -> None:
    scores = by_bias(3.0, 2.0, 1.0).scores(np.array([0]), np.array([0]))
    assert scores.tolist() == [[-math.inf, 2.0, 1.0]]


@pytest.mark.parametrize(
    ("play", "expected"),
    [
        pytest.param([0, 1, 0], Quality(1.0, 1.0), id="the first place"),
        pytest.param([0, 0, 2], Quality(1.0, 1 / math.log2(3)), id="the second place, behind one track"),
        pytest.param([0, 0, 11], Quality(0.0, 0.0), id="the eleventh place is a miss"),
        pytest.param([0, 0, 12], Quality(0.0, 0.0), id="an unknown track is a miss"),
    ],
)
def test_quality_of_one_play(play: list[int], expected: Quality) -> None:
    ranker = by_bias(*(float(12 - track) for track in range(12)))
    measured = quality(ranker, np.array([play]))
    assert measured.recall_at_10 == expected.recall_at_10
    assert measured.ndcg_at_10 == pytest.approx(expected.ndcg_at_10)


def test_a_fitted_ranker_beats_popularity(histories: Histories) -> None:
    fitted = fit_taste(histories, population.KNOWN_TRACKS, 8)
    none = np.zeros_like(fitted.tracks)
    popular = Ranker(np.zeros_like(fitted.users), none, none, none, fitted.bias)
    plays = histories.evaluation
    assert quality(fitted, plays).recall_at_10 > quality(popular, plays).recall_at_10 + 0.1


def test_newcomers_have_no_taste(histories: Histories) -> None:
    fitted = fit_taste(histories, population.KNOWN_TRACKS, 8)
    assert not fitted.users[49].any()
    assert fitted.users[48].any()
