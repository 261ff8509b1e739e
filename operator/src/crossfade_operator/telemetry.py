"""The controllers' Prometheus metrics, those of the serving side among them, and the log lines of what changed.

`docs/reference/metrics.md` is written from the declarations here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.registry import Collector

from crossfade_analyzer.contract import MetricResult
from crossfade_operator.ports.cluster import Key

logger = logging.getLogger("crossfade_operator.serving")

M = TypeVar("M", bound=Collector)

WORK_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROLLOUT = ("namespace", "rollout")
ENDPOINT = ("namespace", "endpoint")


@dataclass(frozen=True)
class Declared:
    """One metric: its kind (Counter, Gauge, Histogram), name, labels and meaning."""

    kind: type[Counter] | type[Gauge] | type[Histogram]
    name: str
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = WORK_SECONDS
    """Of a histogram."""


RECONCILES = Declared(
    Counter, "crossfade_reconciles_total", ("controller", "outcome"), "Reconciles by how they ended: done or the error."
)
RECONCILE_SECONDS = Declared(
    Histogram, "crossfade_reconcile_duration_seconds", ("controller",), "Time one reconcile took."
)
QUEUE_DEPTH = Declared(
    Gauge, "crossfade_workqueue_depth", ("controller",), "Keys that are ready and wait for a worker."
)
PHASE = Declared(
    Gauge,
    "crossfade_rollout_phase",
    (*ROLLOUT, "phase", "reason"),
    "1 for the phase and reason a ModelRollout is in; other phases have no series.",
)
SLICE = Declared(Gauge, "crossfade_rollout_slice_ratio", ROLLOUT, "Share of users that the candidate holds, 0 to 1.")
LOG_E = Declared(
    Gauge,
    "crossfade_rollout_metric_log_e",
    (*ROLLOUT, "metric"),
    "Evidence that the candidate is worse, as a natural log of the e-value; harm is found at log(1/alpha).",
)
LOG_E_PROOF = Declared(
    Gauge,
    "crossfade_rollout_metric_log_e_proof",
    (*ROLLOUT, "metric"),
    "Evidence that the candidate is within its margin, as a natural log of the e-value; proven at log(1/beta).",
)
VERDICTS = Declared(
    Counter, "crossfade_rollout_verdicts_total", (*ROLLOUT, "verdict"), "Answers of the analyzer by their verdict."
)
DECISIONS = Declared(
    Counter, "crossfade_rollout_decisions_total", (*ROLLOUT, "action", "reason"), "Decisions recorded."
)
DECISION_OBJECTS = Declared(
    Counter, "crossfade_decision_objects_total", ROLLOUT, "Objects of kind Decision made, or found to exist."
)
DECISIONS_PENDING = Declared(
    Gauge,
    "crossfade_rollout_decisions_pending",
    ROLLOUT,
    "Decisions whose object could not be made yet; above 0 no share grows.",
)
GENERATION = Declared(Gauge, "crossfade_route_generation", ENDPOINT, "The newest generation of the routing table.")
ARM_SHARE = Declared(
    Gauge,
    "crossfade_arm_slice_ratio",
    (*ENDPOINT, "arm"),
    "Share of users that an arm of the endpoint holds, 0 to 1: stable, candidate, holdout, or <experiment>.<arm>.",
)
ROUTERS_READY = Declared(Gauge, "crossfade_routers_ready", ENDPOINT, "Ready router pods.")
ROUTERS_CONFIRMED = Declared(
    Gauge, "crossfade_routers_confirmed", ENDPOINT, "Ready router pods that run the newest generation."
)
ROUTERS_REJECTED = Declared(
    Gauge,
    "crossfade_router_tables_rejected",
    ENDPOINT,
    "Tables refused by the endpoint's routers since those started, as last counted.",
)
API_CALLS = Declared(
    Counter,
    "crossfade_api_requests_total",
    ("verb", "resource", "outcome"),
    "Requests to the API server by status, or unreachable.",
)
API_SECONDS = Declared(
    Histogram,
    "crossfade_api_request_duration_seconds",
    ("verb", "resource"),
    "Time one request to the API server took.",
)
APPLIES_SKIPPED = Declared(
    Counter,
    "crossfade_applies_skipped_total",
    ("resource",),
    "Applies that were not sent, for the object is as we last left it.",
)
WATCH_RESTARTS = Declared(
    Counter,
    "crossfade_watch_restarts_total",
    ("resource", "why"),
    "Watches begun again: ended (by the server, in order), expired, failed.",
)
ANALYZER_CALLS = Declared(
    Counter,
    "crossfade_analyzer_requests_total",
    ("operation", "outcome"),
    "Requests to the analyzer: ok or unavailable.",
)
ANALYZER_SECONDS = Declared(
    Histogram, "crossfade_analyzer_request_duration_seconds", ("operation",), "Time one request to the analyzer took."
)
ROUTER_CALLS = Declared(
    Counter, "crossfade_router_requests_total", ("outcome",), "Questions to single routers: ok or unavailable."
)
LEADER = Declared(Gauge, "crossfade_leader", (), "1 while this process holds the Lease, 0 while it stands by.")

PROCESS = (
    RECONCILES,
    RECONCILE_SECONDS,
    QUEUE_DEPTH,
    API_CALLS,
    API_SECONDS,
    APPLIES_SKIPPED,
    WATCH_RESTARTS,
    ANALYZER_CALLS,
    ANALYZER_SECONDS,
    LEADER,
)
"""What either side tells of itself as a process."""

ROLLOUT_STATES = (PHASE, SLICE, LOG_E, LOG_E_PROOF, DECISIONS_PENDING)
ENDPOINT_STATES = (ARM_SHARE, GENERATION, ROUTERS_READY, ROUTERS_CONFIRMED, ROUTERS_REJECTED)
STATES = (*ROLLOUT_STATES, *ENDPOINT_STATES)
DECLARED = tuple(value for value in list(globals().values()) if isinstance(value, Declared))


class ProcessTelemetry:
    """Implements `WorkTelemetry` and `CallTelemetry` of `ports.telemetry`, for either side, and holds the registry."""

    states: tuple[Declared, ...] = ()
    """What only the leader knows."""

    def __init__(self, declared: Sequence[Declared], registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._metrics = {one.name: _made(one, self.registry) for one in declared}
        self._led = False
        self.leading(False)

    # WorkTelemetry

    def reconciled(self, controller: str, outcome: str, seconds: float) -> None:
        self._counter(RECONCILES).labels(controller, outcome).inc()
        self._histogram(RECONCILE_SECONDS).labels(controller).observe(seconds)

    def queued(self, controller: str, depth: int) -> None:
        self._gauge(QUEUE_DEPTH).labels(controller).set(depth)

    # CallTelemetry

    def api_call(self, verb: str, resource: str, outcome: str, seconds: float) -> None:
        self._counter(API_CALLS).labels(verb, resource, outcome).inc()
        self._histogram(API_SECONDS).labels(verb, resource).observe(seconds)

    def analyzer_call(self, operation: str, outcome: str, seconds: float) -> None:
        self._counter(ANALYZER_CALLS).labels(operation, outcome).inc()
        self._histogram(ANALYZER_SECONDS).labels(operation).observe(seconds)

    def router_call(self, outcome: str) -> None:
        self._counter(ROUTER_CALLS).labels(outcome).inc()

    def apply_skipped(self, resource: str) -> None:
        self._counter(APPLIES_SKIPPED).labels(resource).inc()

    def watch_restarted(self, resource: str, why: str) -> None:
        self._counter(WATCH_RESTARTS).labels(resource, why).inc()

    def leading(self, leads: bool) -> None:
        self._gauge(LEADER).set(leads)
        if not leads and self._led:
            self.forget_states()
        self._led = leads

    def forget_states(self) -> None:
        """One that stands by knows no states: those it last knew would contradict the leader's."""
        for declared in self.states:
            self._gauge(declared).clear()

    def _gauge(self, declared: Declared) -> Gauge:
        return _as(Gauge, self._metrics[declared.name])

    def _counter(self, declared: Declared) -> Counter:
        return _as(Counter, self._metrics[declared.name])

    def _histogram(self, declared: Declared) -> Histogram:
        return _as(Histogram, self._metrics[declared.name])


