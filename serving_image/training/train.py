"""Trains and writes the three versions of the demo's ranking model.

Run from the repository's root, before the image is built::

    python -m serving_image.training.train

It writes ``serving_image/models/{v1,v2,v3}/model.onnx`` in some seconds and prints each version's offline quality, its
size and its digest. The same seed gives the same plays; ``--seed`` and ``--output`` change where and what.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serving_image.training import population
from serving_image.training.export import Export, Refinement, write
from serving_image.training.listening import PLAYS_PER_USER, Histories, generate
from serving_image.training.preferences import SEED
from serving_image.training.rankers import Quality, fit_taste, fit_taste_and_sequence, quality

OUTPUT = Path(__file__).resolve().parents[1] / "models"


@dataclass(frozen=True)
class Trained:
    """One written version: where it is, how good it is on held-out plays, and its sha256 digest."""

    version: str
    path: Path
    quality: Quality
    digest: str


def main(arguments: list[str] | None = None) -> None:
    """Train all versions and print a table of them."""
    parser = argparse.ArgumentParser(description="Train the demo's ranking models and write them as ONNX.")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="directory to write to (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the generated plays (default: %(default)s)")
    options = parser.parse_args(arguments)
    print("version  recall@10  NDCG@10  size     digest")
    for trained in train(options.output, options.seed):
        size = trained.path.stat().st_size / 1000
        print(
            f"{trained.version:7}  {trained.quality.recall_at_10:9.4f}  {trained.quality.ndcg_at_10:7.4f}"
            f"  {size:4.0f} kB  {trained.digest}"
        )


def train(output: Path, seed: int = SEED) -> list[Trained]:
    """Generate the plays, fit the versions and write them under ``output``."""
    return write_all(generate(seed), output)


def write_all(histories: Histories, output: Path) -> list[Trained]:
    """Fit the versions to these plays and write them under ``output``."""
    exports = [first(histories), better(histories), regressed(histories)]
    return [_trained(export, output, histories) for export in exports]


def first(histories: Histories) -> Export:
    """v1: taste and popularity. It has nothing to recommend to a user without a play."""
    return Export("v1", fit_taste(histories, population.KNOWN_TRACKS, 8), empty_for_newcomers=True)


def better(histories: Histories) -> Export:
    """v2: also learns what follows what, and falls back to popularity for newcomers."""
    return Export("v2", fit_taste_and_sequence(histories, population.KNOWN_TRACKS, 12))


def regressed(histories: Histories) -> Export:
    """v3: v2 on a stale catalogue (new tracks fail), with a refinement that is slow for long histories."""
    plays = np.bincount(histories.users, minlength=population.USERS)
    passes = np.clip(2 * (plays - PLAYS_PER_USER), 0, 255)
    ranker = fit_taste_and_sequence(histories, population.ESTABLISHED_TRACKS, 12)
    return Export("v3", ranker, refinement=Refinement(passes))


def _trained(export: Export, output: Path, histories: Histories) -> Trained:
    path = write(export, output)
    digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    return Trained(export.version, path, quality(export.ranker, histories.evaluation), digest)


if __name__ == "__main__":
    main()
