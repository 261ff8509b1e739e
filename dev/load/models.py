"""Which model an answer came from, and which requests that model fails by itself.

The versions differ in the tracks they know (`serving_image/training/population.py`). A request for a track that the
answering version does not know fails for a reason of the model's own; any other failure is a failure of delivery.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serving_image.training import population

ROOT = Path(__file__).parents[2]

FIRST_UNKNOWN_TRACK = {
    "v1": population.KNOWN_TRACKS,
    "v2": population.KNOWN_TRACKS,
    "v3": population.ESTABLISHED_TRACKS,
}
"""Tracks from this one on are unknown to the version."""


@dataclass(frozen=True)
class Models:
    """Names of model versions by digest."""

    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def in_directory(cls, directory: Path) -> Models:
        """The versions under `directory`, one `NAME/model.onnx` each; none when they were not generated yet."""
        return cls({f"sha256:{_digest(path)}": path.parent.name for path in sorted(directory.glob("*/model.onnx"))})

    def name(self, digest: str | None) -> str:
        """`v1`, a short digest for a model that is not ours, or `nobody` when no model server answered."""
        if digest is None:
            return "nobody"
        return self.names.get(digest) or digest.removeprefix("sha256:")[:12]

    def fails_by_itself(self, digest: str | None, status: int, track: int) -> bool:
        """Whether this failure is the model's own: it answered 500 for a track that it does not know."""
        unknown_from = FIRST_UNKNOWN_TRACK.get(self.name(digest), population.KNOWN_TRACKS)
        return digest is not None and status == 500 and track >= unknown_from


def train_if_stale(directory: Path) -> None:
    """Train the demo's models into `directory` unless they are there and newer than what trains them: some seconds.

    Training is deterministic, so these are the models of the image.
    """
    trained = [directory / name / "model.onnx" for name in FIRST_UNKNOWN_TRACK]
    newest = max(source.stat().st_mtime for source in Path(population.__file__).parent.glob("*.py"))
    if all(path.is_file() and path.stat().st_mtime >= newest for path in trained):
        return
    argv = [sys.executable, "-m", "serving_image.training.train", "--output", str(directory)]
    subprocess.run(argv, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
