"""An experiment's evidence, folded entry by entry into the state that is judged. A pure function of the entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossfade_analyzer.contract import ExperimentArm, ExperimentDesign, ExperimentMetric
from crossfade_analyzer.experiments.records import ROUTER, RULE, Counted, Excluded, Look, Planned
from crossfade_analyzer.experiments.study import ROUTER_KINDS, Study, scale_of, study_of
from crossfade_analyzer.snapshots import Entries, Entry, Kind
from crossfade_analyzer.sources.readings import Cells
from crossfade_analyzer.statistics.experiments.comparison import BucketSums
from crossfade_analyzer.subjects import refuse_other_kind

Table = NDArray[np.int64]
"""Integers by numerator/denominator, arm, analysis bucket."""


@dataclass(frozen=True)
class Stored:
    """A window in memory: its times, and a table per metric."""

    counted: Counted
    tables: dict[str, Table]

    @classmethod
    def of(cls, counted: Counted) -> Stored:
        return cls(counted, {key: table(pair, counted.requests) for key, pair in counted.counts.items()})

    @cached_property
    def requests(self) -> Table:
        return np.array(self.counted.requests, dtype=np.int64)

    def excluded(self, group: str, excluded: Excluded) -> bool:
        """Whether any of the time a group was counted in is excluded."""
        begin, end = self.counted.begins.get(group), self.counted.ends.get(group)
        return begin is not None and end is not None and excluded.overlaps(begin, end)


def table(pair: tuple[Cells, Cells | None], requests: Cells) -> Table:
    x, n = pair
    return np.array([x, requests if n is None else n], dtype=np.int64)


def group_of(metric: ExperimentMetric) -> str:
    """The series a metric is counted together with."""
    return ROUTER if metric.kind in ROUTER_KINDS else metric.name


class Fold:
    """What is known of one experiment. Feed entries in order with `add`."""

    def __init__(self, opened: Entry, study: Study, since: int) -> None:
        self.last = self.opened = opened
        self.study, self.since = study, since
        self.bound: str | None = None
        self.planned: Planned | None = None
        self.excluded = Excluded()
        self.windows: list[Stored] = []
        self.looks: list[Look] = []
        self.ends: dict[str, int] = {}
        self.exclusions_since_look = False

    @classmethod
    def opened_by(cls, opened: Entry) -> Fold:
        content = opened.content()
        design = ExperimentDesign.model_validate(content["design"])
        arms = [ExperimentArm.model_validate(arm) for arm in content["arms"]]
        return cls(opened, study_of(design, arms), content["since"])

    def catch_up(self, entries: Iterable[Entry]) -> bool:
        for entry in entries:
            self.add(entry)
        return True

    def add(self, entry: Entry) -> None:
        """Take in the next entry."""
        content = entry.content()
        if entry.kind is Kind.WINDOW:
            self._window(Counted.of(content))
        elif entry.kind is Kind.LOOK:
            self.looks.append(Look.of(content))
            self.exclusions_since_look = False
        elif entry.kind is Kind.PLAN:
            self.planned = Planned.of(content)
        elif entry.kind is Kind.EXCLUSIONS:
            self.excluded = Excluded.of(content)
            self.exclusions_since_look = True
        elif entry.kind is Kind.BOUNDS:
            self.bound = content["bounds"][0]
        self.last = entry

    def _window(self, counted: Counted) -> None:
        self.windows.append(Stored.of(counted))
        self.ends.update(counted.ends)

    @property
    def until(self) -> int:
        """End of the last window, ms; the start before the first."""
        return self.windows[-1].counted.end if self.windows else self.since

    @property
    def elapsed(self) -> int:
        return self.until - self.since

    @property
    def final(self) -> bool:
        """The last look was taken: nothing is added but exclusions, and looks at the same windows."""
        return bool(self.looks) and self.looks[-1].final

    def included(self, metric: ExperimentMetric, windows: Sequence[Stored], excluded: Excluded) -> list[Stored]:
        """Those of `windows` in which a metric was counted and nothing is excluded."""
        group = group_of(metric)
        return [one for one in windows if metric.name in one.tables and not one.excluded(group, excluded)]

    def total(self, metric: ExperimentMetric, windows: Sequence[Stored], excluded: Excluded) -> Table:
        """A metric's sums over `windows`, without excluded ones."""
        tables = [one.tables[metric.name] for one in self.included(metric, windows, excluded)]
        return np.sum(tables, axis=0) if tables else self.nothing()

    def nothing(self) -> Table:
        arms = len(self.study.arms)
        buckets = self.windows[0].requests.shape[1] if self.windows else 1
        return np.zeros((2, arms, buckets), dtype=np.int64)

    def requests(self) -> Table:
        """Requests per arm and bucket, of all windows."""
        found: Table = np.sum([one.requests for one in self.windows], axis=0) if self.windows else self.nothing()[0]
        return found


def sums(metric: ExperimentMetric, found: Table, arm: int) -> BucketSums:
    """One arm's sums in the metric's units."""
    scale = scale_of(metric)
    return BucketSums(tuple(map(float, found[1][arm])), tuple(float(y) / scale for y in found[0][arm]))


def refold(store: Entries, subject: str, through: int | None = None) -> Fold | None:
    """A subject's fold from the store alone, up to an entry's number; `None` when it has no entries."""
    opened = next(store.chain(subject, through=0), None)
    if opened is None:
        return None
    refuse_other_kind(opened, RULE)
    fold = Fold.opened_by(opened)
    fold.catch_up(store.chain(subject, after=0, through=through))
    return fold


def counts_of(found: Table, arm: int) -> tuple[int, int]:
    """An arm's numerator and denominator."""
    pair: Any = found[:, arm].sum(axis=1)
    return int(pair[0]), int(pair[1])
