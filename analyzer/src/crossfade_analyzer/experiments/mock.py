"""Made-up traffic for a dry run: counts drawn from a seeded generator, in place of Prometheus."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from crossfade_analyzer.calibration import Calibration
from crossfade_analyzer.contract import ExperimentMetric, Mock, MockMetric
from crossfade_analyzer.experiments.fold import Fold, group_of
from crossfade_analyzer.experiments.records import ROUTER, Before, Counted
from crossfade_analyzer.experiments.study import ROUTER_KINDS, Study, scale_of
from crossfade_analyzer.faults import Finding
from crossfade_analyzer.sources.readings import BUCKETS, Cells

# A bucket's share of the traffic, and its users' own level, stay with it: that is what makes requests of a user alike.
_USERS_PER_BUCKET = 100
_UNEVEN = 0.3

Numbers = NDArray[np.float64]


class MockReader:
    """Counts as the design's mock says. The same subject gives the same counts, however often it is asked."""

    def __init__(self, study: Study, subject: str, now_ms: int) -> None:
        assert study.design.mock is not None  # noqa: S101
        self._study, self._subject, self._now = study, subject, now_ms
        self._mock: Mock = study.design.mock
        self.findings: dict[str, Finding] = {}

    def newest(self, fold: Fold) -> int:
        return self._now

    def counted_at(self, at_ms: int) -> bool:
        return True

    def window(self, fold: Fold, end: int) -> Counted:
        start = fold.until
        requests, counts = self.drawn(str(len(fold.windows) + 1), end - start, before=False)
        groups = {ROUTER, *(group_of(metric) for metric in self._study.design.metrics)}
        return Counted(
            number=len(fold.windows) + 1,
            start=start,
            end=end,
            begins=dict.fromkeys(sorted(groups), start),
            ends=dict.fromkeys(sorted(groups), end),
            requests=requests,
            fallbacks=(0,) * len(self._study.arms),
            counts=counts,
            first=() if fold.windows else (start,) * len(self._study.arms),
        )

    def calibration(self, fold: Fold) -> Calibration | None:
        return None

    def baseline(self, fold: Fold, metric: ExperimentMetric) -> tuple[Cells, Cells] | None:
        return None

    def before(self, fold: Fold) -> Before | None:
        length = round(self._study.design.pre_period_seconds * 1000)
        requests, counts = self.drawn("before", length, before=True)
        return Before(fold.since - length, fold.since, requests, counts)

    def drawn(self, part: str, length_ms: int, *, before: bool) -> tuple[Cells, dict[str, tuple[Cells, Cells | None]]]:
        activity = np.exp(_UNEVEN * self._rng("activity").standard_normal((len(self._study.arms), BUCKETS)))
        shares = np.array([float(self._study.share(number)) for number in range(len(self._study.arms))])
        expected = float(self._mock.requests_per_minute) * length_ms / 60_000 * shares[:, None] * activity / BUCKETS
        requests = self._rng(part, "requests").poisson(expected)
        counts: dict[str, tuple[Cells, Cells | None]] = {}
        for metric in self._study.design.metrics:
            values = self._events(part, metric, requests, before=before)
            counts[metric.name] = values, None if metric.kind in ROUTER_KINDS else _cells(requests)
        return _cells(requests), counts

    def _events(self, part: str, metric: ExperimentMetric, requests: NDArray[np.int64], *, before: bool) -> Cells:
        made = self._mock.metrics[metric.name]
        levels = self._levels(metric, made, before=before)
        rng = self._rng(part, metric.name)
        if scale_of(metric) == 1:
            return _cells(rng.binomial(requests, np.clip(levels, 0.0, 1.0)))
        noise = rng.standard_normal(requests.shape) * np.sqrt(requests) * levels * float(made.spread)
        return _cells(np.maximum(np.rint((levels * requests + noise) * scale_of(metric)), 0).astype(np.int64))

    def _levels(self, metric: ExperimentMetric, made: MockMetric, *, before: bool) -> Numbers:
        """The true value per arm and bucket; before the start every arm has control's."""
        names = [arm.name for arm in self._study.arms]
        values = np.array([float(made.values[names[0] if before else name]) for name in names])
        own = self._rng("level", metric.name).standard_normal((len(names), BUCKETS))
        levels: Numbers = values[:, None] * (1 + float(made.spread) / _USERS_PER_BUCKET**0.5 * own)
        return levels

    def _rng(self, *of: str) -> np.random.Generator:
        text = "\0".join((self._subject, *of))
        return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))


def sample_of_control(study: Study, part: str, length_ms: int) -> dict[str, tuple[Cells, Cells]]:
    """Made-up counts of control alone, per metric, over some time."""
    requests, counts = MockReader(study, "plan", 0).drawn(part, length_ms, before=True)
    return {name: ((x[0],), ((n or requests)[0],)) for name, (x, n) in counts.items()}


def _cells(found: NDArray[np.int64]) -> Cells:
    return tuple(tuple(map(int, row)) for row in found)
