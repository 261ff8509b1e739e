"""What the controller tells of itself. Every call is cheap, never awaits and never raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from crossfade_analyzer.contract import ExperimentEvaluation, MetricResult
from crossfade_operator.ports.cluster import Key
from crossfade_operator.ports.learning import Name


class RolloutTelemetry(Protocol):
    """Told by a reconcile: what state it found or made."""

    def rollout(self, namespace: str, name: str, *, phase: str, reason: str, share: float) -> None:
        """The phase a ModelRollout is in, why, and the share of users (0 to 1) its candidate holds."""

    def rollout_gone(self, namespace: str, name: str) -> None:
        """The ModelRollout is gone: its series end."""

    def evaluation(self, namespace: str, name: str, verdict: str, metrics: Sequence[MetricResult]) -> None:
        """An analyzer's answer about a rollout, with the evidence of every metric."""

    def decision(self, namespace: str, name: str, *, action: str, reason: str) -> None:
        """A decision was recorded."""

    def decisions(self, namespace: str, name: str, *, made: int, pending: int) -> None:
        """Decision objects of a rollout: those made in this turn, and those that could not be made yet."""

    def shares(self, key: Key, shares: Mapping[str, float]) -> None:
        """The share of users (0 to 1) that each arm of an endpoint holds, by the arm's label; stable has the rest."""

    def routers(self, key: Key, *, generation: int, ready: int, confirmed: int, rejected: int) -> None:
        """The newest route generation, the ready routers, those that run it, and the tables they refused."""

    def endpoint_gone(self, key: Key) -> None:
        """The ModelEndpoint is gone: its series end."""


class ExperimentTelemetry(Protocol):
    """Told by a turn of an experiment."""

    def experiment(self, name: Name, *, phase: str, reason: str, look: int, progress: float, seconds: float) -> None:
        """Where an Experiment stands: planned looks taken, planned information that is in (0 to 1), its runtime."""

    def experiment_left(self, name: Name, *, phase: str, seconds: float) -> None:
        """A phase ended after so many seconds."""

    def experiment_gone(self, name: Name) -> None:
        """The Experiment is gone: its series end."""

    def experiment_evaluated(self, name: Name, evaluation: ExperimentEvaluation) -> None:
        """An analyzer's answer about an experiment."""

    def experiment_decision(
        self, name: Name, *, action: str, reason: str, decision: str, owner: str, outcome: str | None
    ) -> None:
        """A Decision stands. `outcome`: what the experiment taught, for a Decision that ends one."""

    def programme(self, outcomes: Mapping[tuple[str, str], tuple[str, str]]) -> None:
        """Owner and outcome of every Decision on record that ended an experiment, by namespace and name."""


class WorkTelemetry(Protocol):
    """Told by a work queue."""

    def reconciled(self, controller: str, outcome: str, seconds: float) -> None:
        """One reconcile ended: `done`, or the name of the error that ended it."""

    def queued(self, controller: str, depth: int) -> None:
        """How many keys are ready and wait for a worker."""


class CallTelemetry(Protocol):
    """Told by adapters."""

    def api_call(self, verb: str, resource: str, outcome: str, seconds: float) -> None:
        """A request to the API server: `200`, `409`, ..., or `unreachable`."""

    def analyzer_call(self, operation: str, outcome: str, seconds: float) -> None:
        """A request to the analyzer: `ok` or `unavailable`."""

    def router_call(self, outcome: str) -> None:
        """A question to one router: `ok` or `unavailable`."""

    def apply_skipped(self, resource: str) -> None:
        """An apply that was not sent, for the object is as we last left it."""

    def watch_restarted(self, resource: str, why: str) -> None:
        """A watch had to begin again: `ended`, `expired`, `silent` or `failed`."""

    def leading(self, leads: bool) -> None:
        """Whether this process holds the Lease."""


class Telemetry(RolloutTelemetry, WorkTelemetry, CallTelemetry, Protocol):
    """All of the serving side, as its composition root makes it."""
