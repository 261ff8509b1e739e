"""The generated histories."""

from __future__ import annotations

import numpy as np

from serving_image.training import population
from serving_image.training.listening import PLAYS_PER_USER, Histories


def test_newcomers_have_no_play_and_heavy_listeners_many(histories: Histories) -> None:
    plays = np.bincount(histories.users, minlength=population.USERS)
    held_out = 2
    for user in range(200):
        expected = 0 if population.is_newcomer(user) else PLAYS_PER_USER * population.activity(user) - held_out
        assert plays[user] == expected


def test_only_explorers_play_new_tracks(histories: Histories) -> None:
    new = histories.users[histories.tracks >= population.ESTABLISHED_TRACKS]
    assert len(new) > 1000
    assert np.all(new % 4 == 1)


def test_consecutive_plays_are_chained_and_never_repeat(histories: Histories) -> None:
    mine = histories.users == 0
    assert np.array_equal(histories.previous[mine][1:], histories.tracks[mine][:-1])
    assert np.all(histories.previous != histories.tracks)


def test_each_listener_has_one_play_held_out_for_each_purpose(histories: Histories) -> None:
    listeners = population.USERS - population.USERS // 50
    assert len(np.unique(histories.tuning[:, 0])) == len(histories.tuning) == listeners
    assert len(np.unique(histories.evaluation[:, 0])) == len(histories.evaluation) == listeners
