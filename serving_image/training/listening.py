"""Generates the listening histories that the rankers learn from: seeded, about 30 plays per user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving_image.training import population

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TASTE_DIMENSIONS = 6
PLAYS_PER_USER = 22
"""Plays of a user of activity 1. The last of them is kept for the evaluation, the one before for tuning."""


@dataclass(frozen=True)
class Histories:
    """Plays of all users before the training cut-off, and what they played next.

    ``users[i]`` played ``tracks[i]`` and before it ``previous[i]`` (the same user's), in order of time.
    ``tuning`` and ``evaluation`` hold rows of (user, current track, next track) that are in no history.
    """

    users: Ints
    previous: Ints
    tracks: Ints
    tuning: Ints
    evaluation: Ints

    def counts(self, tracks: int) -> Floats:
        """Return how often each user played each track, as an array of users × ``tracks``."""
        counts = np.zeros((population.USERS, tracks))
        known = self.tracks < tracks
        np.add.at(counts, (self.users[known], self.tracks[known]), 1.0)
        return counts


def generate(seed: int) -> Histories:
    """Simulate every user's plays: taste, the track just played and popularity decide what is played next."""
    rng = np.random.default_rng(seed)
    taste = rng.normal(size=(population.USERS, TASTE_DIMENSIONS))
    style = rng.normal(size=(population.KNOWN_TRACKS, TASTE_DIMENSIONS))
    popularity = -0.8 * np.log1p(rng.permutation(population.KNOWN_TRACKS))
    listeners = np.array([u for u in range(population.USERS) if not population.is_newcomer(u)])
    lengths = np.array([PLAYS_PER_USER * population.activity(int(u)) for u in listeners])
    current = rng.integers(0, population.ESTABLISHED_TRACKS, size=len(listeners))
    rows = []
    for step in range(int(lengths.max())):
        active = lengths > step
        users = listeners[active]
        chosen = _next_tracks(rng, taste[users], style, current[active], popularity, users)
        remaining = lengths[active] - step
        rows.append(np.stack([users, current[active], chosen, remaining], axis=1))
        current[active] = chosen
    return _split(np.concatenate(rows))


def _next_tracks(
    rng: np.random.Generator, taste: Floats, style: Floats, current: Ints, popularity: Floats, users: Ints
) -> Ints:
    """Draw one next track per user from the softmax of taste, similarity to the current track and popularity."""
    appeal = (0.5 * taste + 0.9 * style[current]) @ style.T + popularity
    wants_new = (users % 4 == 1) & (rng.random(len(users)) < population.NEW_TRACK_SHARE)
    is_new = np.arange(population.KNOWN_TRACKS) >= population.ESTABLISHED_TRACKS
    appeal[wants_new[:, None] != is_new[None, :]] = -np.inf
    appeal[np.arange(len(users)), current] = -np.inf
    chosen: Ints = np.argmax(appeal + rng.gumbel(size=appeal.shape), axis=1)
    return chosen


def _split(rows: Ints) -> Histories:
    """Keep each user's last play for the evaluation, the one before for tuning, the rest for training."""
    triples, remaining = rows[:, :3], rows[:, 3]
    history = triples[remaining > 2]
    return Histories(
        users=history[:, 0],
        previous=history[:, 1],
        tracks=history[:, 2],
        tuning=triples[remaining == 2],
        evaluation=triples[remaining == 1],
    )
