from __future__ import annotations

from pathlib import Path

import pytest

from dev.load.connection import Answer, NoAnswer
from dev.load.models import Models, train_if_stale
from dev.load.tally import Latencies, Tally
from serving_image.training.population import ESTABLISHED_TRACKS, KNOWN_TRACKS, Play

V1, V3 = "sha256:" + "1" * 64, "sha256:" + "3" * 64
MODELS = Models({V1: "v1", V3: "v3"})


@pytest.mark.parametrize(
    ("outcome", "track", "own"),
    [
        pytest.param(Answer(500, V1), KNOWN_TRACKS, True, id="v1-does-not-know-todays-tracks"),
        pytest.param(Answer(500, V1), KNOWN_TRACKS - 1, False, id="v1-knows-new-tracks"),
        pytest.param(Answer(500, V3), ESTABLISHED_TRACKS, True, id="v3-does-not-know-new-tracks"),
        pytest.param(Answer(500, V3), 0, False, id="v3-knows-established-tracks"),
        pytest.param(Answer(503, V1), KNOWN_TRACKS, False, id="an-unready-server-is-no-model-failure"),
        pytest.param(Answer(500, None), KNOWN_TRACKS, False, id="a-500-that-no-model-gave"),
        pytest.param(Answer(404, V1), 0, False, id="not-found"),
        pytest.param(NoAnswer("reset"), KNOWN_TRACKS, False, id="no-answer-at-all"),
    ],
)
def test_only_what_the_answering_model_cannot_know_is_its_own_failure(
    outcome: Answer | NoAnswer, track: int, own: bool
) -> None:
    tally = Tally(MODELS)
    tally.add(Play(user=7, track=track), outcome, 0.01, 1.0)
    assert tally.own_failures.total() == (1 if own else 0)
    assert tally.failed.total() == (0 if own else 1)
    assert tally.failed_users == (set() if own else {7})


def test_a_summary_adds_up() -> None:
    tally = Tally(MODELS)
    for user in range(10):
        tally.add(Play(user, 1), Answer(200, V1), 0.010, 1.0)
    tally.add(Play(3, KNOWN_TRACKS), Answer(500, V1), 0.010, 1.0)
    tally.add(Play(4, 1), NoAnswer("reset"), 5.0, 2.0)
    summary = tally.summary(elapsed=6.0)
    assert (summary["requests"], summary["users"], summary["rate"]) == (12, 10, 2.0)
    assert summary["statuses"] == {"200": 10, "500": 1, "none": 1}
    assert summary["models"]["v1"]["requests"] == 11
    assert summary["models"]["v1"]["users"] == 10
    assert summary["own_failures"] == {"requests": 1, "users": 1}
    assert summary["failed"]["kinds"] == {"reset": 1}


def test_quantiles_are_right_to_five_percent() -> None:
    latencies = Latencies()
    for number in range(1, 1001):
        latencies.add(number / 1000)
    for share in (0.5, 0.9, 0.99):
        assert latencies.quantile(share) == pytest.approx(share, rel=0.05)
    assert Latencies().quantile(0.5) is None


@pytest.mark.slow
def test_models_are_named_by_their_files_and_trained_when_they_are_missing(tmp_path: Path) -> None:
    train_if_stale(tmp_path)
    models = Models.in_directory(tmp_path)
    assert sorted(models.names.values()) == ["v1", "v2", "v3"]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/model.onnx")}
    train_if_stale(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/model.onnx")} == before
    (tmp_path / "v2" / "model.onnx").unlink()
    train_if_stale(tmp_path)
    assert Models.in_directory(tmp_path) == models
