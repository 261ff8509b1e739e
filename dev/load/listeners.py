"""What listeners do with what was recommended: they play what they like of it, and report how much they played."""

from __future__ import annotations

import json

import numpy as np

from dev.load.connection import Answer
from serving_image.training.population import KNOWN_TRACKS, Play
from serving_image.training.preferences import SEED, Preferences


class Listeners:
    """The population that the demo's models were trained for, whose wishes depend on `seed` and the request's number.

    The same requests meet the same wishes whichever model answers, so a load is as good a comparison as it can be.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._preferences = Preferences.draw(np.random.default_rng(SEED))

    def plays(self, number: int, play: Play, answer: Answer) -> int:
        """Tracks played in the session that request `number` began; none when the answer was an error."""
        if answer.status != 200 or play.track >= KNOWN_TRACKS:
            return 0
        return self._preferences.session(np.random.default_rng([self._seed, number]), play, ranked(answer.body))


def ranked(body: bytes) -> frozenset[int]:
    """The tracks of a v2 inference response with one row; -1, which stands for none, is one of them.

    Raises:
        ValueError: it is not such a response.
    """
    try:
        outputs = {output["name"]: output["data"] for output in json.loads(body)["outputs"]}
        return frozenset(map(int, outputs["tracks"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not an answer of the ranking model: {body[:200]!r}") from error
