"""A subject's evidence, folded entry by entry into the state that is judged. A pure function of the entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from crossfade_analyzer.contract import Bound, MetricKind, Requests
from crossfade_analyzer.contract import MetricPlan as Metric
from crossfade_analyzer.contract import Plan as Contracted
from crossfade_analyzer.snapshots import Entry, Kind, Snapshot
from crossfade_analyzer.sources.readings import MICRO, Cells
from crossfade_analyzer.sources.samples import Window
from crossfade_analyzer.statistics.look import PerArm
from crossfade_analyzer.statistics.rollout import Counts, Look, MetricPlan, RolloutPlan, RolloutResult, State
from crossfade_analyzer.windows import Progress, StepAt

_NOT_CHOSEN = "not-chosen-yet"
ROUTER = "router"


def key_of(metric: Metric, bound: str) -> str:
    """The key of a latency bound's counts."""
    return f"{metric.name}/{bound}"


def rollout_plan(plan: Contracted, bounds: tuple[str, ...]) -> RolloutPlan:
    """The statistics engine's plan. Raises its `InvalidPlan` with a sentence when the guarantee would be void.

    Latency bounds that are not chosen yet hold their metric's place, so that its weight in the average never changes.
    """
    metrics = tuple(_metric_plan(metric, bounds or (_NOT_CHOSEN,)) for metric in plan.metrics)
    split = next((m.name for m in plan.metrics if m.kind is MetricKind.ERROR_RATE), None)
    return RolloutPlan(
        metrics=metrics,
        alpha=plan.alpha,
        beta=plan.beta,
        horizon_minutes=Decimal(str(plan.horizon_seconds)) / 60,
        split_counts=split,
    )


def _metric_plan(metric: Metric, bounds: tuple[str, ...]) -> MetricPlan:
    latency = metric.kind is MetricKind.LATENCY
    tolerance, margin = metric.tolerance or Bound(), metric.margin or Bound()
    return MetricPlan(
        name=metric.name,
        kind="latency" if latency else "mean" if metric.kind is MetricKind.MEAN else "count",
        role="Guardrail" if metric.role.value == "Guardrail" else "Deterioration",
        direction="LowerIsBetter" if metric.direction.value == "LowerIsBetter" else "HigherIsBetter",
        tolerance_relative=tolerance.relative,
        tolerance_absolute=tolerance.absolute,
        margin_relative=margin.relative,
        margin_absolute=margin.absolute,
        bounds=tuple(key_of(metric, bound) for bound in bounds) if latency else (),
        scale=MICRO if metric.kind is MetricKind.MEAN else 1,
    )


@dataclass
class Tally:
    """Requests per arm so far, and the candidate's by step."""

    control: int = 0
    candidate: int = 0
    by_step: dict[int, int] | None = None

    def add(self, snapshot: Snapshot) -> None:
        control, candidate = (sum(row) for row in snapshot.requests)
        self.control += control
        self.candidate += candidate
        self.by_step = {**(self.by_step or {}), snapshot.step: (self.by_step or {}).get(snapshot.step, 0) + candidate}

    def requests(self, step: int) -> Requests:
        return Requests(
            control=self.control, candidate=self.candidate, candidate_in_step=(self.by_step or {}).get(step, 0)
        )


class Fold:
    """What is known of one subject: its plan, where its looks ended, and the statistics' state.

    Bounded in memory whatever the number of looks. Feed entries in order with `add`.
    """

    def __init__(self, opened: Entry, since: int, plan: Contracted, bounds: tuple[str, ...] = ()) -> None:
        self.last = self.opened = opened
        self.since, self.plan, self.bounds = since, plan, bounds
        self.tally = Tally()
        self.looks = 0
        self.ends: dict[str, int] = {}
        self.progress: Progress | None = None
        self.last_look: Entry | None = None
        self._state = State(rollout_plan(plan, bounds))
        self._result: RolloutResult | None = None

    @classmethod
    def opened_by(cls, opened: Entry, bounds: tuple[str, ...] = ()) -> Fold:
        """The fold of a chain that begins with `opened` and in which `bounds` are or will be chosen."""
        content = opened.content()
        return cls(opened, content["since"], Contracted.model_validate(content["plan"]), bounds)

    def catch_up(self, entries: Iterable[Entry]) -> bool:
        """Take in what follows; `False` when bounds were chosen that this fold was not made with: make it anew."""
        for entry in entries:
            if entry.kind is Kind.BOUNDS and tuple(entry.content()["bounds"]) != self.bounds:
                return False
            self.add(entry)
        return True

    def add(self, entry: Entry) -> None:
        """Take in the next entry."""
        if entry.kind is Kind.LOOK:
            self._look(Snapshot.of(entry.content()))
            self.last_look = entry
        self.last = entry

    def _look(self, snapshot: Snapshot) -> None:
        self._state.update(look_of(snapshot, self.since))
        self._result = None
        self.tally.add(snapshot)
        self.looks = snapshot.look
        self.ends.update(snapshot.ends)
        step = StepAt(snapshot.step, snapshot.share, snapshot.floor)
        self.progress = Progress(snapshot.end, snapshot.floor, step)

    def result(self) -> RolloutResult:
        """What the statistics say by now; computed once per look."""
        if self._result is None:
            self._result = self._state.result()
        return self._result

    def window_of(self, group: str, window: Window) -> Window:
        """A look's window for one group of series: from where that group was last read."""
        return Window(max(self.ends.get(group, window.floor), window.floor), window.end, window.floor)


def look_of(snapshot: Snapshot, since: int) -> Look:
    """A snapshot in the statistics engine's terms."""
    return Look(
        index=snapshot.look,
        step=snapshot.step,
        weight=snapshot.share,
        minutes_since_start=Decimal(max(snapshot.end - since, 0)) / 60_000,
        counts={key: _counts(pair, snapshot.requests) for key, pair in snapshot.counts.items()},
        shifting=snapshot.shifting,
    )


def _counts(pair: tuple[Cells, Cells | None], requests: Cells) -> Counts:
    events, totals = pair
    return Counts(x=_pair(events), n=_pair(requests if totals is None else totals))


def _pair(cells: Cells) -> PerArm:
    control, candidate = cells
    return control, candidate
