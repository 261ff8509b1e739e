"""The listeners and the catalogue that the demo models are trained for and that a load generator plays.

Everything here is a plain function of an id, so that the training script, the tests and a load generator agree
without sharing a data file. The module needs nothing but the standard library.

=====================  ===========================================================================
users                  ids 0 … 4999
heavy listeners        every 20th user (``user % 20 == 0``, 5 %): 8 times as many plays as others
explorers              every 4th user (``user % 4 == 1``, 25 %): 11 % of their plays are new tracks
newcomers              every 50th user (``user % 50 == 49``, 2 %): no play before the training cut-off
tracks                 ids 0 … 499, in the order of their release
established tracks     0 … 484: known to every version of the model
new tracks             485 … 494: known to v1 and v2; missing from the stale catalogue of v3
today's tracks         495 … 499: released after all training cut-offs; 1 % of everybody's plays
=====================  ===========================================================================

A request for a track that a version does not know fails. With users drawn by activity
(:func:`draw_play`) that is 1.0 % of the requests to v1 and v2, and 3.0 % of those to v3: the extra failures
all belong to explorers (1 % → 11.9 %), the other users notice nothing. The slow requests of v3
all belong to heavy listeners, who send 30 % of the requests.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

USERS = 5_000
TRACKS = 500
ESTABLISHED_TRACKS = 485
KNOWN_TRACKS = 495

HEAVY_ACTIVITY = 8
NEW_TRACK_SHARE = 0.11
TODAYS_TRACK_SHARE = 0.01


@dataclass(frozen=True)
class Play:
    """One request to the ranker: who is listening, and to which track."""

    user: int
    track: int


def is_heavy(user: int) -> bool:
    """Whether the user listens far more than others."""
    return user % 20 == 0


def is_explorer(user: int) -> bool:
    """Whether the user plays new tracks."""
    return user % 4 == 1


def is_newcomer(user: int) -> bool:
    """Whether the user had no play before the training cut-off."""
    return user % 50 == 49


def activity(user: int) -> int:
    """Relative number of plays of a user: 8 for heavy listeners, otherwise 1."""
    return HEAVY_ACTIVITY if is_heavy(user) else 1


def draw_user(rng: random.Random) -> int:
    """Draw a user in proportion to activity."""
    while True:
        user = rng.randrange(USERS)
        if rng.random() * HEAVY_ACTIVITY < activity(user):
            return user


def draw_track(rng: random.Random, user: int) -> int:
    """Draw the track a user is playing now."""
    if rng.random() < TODAYS_TRACK_SHARE:
        return rng.randrange(KNOWN_TRACKS, TRACKS)
    if is_explorer(user) and rng.random() < NEW_TRACK_SHARE:
        return rng.randrange(ESTABLISHED_TRACKS, KNOWN_TRACKS)
    return int(ESTABLISHED_TRACKS * rng.random() ** 2)


def draw_play(rng: random.Random) -> Play:
    """Draw one request: a user in proportion to activity, and that user's track."""
    user = draw_user(rng)
    return Play(user, draw_track(rng, user))


def infer_body(play: Play) -> dict[str, object]:
    """Return the Open Inference Protocol v2 request body for one play."""
    return {
        "inputs": [
            {"name": "user", "shape": [1], "datatype": "INT64", "data": [play.user]},
            {"name": "track", "shape": [1], "datatype": "INT64", "data": [play.track]},
        ]
    }
