"""Whole experiments replayed with incidents: seeded users, windows and faults, through the real evaluator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from crossfade_analyzer.calibration import Calibration
from crossfade_analyzer.contract import ExperimentEvaluation, ExperimentMetric, Method
from crossfade_analyzer.experiments.evaluator import ExperimentEvaluator
from crossfade_analyzer.experiments.fold import Fold
from crossfade_analyzer.experiments.reader import Reader
from crossfade_analyzer.experiments.records import ROUTER, Before, Counted
from crossfade_analyzer.faults import Finding
from crossfade_analyzer.sources.raw import RawSource
from crossfade_analyzer.sources.readings import Cells
from crossfade_analyzer.store.evidence import Evidence
from tests.fakes.evidence import MemoryEvidence
from tests.fakes.experiments import ERRORS, PLAYS, design, excluded, experiment

SINCE = 1_700_000_000_000
STEP = 600_000  # ten minutes
STEPS = 72
SHORTEST = 36
USERS = 40  # per arm and analysis bucket


@dataclass(frozen=True)
class Incidents:
    """What goes wrong, in steps of ten minutes. `outage`: nothing is scraped; `gap`: a metric of one's own is not;
    `spike`: everybody fails more and plays less, and it is excluded afterwards; `rollback`: from then on all arms are
    slower and busier."""

    outage: range = range(0)
    gap: range = range(0)
    spike: range = range(0)
    rollback: int = STEPS


def drawn(seed: int) -> Incidents:
    """Incidents at random times: 30 minutes of outage, an hour of a missing metric, an hour of failures."""
    rng = np.random.default_rng([seed, 99])
    first, second, third = (int(at) for at in rng.integers(2, 30, 3))
    return Incidents(
        range(first, first + 3), range(second, second + 6), range(third, third + 6), int(rng.integers(5, 30))
    )


class World:
    """Equal arms: users who differ for good, and requests of a user that are alike."""

    def __init__(self, seed: int, incidents: Incidents) -> None:
        rng = np.random.default_rng(seed)
        shape = (2, 100)
        active = rng.lognormal(0, 0.8, (USERS, *shape)).sum(axis=0)
        fails = rng.gamma(0.5, 2.0, (USERS, *shape)).mean(axis=0) * 0.01
        likes = 2.0 + rng.normal(0, 1.0, (USERS, *shape)).mean(axis=0)
        time = 1 + 0.5 * np.sin(np.arange(STEPS) / 24 * np.pi)
        self.requests = np.empty((STEPS, *shape), dtype=np.int64)
        self.errors, self.plays = self.requests.copy(), self.requests.copy()
        for step in range(STEPS):
            bad, later = step in incidents.spike, step >= incidents.rollback
            load = active * time[step] * (1.5 if later else 1.0) / 4
            self.requests[step] = rng.poisson(load)
            rate = np.clip(fails * (8 if bad else 1), 0, 1)
            self.errors[step] = rng.binomial(self.requests[step], rate)
            mean = likes * (0.6 if bad else 0.95 if later else 1.0)
            noise = rng.normal(0, 1, shape) * np.sqrt(self.requests[step])
            self.plays[step] = np.maximum(np.rint((mean * self.requests[step] + noise) * 1e6), 0).astype(np.int64)


class ReplayReader:
    """The world's windows as they can be read, with its outage and its gap."""

    def __init__(self, world: World, incidents: Incidents, now_ms: int) -> None:
        self._world, self._incidents, self._now = world, incidents, now_ms
        self.findings: dict[str, Finding] = {}

    def newest(self, fold: Fold) -> int:
        return self._now

    def counted_at(self, at_ms: int) -> bool:
        return (at_ms - SINCE) // STEP - 1 not in self._incidents.outage

    def window(self, fold: Fold, end: int) -> Counted:
        start, last = fold.until, (end - SINCE) // STEP
        own_start = fold.ends.get(PLAYS.name, SINCE)
        begins, ends = {ROUTER: start}, {ROUTER: end}
        requests = self._sum(self._world.requests, start, last)
        counts: dict[str, tuple[Cells, Cells | None]] = {
            ERRORS.name: (self._sum(self._world.errors, start, last), None)
        }
        if last - 1 not in self._incidents.gap:
            plays = self._sum(self._world.plays, own_start, last)
            counts[PLAYS.name] = (plays, self._sum(self._world.requests, own_start, last))
            begins[PLAYS.name], ends[PLAYS.name] = own_start, end
        return Counted(len(fold.windows) + 1, start, end, begins, ends, requests, (0, 0), counts)

    @staticmethod
    def _sum(of: np.ndarray[tuple[int, ...], np.dtype[np.int64]], start_ms: int, last: int) -> Cells:
        rows = of[(start_ms - SINCE) // STEP : last].sum(axis=0)
        return tuple(tuple(map(int, row)) for row in rows)

    def calibration(self, fold: Fold) -> Calibration | None:
        return None

    def baseline(self, fold: Fold, metric: ExperimentMetric) -> tuple[Cells, Cells] | None:
        return None

    def before(self, fold: Fold) -> Before | None:
        return None


class ReplayEvaluator(ExperimentEvaluator):
    """The real evaluator, over a replayed world."""

    def __init__(self, world: World, incidents: Incidents) -> None:
        self.now_ms, self.evidence = SINCE, MemoryEvidence()
        super().__init__(cast(RawSource, None), cast(Evidence, self.evidence), lambda: self.now_ms)
        self._world, self._incidents = world, incidents

    def _reader(self, request: object, study: object) -> Reader:
        return ReplayReader(self._world, self._incidents, self.now_ms)


def replay(seed: int, method: Method, incidents: Incidents) -> tuple[ExperimentEvaluation, MemoryEvidence]:
    """One A/A experiment under its incidents, asked about every three hours, to its end."""
    evaluator = ReplayEvaluator(World(seed, incidents), incidents)
    asked = design(
        method=method,
        looks=4,
        interval_seconds=STEP / 1000,
        min_runtime_seconds=SHORTEST * STEP / 1000,
        max_runtime_seconds=STEPS * STEP / 1000,
        metrics=(PLAYS, ERRORS),
    )
    exclusions = ()
    seen = None
    for step in range(18, STEPS + 1, 18):
        evaluator.now_ms = SINCE + step * STEP
        if incidents.spike and step > incidents.spike.stop:
            begin, end = incidents.spike.start * STEP, incidents.spike.stop * STEP
            exclusions = (excluded(SINCE + begin, SINCE + end),)
        seen = evaluator.evaluate(experiment(SINCE, design=asked, exclusions=exclusions, subject=f"replay/{seed}"))
        if seen.final or seen.recommendation == "Ship":
            break
    assert seen is not None
    return seen, evaluator.evidence
