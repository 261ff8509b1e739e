"""One act: a model is applied, its rollout watched to the end, and what was seen written down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from crossfade_operator.cli.rollouts import render
from crossfade_operator.cli.rollouts.view import Decision, Rollout
from dev.cluster.errors import ClusterError
from dev.demo.kube import NAMESPACE, Kube
from dev.demo.show import Show
from dev.demo.staging import EXAMPLES, example
from dev.demo.traffic import Answered, Traffic

_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Outcome:
    """How an act ended. `seconds` run from `kubectl apply`, `exposed_seconds` from the first slice to the end."""

    model: str
    rollout: Rollout
    decisions: tuple[Decision, ...]
    seconds: float
    exposed_seconds: float
    answered: Answered

    @property
    def steps_taken(self) -> int:
        """Different steps whose slice the candidate was granted."""
        return len({decision.step for decision in self.decisions if decision.action == "Advance"})

    @property
    def last(self) -> Decision | None:
        return self.decisions[-1] if self.decisions else None


class Following:
    """Watches the demo's rollout. Each decision is shown once, however many acts it spans."""

    def __init__(self, kube: Kube, show: Show, traffic: Traffic | None) -> None:
        self._kube, self._show, self._traffic = kube, show, traffic
        self._before = _decisions_so_far(kube)
        self._told = set(self._before)

    def apply(self, path: Path) -> None:
        """Apply a manifest as a person would."""
        self._show.command(f"kubectl --namespace {NAMESPACE} apply --filename {path}")
        self._kube.apply(path)

    @property
    def decided(self) -> bool:
        """Whether anything was decided since the watching began."""
        return self._told != self._before

    def news(self, rollout: Rollout) -> tuple[Decision, ...]:
        """What was decided since the watching began."""
        return tuple(decision for decision in rollout.decisions if decision.name not in self._before)

    def look(self) -> Rollout:
        """The rollout now; shows what was decided since the last look."""
        rollout = self._kube.rollout()
        for decision in rollout.decisions:
            if decision.name not in self._told:
                self._told.add(decision.name)
                self._show.lines(_decided(decision, self._show))
        return rollout

    def until(self, done: Callable[[Rollout], bool], seconds: float) -> Rollout:
        """Look until `done`; `ClusterError` after `seconds`, with the rollout's page shown."""
        deadline = time.monotonic() + seconds
        while not done(rollout := self.look()):
            if time.monotonic() > deadline:
                self._show.lines(render.page(rollout, self._show.paint, datetime.now(UTC), wide=self._show.wide))
                raise ClusterError(
                    f"the rollout did not get there in time: {rollout.phase}, {rollout.reason}: {rollout.message}",
                    "look with: python -m dev.cluster kubectl -n crossfade-system logs deploy/crossfade-serving",
                )
            self._show.live(_state(rollout, self._traffic))
            time.sleep(_LOOK_SECONDS)
        return rollout


def play(
    kube: Kube, show: Show, model: str, *, traffic: Traffic | None, seconds: float, folder: Path = EXAMPLES
) -> Outcome:
    """Apply `model` and follow its rollout until it is promoted or rolled back; `ClusterError` after `seconds`."""
    following = Following(kube, show, traffic)
    began = time.monotonic()
    following.apply(example(model, folder))
    rollout = following.until(lambda seen: seen.ended and following.decided, seconds)
    ended = time.monotonic()
    decisions = following.news(rollout)
    answered = traffic.answered_by(model) if traffic else Answered()
    return Outcome(model, rollout, decisions, ended - began, _exposed(decisions), answered)


def _decisions_so_far(kube: Kube) -> set[str]:
    listed = kube.kubectl("get", "modelrollouts", "--namespace", NAMESPACE, "--output", "name")
    return {decision.name for decision in kube.rollout().decisions} if listed.strip() else set()


def _decided(decision: Decision, show: Show) -> list[str]:
    when = f"{decision.at.astimezone():%H:%M:%S}" if decision.at else "        "
    style = {"Promote": "green", "Rollback": "red"}.get(decision.action, "bold")
    where = (
        f"step {decision.step}, {decision.slice} of the users" if decision.step else f"{decision.slice} of the users"
    )
    return [f"{when}  {show.paint(f'{decision.action:<9}', style, 'bold')} {where}", f"          {_why(decision)}"]


def _why(decision: Decision) -> str:
    return f"{decision.reason}: {decision.message}" if decision.message else decision.reason


def _state(rollout: Rollout, traffic: Traffic | None) -> str:
    parts = [rollout.reason or rollout.phase]
    if rollout.candidate and rollout.step:
        parts[0] = f"step {rollout.step}/{rollout.steps} {parts[0]}"
    parts += [f"{metric.name} {metric.verdict.lower()} {render.interval(metric)}" for metric in rollout.metrics]
    if traffic:
        parts.append(f"{traffic.latest['requests']:,} requests, {traffic.failed} failed")
    return " · ".join(parts)


def _exposed(decisions: tuple[Decision, ...]) -> float:
    """Seconds between the decision that granted the first slice and the one that ended the rollout."""
    times = [decision.at for decision in decisions if decision.at is not None and decision.action != "Start"]
    return (times[-1] - times[0]).total_seconds() if len(times) > 1 else 0.0


def settled(kube: Kube, show: Show, look: Callable[[], int], *, seconds: float) -> None:
    """Return when `look` has given the same number for some seconds; `ClusterError` when it never does."""
    deadline = time.monotonic() + seconds
    last, since = look(), time.monotonic()
    while time.monotonic() - since < 4.0:
        if time.monotonic() > deadline:
            raise ClusterError("requests still reach the model that was rolled back", "look at the endpoint's status")
        show.live("making sure that nobody is answered by it any more")
        time.sleep(_LOOK_SECONDS)
        if (now := look()) != last:
            last, since = now, time.monotonic()
