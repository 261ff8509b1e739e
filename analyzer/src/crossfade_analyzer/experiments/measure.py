"""A treatment against control in one metric, from the integers of some windows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crossfade_analyzer.contract import ExperimentMetric, MetricKind
from crossfade_analyzer.experiments.fold import Fold, Stored, Table, counts_of, sums, table
from crossfade_analyzer.experiments.records import Excluded
from crossfade_analyzer.statistics.experiments import cuped
from crossfade_analyzer.statistics.experiments.contrast import Pair, adjusted_pair, pair
from crossfade_analyzer.statistics.plan import MIN_BUCKETS
from crossfade_analyzer.statistics.refusals import CannotJudge, Refusal


@dataclass(frozen=True)
class Measured:
    """Counts of both arms (numerator, denominator), and what they say."""

    control: tuple[int, int]
    treated: tuple[int, int]
    pair: Pair | CannotJudge


def measure(
    fold: Fold, number: int, metric: ExperimentMetric, windows: Sequence[Stored], excluded: Excluded
) -> Measured:
    """Treatment `number` against control over `windows`."""
    found = fold.total(metric, windows, excluded)
    control, treated = counts_of(found, 0), counts_of(found, number)
    refusal = refused(metric, found, number)
    if refusal is not None:
        return Measured(control, treated, refusal)
    events = metric.kind is not MetricKind.MEAN
    arms = [sums(metric, found, arm) for arm in (0, number)]
    before = before_of(fold, metric)
    if before is None:
        return Measured(control, treated, pair(arms[0], arms[1], events=events))
    earlier = [sums(metric, before, arm) for arm in (0, number)]
    both = [cuped.Arm(post, pre) for post, pre in zip(arms, earlier, strict=True)]
    return Measured(control, treated, adjusted_pair(both[0], both[1], events=events))


def before_of(fold: Fold, metric: ExperimentMetric) -> Table | None:
    """A metric's sums before the start, if all arms were labelled and counted then."""
    before = fold.planned.before if fold.planned else None
    if before is None or metric.name not in before.counts:
        return None
    found = table(before.counts[metric.name], before.requests)
    return found if bool((found[1].sum(axis=1) > 0).all()) else None


def refused(metric: ExperimentMetric, found: Table, number: int) -> CannotJudge | None:
    """Why these sums cannot be compared."""
    for arm, who in ((0, "control"), (number, "the treatment")):
        y, x = found[0][arm], found[1][arm]
        carrying = int(np.count_nonzero(x))
        if not x.any():
            return CannotJudge(Refusal.NO_DATA, f"Nothing was counted for {who} yet.", metric.name)
        if carrying < MIN_BUCKETS:
            return CannotJudge(
                Refusal.TOO_FEW_BUCKETS,
                f"Only {carrying} analysis buckets of {who} carry data; variance needs at least {MIN_BUCKETS}. Widen "
                "the slice, or wait.",
                metric.name,
            )
        if metric.kind is not MetricKind.MEAN and y.sum() > x.sum():
            return CannotJudge(
                Refusal.EVENTS_EXCEED_REQUESTS,
                f"More events ({y.sum()}) than units ({x.sum()}) were counted for {who}: the numerator counts "
                "something else than the denominator. Mend the metric, or declare it as a Mean.",
                metric.name,
            )
    return None
