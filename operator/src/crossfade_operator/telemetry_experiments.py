"""The learning side's Prometheus metrics: experiments one by one, and the programme that they make up."""

from __future__ import annotations

import logging
from collections import Counter as Tally
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from crossfade_analyzer.contract import ExperimentEvaluation
from crossfade_operator.api.decision import LEARNING, Outcome
from crossfade_operator.ports.learning import Name
from crossfade_operator.telemetry import PROCESS, Declared, ProcessTelemetry

logger = logging.getLogger("crossfade_operator.learning")

EXPERIMENT = ("namespace", "experiment")

PHASE = Declared(
    Gauge,
    "crossfade_experiment_phase",
    (*EXPERIMENT, "phase", "reason"),
    "1 for the phase and reason an Experiment is in; other phases have no series.",
)
LOOKS = Declared(Gauge, "crossfade_experiment_looks", EXPERIMENT, "Planned looks taken in the present run.")
PROGRESS = Declared(
    Gauge, "crossfade_experiment_progress_ratio", EXPERIMENT, "Share of the planned information that is in, 0 to 1."
)
RUNTIME = Declared(
    Gauge, "crossfade_experiment_runtime_seconds", EXPERIMENT, "How long users have been taking part in this run."
)
PHASE_SECONDS = Declared(
    Histogram,
    "crossfade_experiment_phase_duration_seconds",
    ("phase",),
    "How long experiments were in a phase, when they left it.",
    buckets=(1, 10, 60, 600, 3600, 6 * 3600, 86_400, 7 * 86_400, 14 * 86_400, 28 * 86_400),
)
EVALUATIONS = Declared(
    Counter,
    "crossfade_experiment_evaluations_total",
    (*EXPERIMENT, "state", "recommendation"),
    "Answers of the analyzer by what they say.",
)
DECISIONS = Declared(
    Counter, "crossfade_experiment_decisions_total", (*EXPERIMENT, "action", "reason"), "Decisions on record."
)
FALSE_POSITIVES = Declared(
    Gauge,
    "crossfade_experiment_false_positive_ratio",
    EXPERIMENT,
    "Of an A/A experiment: share of its tests that found a difference where there is none.",
)
NOMINAL = Declared(
    Gauge,
    "crossfade_experiment_false_positive_nominal_ratio",
    EXPERIMENT,
    "Of an A/A experiment: the level at which those tests were made.",
)
SPLIT_ERROR = Declared(
    Gauge,
    "crossfade_experiment_split_error_ratio",
    EXPERIMENT,
    "Of an A/A experiment: the largest difference between an arm's share of requests and its nominal one.",
)
PROGRAMME = Declared(
    Gauge,
    "crossfade_programme_experiments",
    ("owner", "outcome"),
    "Runs of experiments that were decided and are on record, by owner and outcome; dry runs and A/A do not count.",
)
LEARNING_RATE = Declared(
    Gauge,
    "crossfade_programme_learning_ratio",
    ("owner",),
    "Share of an owner's decided runs that taught something: a win, a regression found, or a powered neutral result.",
)

SELF_TEST = (FALSE_POSITIVES, NOMINAL, SPLIT_ERROR)
STATES = (PHASE, LOOKS, PROGRESS, RUNTIME, *SELF_TEST)
COUNTED = (EVALUATIONS, DECISIONS)
OF_PROGRAMME = (PROGRAMME, LEARNING_RATE)
DECLARED = (*STATES, PHASE_SECONDS, *COUNTED, *OF_PROGRAMME, *PROCESS)


class LearningTelemetry(ProcessTelemetry):
    """Implements `ports.telemetry.ExperimentTelemetry`. What changed of an experiment is logged once."""

    states = (*STATES, *OF_PROGRAMME)

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._phases: dict[Name, tuple[str, str]] = {}
        self._outcomes: dict[tuple[str, str], tuple[str, str]] = {}
        super().__init__(DECLARED, registry)

    def forget_states(self) -> None:
        super().forget_states()
        self._phases.clear()
        self._outcomes.clear()

    def experiment(self, name: Name, *, phase: str, reason: str, look: int, progress: float, seconds: float) -> None:
        before = self._phases.get(name)
        if before != (phase, reason):
            logger.info("Experiment %s is %s: %s", name, phase, reason)
            if before is not None:
                self._gauge(PHASE).remove(name.namespace, name.name, *before)
            self._phases[name] = phase, reason
            self._gauge(PHASE).labels(name.namespace, name.name, phase, reason).set(1)
        for declared, value in ((LOOKS, look), (PROGRESS, progress), (RUNTIME, seconds)):
            self._gauge(declared).labels(name.namespace, name.name).set(value)

    def experiment_left(self, name: Name, *, phase: str, seconds: float) -> None:
        self._histogram(PHASE_SECONDS).labels(phase).observe(max(seconds, 0.0))

    def experiment_gone(self, name: Name) -> None:
        labels = {"namespace": name.namespace, "experiment": name.name}
        for declared in STATES:
            self._gauge(declared).remove_by_labels(labels)
        for declared in COUNTED:
            self._counter(declared).remove_by_labels(labels)
        self._phases.pop(name, None)

    def experiment_evaluated(self, name: Name, evaluation: ExperimentEvaluation) -> None:
        labels = (name.namespace, name.name)
        self._counter(EVALUATIONS).labels(*labels, evaluation.state.value, evaluation.recommendation.value).inc()
        found = evaluation.self_test
        if found is not None:
            told = (found.false_positive_rate, found.nominal, found.split_error)
            for declared, value in zip(SELF_TEST, told, strict=True):
                self._gauge(declared).labels(*labels).set(value)

    def experiment_decision(
        self, name: Name, *, action: str, reason: str, decision: str, owner: str, outcome: str | None
    ) -> None:
        logger.info("Experiment %s decided: %s (%s), on record as %s", name, action, reason, decision)
        self._counter(DECISIONS).labels(name.namespace, name.name, action, reason).inc()
        if outcome is not None:
            self.programme({**self._outcomes, (name.namespace, decision): (owner, outcome)})

    def programme(self, outcomes: Mapping[tuple[str, str], tuple[str, str]]) -> None:
        self._outcomes = dict(outcomes)
        for declared in OF_PROGRAMME:
            self._gauge(declared).clear()
        for (owner, outcome), count in Tally(self._outcomes.values()).items():
            self._gauge(PROGRAMME).labels(owner, outcome).set(count)
        everything = Tally(owner for owner, _ in self._outcomes.values())
        learned = Tally(owner for owner, outcome in self._outcomes.values() if Outcome(outcome) in LEARNING)
        for owner, count in everything.items():
            self._gauge(LEARNING_RATE).labels(owner).set(learned[owner] / count)
