"""Experiments as acts: applied, started, and followed look by look until they wait for a decision."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from crossfade_operator.cli import names
from crossfade_operator.cli.experiments import render
from crossfade_operator.cli.experiments.view import Experiment, Result, experiment_of
from crossfade_operator.cli.paint import columns
from crossfade_operator.cli.text import wrapped
from dev.cluster.errors import ClusterError
from dev.demo.kube import NAMESPACE, Kube
from dev.demo.show import Show
from dev.demo.staging import example
from dev.demo.traffic import Traffic

FOLDER = Path("examples/experiment")
_LOOK_SECONDS = 0.5
_VERDICT_STYLES = {"Superior": ("green", "bold"), "NonInferior": ("green",), "Inferior": ("red", "bold")}


def waits_for_decision(experiment: Experiment) -> bool:
    """Its last look was taken, and a person is asked."""
    return experiment.phase == "Stopped" and experiment.reason == "DecisionPending"


def over(experiment: Experiment) -> bool:
    """Nothing more comes of it by itself: it waits for a decision, or it ended without one."""
    return waits_for_decision(experiment) or experiment.ended


@dataclass
class Trials:
    """The demo's experiments. Each change of phase and each look is shown once."""

    kube: Kube
    show: Show
    traffic: Traffic
    _told: dict[str, tuple[str, int]] = field(default_factory=dict)

    def apply(self, file: str) -> None:
        """Apply a manifest of the example as a person would."""
        path = example(file, FOLDER)
        self.show.command(f"kubectl --namespace {NAMESPACE} apply --filename {path}")
        self.kube.apply(path)

    def now(self, name: str) -> Experiment:
        return experiment_of(self.kube.objects().get(names.EXPERIMENT, name))

    def look(self, name: str) -> Experiment:
        """The experiment now; shows what is new since the last look."""
        experiment = self.now(name)
        phase, look = self._told.get(name, ("", 0))
        if experiment.look > look and experiment.results:
            self.show.lines(_looked(experiment, self.show))
        if experiment.phase != phase:
            self.show.lines(_entered(experiment, self.show))
        self._told[name] = experiment.phase, max(look, experiment.look)
        return experiment

    def until(
        self, wanted: Sequence[str], done: Callable[[Experiment], bool], seconds: float
    ) -> Mapping[str, Experiment]:
        """Look at all of `wanted` until each is `done`; `ClusterError` after `seconds`, with their pages shown."""
        deadline = time.monotonic() + seconds
        while True:
            seen = {name: self.look(name) for name in wanted}
            if all(map(done, seen.values())):
                return seen
            if time.monotonic() > deadline:
                raise self._late([experiment for experiment in seen.values() if not done(experiment)])
            self.show.live(_state(seen, self.traffic))
            time.sleep(_LOOK_SECONDS)

    def _late(self, late: Sequence[Experiment]) -> ClusterError:
        for experiment in late:
            self.show.lines(render.page(experiment, self.show.paint, datetime.now(UTC), self.show.wide))
        said = "; ".join(f"{one.name} is {one.phase}, {one.reason}: {one.message}" for one in late)
        return ClusterError(
            f"did not get there in time: {said}",
            "look with: python -m dev.cluster kubectl -n crossfade-system logs deploy/crossfade-learning",
        )


def _entered(experiment: Experiment, show: Show) -> list[str]:
    when = f"{datetime.now():%H:%M:%S}"  # noqa: DTZ005 - the clock on the wall
    name = show.paint(f"{experiment.name:<12}", "bold")
    first = f"{when}  {name} {experiment.phase}"
    why = f"{experiment.reason}: {experiment.message}" if experiment.message else experiment.reason
    return [first, *wrapped("          ", why, show.wide - 2)] if why else [first]


def _looked(experiment: Experiment, show: Show) -> list[str]:
    when = f"{datetime.now():%H:%M:%S}"  # noqa: DTZ005
    of = f" of {experiment.looks_planned}" if experiment.looks_planned else ""
    progress = f" · {experiment.progress} of the information" if experiment.progress else ""
    bounds = {use.metric.partition("@")[0]: f"{use.role} {use.bound}".strip() for use in experiment.uses}
    rows = [
        (
            result.metric,
            bounds.get(result.metric, result.role),
            render.effect(result),
            show.paint(result.verdict, *_VERDICT_STYLES.get(result.verdict, ())),
        )
        for result in experiment.results
    ]
    title = f"{when}  {show.paint(f'{experiment.name:<12}', 'bold')} look {experiment.look}{of}{progress}"
    return [title, *(f"          {line}" for line in columns(rows))]


def _state(seen: Mapping[str, Experiment], traffic: Traffic) -> str:
    parts = [part for experiment in seen.values() for part in _short(experiment)]
    return " · ".join([*parts, f"{traffic.latest['requests']:,} requests, {traffic.failed} failed"])


def _short(experiment: Experiment) -> Iterator[str]:
    yield f"{experiment.name} {experiment.progress or experiment.reason or experiment.phase}"
    yield from (f"{result.metric} {render.effect(result)}" for result in experiment.results if _tells(result))


def _tells(result: Result) -> bool:
    return result.role == "Success" and result.relative is not None
