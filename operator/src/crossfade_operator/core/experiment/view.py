"""What a decision about an experiment is made from, and what it comes to. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any

from crossfade_analyzer.contract import ExperimentEvaluation, ExperimentPlan
from crossfade_operator.api.decision import DecisionAction
from crossfade_operator.api.experiment import DesiredState, ExperimentSpec
from crossfade_operator.api.experiment_status import ArmStatus, ExperimentStatus
from crossfade_operator.api.metric import MetricSpec
from crossfade_operator.api.modelendpoint import ModelEndpointSpec, Policy
from crossfade_operator.api.modelendpoint_status import LedgerArm, LedgerEntry, ModelEndpointStatus
from crossfade_operator.api.review import ReviewSpec
from crossfade_operator.core.effects import Announce
from crossfade_operator.core.rollout.view import Pods
from crossfade_operator.core.signatures import UNNAMED
from crossfade_operator.ports.verdicts import Unavailable


@dataclass(frozen=True)
class EndpointSeen:
    """The endpoint whose users take part."""

    spec: ModelEndpointSpec
    status: ModelEndpointStatus


@dataclass(frozen=True)
class MetricSeen:
    """A Metric in the revision that the design uses."""

    revision: str
    spec: MetricSpec


@dataclass(frozen=True)
class ReviewSeen:
    """A Review of the experiment or of its Decision."""

    name: str
    spec: ReviewSpec
    created: datetime


@dataclass(frozen=True)
class DecisionSeen:
    """A Decision on record about an experiment of this name."""

    name: str
    uid: str
    action: DecisionAction


@dataclass(frozen=True)
class ArmSeen:
    """An arm's template and pods. `problem` says why there is no template, or why its model cannot be told."""

    template: Mapping[str, Any] | None = None
    pods: Pods = field(default_factory=Pods)
    digest: str | None = None
    problem: str | None = None
    exists: bool = False
    """Whether objects of the arm are in the cluster."""


class Recorded(Enum):
    """What became of the Decision that was to be written."""

    STANDS = "it stands"
    TAKEN = "another one of that name says something else"


@dataclass(frozen=True)
class RecordRefused:
    """The API server refused the Decision, with this sentence."""

    message: str


@dataclass(frozen=True)
class View:
    """Everything a decision may depend on. What could not be seen is None, never a guess."""

    namespace: str
    name: str
    uid: str
    generation: int
    spec: ExperimentSpec
    status: ExperimentStatus
    now: datetime
    endpoint: EndpointSeen | None = None
    metrics: Mapping[str, MetricSeen] = field(default_factory=dict)
    """The Metrics that were found, by name."""
    metric_problems: tuple[str, ...] = ()
    """A sentence for every Metric, or revision of one, that was not found."""
    plan: ExperimentPlan | Unavailable | None = None
    """What the analyzer said the design would take, where it was asked; None when nobody asked."""
    reviews: tuple[ReviewSeen, ...] = ()
    """Reviews of the experiment and of its Decisions, oldest first."""
    decisions: tuple[DecisionSeen, ...] = ()
    """Decisions about experiments of this name, oldest first."""
    arms: Mapping[str, ArmSeen] = field(default_factory=dict)
    leftovers: bool = False
    """Whether objects of arms exist that are not this run's."""
    calibration: str | None = None
    """A sentence when an A/A experiment of the endpoint is out of tolerance."""
    record: Recorded | RecordRefused | None = None
    evaluation: ExperimentEvaluation | Unavailable | None = None
    """The answer to a look that was due, or None when none was."""
    asked_by: str = UNNAMED
    """Who asked for the present desired state of this run, as admission has it."""
    deleting: bool = False
    """Whether somebody deleted it, and it stays only until its users are out of the arms."""
    refusal: str | None = None
    """The API server's sentence when it refused an arm's objects in the last turn."""

    @property
    def wanted(self) -> bool:
        return self.spec.desired_state is DesiredState.RUNNING and not self.deleting

    @property
    def holder(self) -> str:
        """As the ledger names this experiment."""
        return f"Experiment/{self.name}"

    @property
    def request_id(self) -> str:
        """Names this run's request for a slice, and nobody else's ever."""
        return f"{self.uid}/{self.status.run}"

    @property
    def subject(self) -> str:
        """This run's chain in the evidence store."""
        return f"Experiment/{self.namespace}/{self.name}/{self.uid}/{self.status.run}"

    @property
    def policy(self) -> Policy:
        """The endpoint's, or the strictest defaults while it is gone."""
        return self.endpoint.spec.policy if self.endpoint else Policy()

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """What the ledger grants this experiment now, whatever was asked."""
        ledger = self.endpoint.status.ledger if self.endpoint else ()
        return tuple(one for one in ledger if one.holder == self.holder and one.arm is LedgerArm.EXPERIMENT)

    @property
    def granted(self) -> bool:
        """Whether every arm of this run's request has positions and its revision."""
        found = {(one.label, one.revision) for one in self.entries if one.request == self.request_id}
        return bool(self.status.arms) and found == {
            (label_of(self.name, arm.name), arm.revision) for arm in self.status.arms
        }

    @property
    def confirmed(self) -> bool:
        """Whether every ready router has confirmed the arms' routes."""
        route = self.endpoint.status.route if self.endpoint else None
        return route is not None and all(route.confirmed_generation >= one.generation for one in self.entries)

    @property
    def routed(self) -> bool:
        """Whether a router may still send users to the arms: not known to be over until every router confirmed it."""
        if self.endpoint is None:
            return False
        route = self.endpoint.status.route
        return bool(self.entries) or (route is not None and route.confirmed_generation < route.generation)

    def arm(self, name: str) -> ArmSeen:
        return self.arms.get(name, ArmSeen())

    def after(self, turn: Turn) -> View:
        """The view with what a turn has noted down so far."""
        return replace(self, status=turn.status)


def label_of(experiment: str, arm: str) -> str:
    """What the router writes into x-arm for an arm."""
    return f"{experiment}.{arm}"


@dataclass(frozen=True)
class Turn:
    """A decision in the making: the next status, and what to tell people."""

    status: ExperimentStatus
    events: tuple[Announce, ...] = ()

    def set(self, **changes: object) -> Turn:
        return replace(self, status=self.status.model_copy(update=changes))

    def set_arm(self, name: str, **changes: object) -> Turn:
        arms: tuple[ArmStatus, ...] = tuple(
            arm.model_copy(update=changes) if arm.name == name else arm for arm in self.status.arms
        )
        return self.set(arms=arms)

    def say(self, event: Announce) -> Turn:
        return replace(self, events=(*self.events, event))
