"""What a decision about a rollout is made from, and what it comes to. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from crossfade_analyzer.contract import Evaluation, Plan
from crossfade_operator.api.modelrollout import ModelRolloutSpec
from crossfade_operator.api.modelrollout_status import Candidate, ModelRolloutStatus
from crossfade_operator.core.effects import Announce
from crossfade_operator.core.reviews import ReviewSeen
from crossfade_operator.core.slices import POSITIONS, Grant
from crossfade_operator.ports.verdicts import Unavailable


@dataclass(frozen=True)
class Pods:
    """One revision's pods, as its Deployment and they themselves say."""

    wanted: int = 0
    ready: int = 0
    current: bool = False
    """The Deployment controller has acted on what we last asked for."""
    crashing: str | None = None
    """A sentence about a container that crashes again and again, or cannot start."""
    refused: str | None = None
    """The API server's sentence when it refuses to make one of the pods (a quota, an admission webhook)."""

    @property
    def trouble(self) -> str | None:
        """Why there are too few ready ones, as far as somebody says so."""
        return self.crashing or self.refused

    @property
    def all_ready(self) -> bool:
        return self.current and self.ready >= max(self.wanted, 1)


@dataclass(frozen=True)
class Routes:
    """The endpoint's routes. `confirmed`: every ready router has run the newest table."""

    confirmed: bool = False
    stable: str | None = None
    candidate: Grant | None = None
    mirrored: Grant | None = None
    holdout: Grant | None = None
    experiments: int = 0
    """Positions that experiments hold: their users are nobody's control."""
    known: frozenset[str] = frozenset()
    """What the table carries, revisions and arms, routed to or not: only to these may the next table route."""
    reachable: bool | None = None
    """Whether every ready router sees a healthy pod of the candidate; None when one of them could not say."""

    def leads_to(self, revision: str) -> bool:
        """Whether the next table may route to this revision at once, without a request that misses it."""
        return self.confirmed and bool(self.reachable) and revision in self.known

    @property
    def referenced(self) -> frozenset[str]:
        grants = (self.candidate, self.mirrored, self.holdout)
        return frozenset({grant.revision for grant in grants if grant} | ({self.stable} if self.stable else set()))


@dataclass(frozen=True)
class View:
    """Everything a decision may depend on. What could not be seen is None, never a guess."""

    name: str
    generation: int
    spec: ModelRolloutSpec
    status: ModelRolloutStatus
    target: str
    """The revision of `spec.template`."""
    now: datetime
    endpoint_found: bool = True
    claimed_by: str | None = None
    """Another ModelRollout that holds the endpoint."""
    pods: Mapping[str, Pods] = field(default_factory=dict)
    routes: Routes = field(default_factory=Routes)
    no_room: str | None = None
    """The sentence when the next slice does not fit."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """The API server's sentences when it refused objects in the last turn, by revision."""
    plan: Plan | None = None
    """The analysis as the specs say it now; a candidate keeps the one it started with."""
    plan_problem: str | None = None
    """Why the analysis cannot be planned (a Metric that does not exist)."""
    policy_problem: str | None = None
    """What the endpoint's policy asks of every rollout and this one lacks: it does not start, or gets no more users."""
    evaluation: Evaluation | Unavailable | None = None
    """The answer to a look that was due, or None when none was."""
    recorded: int = 0
    """Number of the last decision whose object is known to exist."""
    numbered: int = 0
    """The highest number that a decision of this name has, whoever bore the name then."""
    unrecorded: str | None = None
    """Why the object of a decision could not be made in the last turn: until it is, no share grows."""
    model_digest: str | None = None
    """What the candidate's ready pods run: None while they do not say, or differ."""
    unmet_gate: str | None = None
    """Which gate is not met, and why, in a sentence: until it is, the candidate may not hold more than that."""
    unproven_positions: int = POSITIONS
    """The most that a candidate may hold before its gates are met."""
    reviews: tuple[ReviewSeen, ...] = ()
    """Reviews of the rollout that name the candidate's revision, oldest first."""
    uncounted: frozenset[str] = frozenset()
    """Whose own approval does not count: that of those who own it or did when the attempt began, where the policy says
    so."""
    override_approvals: int = 1
    """Other people who must approve what is done against the recommendation."""
    requested_by: str | None = None
    """Who asks to promote, as admission has it."""
    signers: Mapping[str, str] = field(default_factory=dict)
    """Who asks to abort or retry, by verb, as admission has it."""
    rationale: str | None = None
    """Why, in the words of whoever asks to promote."""
    reviewed: frozenset[str] = frozenset()
    """The decisions that waited for a review afterwards and have one by another person."""
    requests: Mapping[str, str] = field(default_factory=dict)
    """Tokens of the annotations `crossfade.dev/promote|abort|retry`."""

    @property
    def restores(self) -> bool:
        """Whether the target was stable a moment ago: it comes back without steps."""
        until = self.status.previous_until
        return self.status.previous_revision == self.target and until is not None and self.now < until

    def pods_of(self, revision: str | None) -> Pods:
        return self.pods.get(revision, Pods()) if revision else Pods()


@dataclass(frozen=True)
class Turn:
    """A decision in the making: the next status, and what to tell people."""

    status: ModelRolloutStatus
    events: tuple[Announce, ...] = ()

    def set(self, **changes: object) -> Turn:
        return replace(self, status=self.status.model_copy(update=changes))

    def set_candidate(self, **changes: object) -> Turn:
        candidate = self.status.candidate
        assert candidate is not None  # noqa: S101 - callers have one
        return self.set(candidate=candidate.model_copy(update=changes))

    def say(self, event: Announce) -> Turn:
        return replace(self, events=(*self.events, event))


def candidate_of(turn: Turn) -> Candidate:
    """The candidate of a turn that is known to have one."""
    candidate = turn.status.candidate
    if candidate is None:
        raise ValueError("there is no candidate")
    return candidate
