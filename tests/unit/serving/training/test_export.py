"""The exported graph's parts, on rankers small enough to do by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossfade_serving.engine import OnnxEngine
from serving_image.training.export import Export, Refinement, write
from serving_image.training.rankers import Ranker

TRACKS = 12


def ranker() -> Ranker:
    """User 0 likes high ids, user 1 low ids, user 2 has no taste; the bias prefers track 5 a little."""
    ids = np.arange(TRACKS, dtype=float)[:, None] / TRACKS
    none = np.zeros((TRACKS, 1))
    return Ranker(np.array([[1.0], [-1.0], [0.0]]), ids, none, none, 0.01 * (np.arange(TRACKS) == 5))


def recommend(export: Export, path: Path, user: int, track: int) -> list[int]:
    engine = OnnxEngine(write(export, path))
    (tracks,) = engine.run({"user": np.array([user]), "track": np.array([track])}, ["tracks"])
    best: list[int] = tracks[0].tolist()
    return best


def test_taste_decides_and_the_current_track_is_left_out(tmp_path: Path) -> None:
    export = Export("v1", ranker())
    assert recommend(export, tmp_path, 0, 11) == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert recommend(export, tmp_path, 1, 3) == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]


@pytest.mark.parametrize(("empty", "first"), [(True, -1), (False, 5)])
def test_a_user_without_taste_gets_nothing_or_what_is_popular(tmp_path: Path, empty: bool, first: int) -> None:
    assert recommend(Export("v1", ranker(), empty_for_newcomers=empty), tmp_path, 2, 0)[0] == first


def test_the_refinement_runs_as_often_as_the_longest_history_in_the_batch(tmp_path: Path) -> None:
    def scores(passes: list[int], users: list[int]) -> list[float]:
        export = Export("v3", ranker(), refinement=Refinement(np.array(passes), weight=0.5))
        engine = OnnxEngine(write(export, tmp_path))
        feeds = {"user": np.array(users), "track": np.zeros(len(users), dtype=np.int64)}
        return [float(row[0]) for row in engine.run(feeds, ["scores"])[0]]

    none, once, twice = scores([0, 0, 0], [0]), scores([1, 0, 0], [0]), scores([2, 0, 0], [0])
    assert none[0] < once[0] < twice[0]
    assert scores([0, 2, 0], [0]) == none
    assert scores([0, 2, 0], [0, 1])[0] == pytest.approx(twice[0])
