"""The rankers: low-rank models of listening, fitted with numpy.

A ranker scores a track ``t`` for a user ``u`` who is playing track ``c`` by ::

    score(t | u, c) = users[u] · tracks[t] + leads_from[c] · leads_to[t] + bias[t]

Taste (the first product) is the truncated singular value decomposition of the matrix of log play counts (PureSVD:
Cremonesi, Koren, Turrin, "Performance of recommender algorithms on top-N recommendation tasks", RecSys 2010).
What follows what (the second product) is that of the positive pointwise mutual information of consecutive plays (Levy,
Goldberg, "Neural word embedding as implicit matrix factorization", NeurIPS 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from serving_image.training.listening import Histories
from serving_image.training.preferences import Floats, Ints

TOP = 10


@dataclass(frozen=True)
class Ranker:
    """Factors of a low-rank ranker; all rows of tracks are in the order of track ids."""

    users: Floats
    tracks: Floats
    leads_from: Floats
    leads_to: Floats
    bias: Floats

    def scores(self, users: Ints, current: Ints) -> Floats:
        """Return the scores of all tracks, an array of requests × tracks; the current track is ruled out."""
        scores: Floats = self.users[users] @ self.tracks.T + self.leads_from[current] @ self.leads_to.T + self.bias
        scores[np.arange(len(users)), current] = -np.inf
        return scores


@dataclass(frozen=True)
class Quality:
    """Offline quality on the held-out next plays; both between 0 and 1, higher is better."""

    recall_at_10: float
    ndcg_at_10: float


def quality(ranker: Ranker, plays: Ints) -> Quality:
    """Rank every held-out play's true next track; plays with tracks the ranker does not know count as misses."""
    answerable = (plays[:, 1] < len(ranker.bias)) & (plays[:, 2] < len(ranker.bias))
    users, current, truth = plays[answerable].T
    scores = ranker.scores(users, current)
    rank = np.sum(scores > scores[np.arange(len(truth)), truth][:, None], axis=1)
    hits = rank < TOP
    gains = np.where(hits, 1.0 / np.log2(rank + 2.0), 0.0)
    return Quality(float(hits.sum() / len(plays)), float(gains.sum() / len(plays)))


def fit_taste(histories: Histories, tracks: int, dimensions: int) -> Ranker:
    """Fit v1: taste and popularity; the current track counts only as one more play of the user."""
    users, items = _taste(histories, tracks, dimensions)
    return Ranker(users, items, 0.3 * items, items, _popularity(histories, tracks, weight=0.05))


def fit_taste_and_sequence(histories: Histories, tracks: int, dimensions: int) -> Ranker:
    """Fit v2: taste, popularity and what follows what, weighted by what ranks the tuning plays best."""
    users, items = _taste(histories, tracks, dimensions)
    leads_from, leads_to = _sequence(histories, tracks, dimensions)
    candidates = (
        Ranker(users, items, sequence * leads_from, leads_to, _popularity(histories, tracks, popularity))
        for sequence, popularity in product((0.3, 0.6, 1.0, 1.5), (0.1, 0.2, 0.4, 0.8))
    )
    return max(candidates, key=lambda ranker: quality(ranker, histories.tuning).ndcg_at_10)


def _taste(histories: Histories, tracks: int, dimensions: int) -> tuple[Floats, Floats]:
    """Return user and track factors; a user without a play has a row of zeros."""
    counts = np.log1p(histories.counts(tracks))
    _, vectors = np.linalg.eigh(counts.T @ counts)
    items: Floats = _fix_signs(vectors[:, ::-1][:, :dimensions])
    return counts @ items, items


def _sequence(histories: Histories, tracks: int, dimensions: int) -> tuple[Floats, Floats]:
    """Return factors of the positive pointwise mutual information of (current, next) track pairs."""
    known = (histories.tracks < tracks) & (histories.previous < tracks)
    pairs = np.zeros((tracks, tracks))
    np.add.at(pairs, (histories.previous[known], histories.tracks[known]), 1.0)
    expected = pairs.sum(1, keepdims=True) * pairs.sum(0, keepdims=True) / pairs.sum()
    information = np.log(np.maximum(pairs, 1e-12) / np.maximum(expected, 1e-12))
    left, strength, right = np.linalg.svd(np.maximum(information, 0.0))
    root = np.sqrt(strength[:dimensions])
    return left[:, :dimensions] * root, right[:dimensions].T * root


def _popularity(histories: Histories, tracks: int, weight: float) -> Floats:
    known = histories.tracks[histories.tracks < tracks]
    popularity: Floats = weight * np.log1p(np.bincount(known, minlength=tracks).astype(np.float64))
    return popularity


def _fix_signs(vectors: Floats) -> Floats:
    """Make each column's largest entry positive, because eigenvectors are defined only up to sign."""
    largest = vectors[np.argmax(np.abs(vectors), axis=0), np.arange(vectors.shape[1])]
    fixed: Floats = vectors * np.sign(largest)
    return fixed
