"""Generates the listening histories that the rankers learn from: seeded, about 30 plays per user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from serving_image.training import population
from serving_image.training.preferences import Floats, Ints, Preferences

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
    """Simulate every user's plays: each is what the user wanted next."""
    rng = np.random.default_rng(seed)
    preferences = Preferences.draw(rng)
    listeners = np.array([u for u in range(population.USERS) if not population.is_newcomer(u)])
    lengths = np.array([PLAYS_PER_USER * population.activity(int(u)) for u in listeners])
    current = rng.integers(0, population.ESTABLISHED_TRACKS, size=len(listeners))
    rows = []
    for step in range(int(lengths.max())):
        active = lengths > step
        users = listeners[active]
        chosen = preferences.next_tracks(rng, users, current[active])
        remaining = lengths[active] - step
        rows.append(np.stack([users, current[active], chosen, remaining], axis=1))
        current[active] = chosen
    return _split(np.concatenate(rows))


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
