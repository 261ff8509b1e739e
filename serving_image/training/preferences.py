"""What the listeners really like: what their histories come from, and what they do with a ranking.

Taste, the track just played and popularity decide what a listener wants to hear next. The rankers never see any of it,
only the plays that came of it; a load generator that draws from it gives a better ranker more plays.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving_image.training import population

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SEED = 20261
"""Of the listeners that the demo's models are trained for."""
TASTE_DIMENSIONS = 6
WISHES = 5
"""Tracks that a listener would like to hear next, in one session."""
OWN_PLAYS = 4.0
"""Tracks per session that listeners find without any recommendation, on average."""


@dataclass(frozen=True)
class Preferences:
    """Taste of the users (users × dimensions), style (tracks × dimensions) and popularity (log) of the known tracks."""

    taste: Floats
    style: Floats
    popularity: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Preferences:
        """Draw everybody's taste: the first that a generator of histories is asked for, so its seed names them."""
        taste = rng.normal(size=(population.USERS, TASTE_DIMENSIONS))
        style = rng.normal(size=(population.KNOWN_TRACKS, TASTE_DIMENSIONS))
        return cls(taste, style, -0.8 * np.log1p(rng.permutation(population.KNOWN_TRACKS)))

    def next_tracks(self, rng: np.random.Generator, users: Ints, current: Ints) -> Ints:
        """Draw what each user wants next from the softmax of appeal; explorers want something new now and then."""
        appeal = self._appeal(users, current)
        wants_new = (users % 4 == 1) & (rng.random(len(users)) < population.NEW_TRACK_SHARE)
        is_new = np.arange(population.KNOWN_TRACKS) >= population.ESTABLISHED_TRACKS
        appeal[wants_new[:, None] != is_new[None, :]] = -np.inf
        appeal[np.arange(len(users)), current] = -np.inf
        chosen: Ints = np.argmax(appeal + rng.gumbel(size=appeal.shape), axis=1)
        return chosen

    def wishes(self, rng: np.random.Generator, play: population.Play) -> list[int]:
        """Draw `WISHES` tracks for one listener, each as `next_tracks` would, in a fraction of its time."""
        appeal = self._appeal(np.array([play.user]), np.array([play.track]))[0]
        odds = np.exp(appeal - appeal.max())
        odds[play.track] = 0.0
        share_new = population.NEW_TRACK_SHARE if population.is_explorer(play.user) else 0.0
        established, new = odds[: population.ESTABLISHED_TRACKS], odds[population.ESTABLISHED_TRACKS :]
        established *= (1.0 - share_new) / established.sum()
        new *= share_new / new.sum()
        below = odds.cumsum()
        wished: list[int] = below.searchsorted(rng.random(WISHES) * below[-1], side="right").tolist()
        return wished

    def session(self, rng: np.random.Generator, play: population.Play, ranked: Collection[int]) -> int:
        """How many tracks a listener plays who was recommended `ranked`: those that were wished for, and some others.

        What is wished for depends on the generator, the listener and the current track alone, not on who ranked.
        """
        return sum(track in ranked for track in self.wishes(rng, play)) + int(rng.poisson(OWN_PLAYS))

    def _appeal(self, users: Ints, current: Ints) -> Floats:
        """How much each user, after the current track, would like every track: an array of users × tracks, log odds."""
        appeal: Floats = (0.5 * self.taste[users] + 0.9 * self.style[current]) @ self.style.T + self.popularity
        return appeal