class PrometheusTelemetry(ProcessTelemetry):
    """Implements `ports.telemetry.Telemetry`. What changed of a rollout is logged once, when it changes."""

    states = STATES

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._phases: dict[tuple[str, str], tuple[str, str]] = {}
        self._shown: dict[tuple[str, str], set[str]] = {}
        self._arms: dict[Key, frozenset[str]] = {}
        super().__init__(DECLARED, registry)

    def forget_states(self) -> None:
        super().forget_states()
        self._phases.clear()
        self._shown.clear()
        self._arms.clear()

    def rollout(self, namespace: str, name: str, *, phase: str, reason: str, share: float) -> None:
        before = self._phases.get((namespace, name))
        if before != (phase, reason):
            logger.info("ModelRollout %s/%s is %s: %s", namespace, name, phase, reason)
            if before is not None:
                self._gauge(PHASE).remove(namespace, name, *before)
            self._phases[namespace, name] = phase, reason
            self._gauge(PHASE).labels(namespace, name, phase, reason).set(1)
        self._gauge(SLICE).labels(namespace, name).set(share)

    def rollout_gone(self, namespace: str, name: str) -> None:
        for declared in ROLLOUT_STATES:
            self._gauge(declared).remove_by_labels({"namespace": namespace, "rollout": name})
        for declared in (VERDICTS, DECISIONS, DECISION_OBJECTS):
            self._counter(declared).remove_by_labels({"namespace": namespace, "rollout": name})
        self._phases.pop((namespace, name), None)
        self._shown.pop((namespace, name), None)

    def evaluation(self, namespace: str, name: str, verdict: str, metrics: Sequence[MetricResult]) -> None:
        self._counter(VERDICTS).labels(namespace, name, verdict).inc()
        names = {metric.name for metric in metrics}
        for gone in self._shown.get((namespace, name), set()) - names:
            for declared in (LOG_E, LOG_E_PROOF):
                self._gauge(declared).remove_by_labels({"namespace": namespace, "rollout": name, "metric": gone})
        self._shown[namespace, name] = names
        for metric in metrics:
            for declared, evidence in ((LOG_E, metric.log_e), (LOG_E_PROOF, metric.log_e_proof)):
                if evidence is not None:
                    self._gauge(declared).labels(namespace, name, metric.name).set(float(evidence))

    def decision(self, namespace: str, name: str, *, action: str, reason: str) -> None:
        logger.info("ModelRollout %s/%s decided: %s (%s)", namespace, name, action, reason)
        self._counter(DECISIONS).labels(namespace, name, action, reason).inc()

    def decisions(self, namespace: str, name: str, *, made: int, pending: int) -> None:
        self._counter(DECISION_OBJECTS).labels(namespace, name).inc(made)
        self._gauge(DECISIONS_PENDING).labels(namespace, name).set(pending)

    def shares(self, key: Key, shares: Mapping[str, float]) -> None:
        labels = {"namespace": key.namespace, "endpoint": key.endpoint}
        for gone in self._arms.get(key, frozenset()) - shares.keys():
            self._gauge(ARM_SHARE).remove_by_labels({**labels, "arm": gone})
        self._arms[key] = frozenset(shares)
        for arm, share in shares.items():
            self._gauge(ARM_SHARE).labels(*labels.values(), arm).set(share)

    def routers(self, key: Key, *, generation: int, ready: int, confirmed: int, rejected: int) -> None:
        labels = (key.namespace, key.endpoint)
        told = ((GENERATION, generation), (ROUTERS_READY, ready), (ROUTERS_CONFIRMED, confirmed))
        for declared, value in (*told, (ROUTERS_REJECTED, rejected)):
            self._gauge(declared).labels(*labels).set(value)

    def endpoint_gone(self, key: Key) -> None:
        for declared in ENDPOINT_STATES:
            self._gauge(declared).remove_by_labels({"namespace": key.namespace, "endpoint": key.endpoint})
        self._arms.pop(key, None)


def _as(kind: type[M], metric: Collector) -> M:
    if not isinstance(metric, kind):
        raise TypeError(f"{metric} is not a {kind.__name__}")
    return metric


def _made(declared: Declared, registry: CollectorRegistry) -> Collector:
    if declared.kind is Histogram:
        return Histogram(declared.name, declared.help, declared.labels, buckets=declared.buckets, registry=registry)
    return declared.kind(declared.name, declared.help, declared.labels, registry=registry)
