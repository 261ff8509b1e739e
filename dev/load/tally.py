"""What became of the requests: by model, by user, and whether anything failed that the model did not fail itself."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from dev.load.connection import Answer, NoAnswer
from dev.load.models import Models
from dev.load.slices import OneSlice, Slices
from serving_image.training.population import Play

_STEP = 1.05
"""Latencies are kept in bins of 5 %."""
_EXAMPLES = 20


def unit_of(play: Play) -> str:
    """What the endpoint's unit header says of a listener."""
    return f"user-{play.user}"


@dataclass
class Latencies:
    """A histogram of seconds in logarithmic bins."""

    bins: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> int:
        """Count one; returns its bin."""
        number = round(math.log(max(seconds, 1e-6), _STEP))
        self.bins[number] += 1
        return number

    def quantile(self, share: float) -> float | None:
        """Seconds below which `share` of the latencies are, to 5 %; None when there are none."""
        rank, seen = share * self.bins.total(), 0
        for number in sorted(self.bins):
            seen += self.bins[number]
            if seen >= rank:
                return float(_STEP**number)
        return None

    def milliseconds(self) -> dict[str, float | None]:
        quantiles = {"p50": self.quantile(0.5), "p90": self.quantile(0.9), "p99": self.quantile(0.99)}
        return {name: None if value is None else round(1000 * value, 1) for name, value in quantiles.items()}


@dataclass
class OneModel:
    """What one model version answered."""

    requests: int = 0
    errors: int = 0
    users: set[int] = field(default_factory=set)
    latencies: Latencies = field(default_factory=Latencies)
    sessions: int = 0
    """Reported sessions that this version's answers began; the arm that they count for is the router's to say."""
    plays: int = 0

    def summary(self) -> dict[str, Any]:
        share = round(self.errors / self.requests, 5) if self.requests else None
        return {
            "requests": self.requests,
            "errors": self.errors,
            "error_share": share,
            "users": len(self.users),
            "latency_ms": self.latencies.milliseconds(),
            "sessions": self.sessions,
            "plays_per_session": round(self.plays / self.sessions, 4) if self.sessions else None,
        }


@dataclass
class Tally:
    """Counts as requests end. `failed` holds failures of delivery: the ones no model is to blame for."""

    models: Models
    slices: Slices | None = None
    """Counts by slice as well, when given."""
    requests: int = 0
    skipped: int = 0
    """Requests that were due but not sent, because too many were unanswered: the load could not keep its rate."""
    statuses: Counter[str] = field(default_factory=Counter)
    by_model: dict[str, OneModel] = field(default_factory=dict)
    per_user: Counter[int] = field(default_factory=Counter)
    own_failures: Counter[int] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    failed_users: set[int] = field(default_factory=set)
    examples: list[dict[str, Any]] = field(default_factory=list)
    latencies: Latencies = field(default_factory=Latencies)
    by_slice: dict[str, OneSlice] = field(default_factory=dict)

    def add(self, play: Play, outcome: Answer | NoAnswer, seconds: float, at: float) -> None:
        """One request that ended `at` seconds after the load began, `seconds` after it was due."""
        self.requests += 1
        self.per_user[play.user] += 1
        number, failures = self.latencies.add(seconds), self.failed.total()
        self._count(play, outcome, seconds, at)
        if self.slices is not None:
            model = self.models.name(outcome.digest) if isinstance(outcome, Answer) else "none"
            one = self.by_slice.setdefault(self.slices.of(unit_of(play)), OneSlice())
            one.add(model, number, failed=self.failed.total() > failures)

    def _count(self, play: Play, outcome: Answer | NoAnswer, seconds: float, at: float) -> None:
        if isinstance(outcome, NoAnswer):
            self.statuses["none"] += 1
            self.fail(play, str(outcome), at)
            return
        self.statuses[str(outcome.status)] += 1
        one = self.by_model.setdefault(self.models.name(outcome.digest), OneModel())
        one.requests += 1
        one.users.add(play.user)
        one.latencies.add(seconds)
        if outcome.status == 200:
            return
        one.errors += 1
        if self.models.fails_by_itself(outcome.digest, outcome.status, play.track):
            self.own_failures[play.user] += 1
        else:
            self.fail(play, f"HTTP {outcome.status} from {self.models.name(outcome.digest)}", at)

    def add_session(self, play: Play, answer: Answer, plays: int, reported: Answer | NoAnswer, at: float) -> None:
        """One session that `answer` began, and what became of its report."""
        if isinstance(reported, NoAnswer):
            self.fail(play, f"report: {reported}", at)
        elif reported.status != 204:
            self.fail(play, f"report: HTTP {reported.status}", at)
        else:
            one = self.by_model.setdefault(self.models.name(answer.digest), OneModel())
            one.sessions += 1
            one.plays += plays

    def fail(self, play: Play, kind: str, at: float) -> None:
        """One failure that no model is to blame for."""
        self.failed[kind] += 1
        self.failed_users.add(play.user)
        if len(self.examples) < _EXAMPLES:
            self.examples.append({"at": round(at, 2), "user": play.user, "track": play.track, "failure": kind})

    def summary(self, elapsed: float) -> dict[str, Any]:
        """Everything so far, as plain JSON. Seconds, milliseconds where the name says so."""
        return {
            "elapsed": round(elapsed, 1),
            "requests": self.requests,
            "sessions": sum(one.sessions for one in self.by_model.values()),
            "skipped": self.skipped,
            "rate": round(self.requests / elapsed, 1) if elapsed > 0 else 0.0,
            "users": len(self.per_user),
            "busiest_user_requests": max(self.per_user.values(), default=0),
            "statuses": dict(self.statuses),
            "models": {name: one.summary() for name, one in sorted(self.by_model.items())},
            "own_failures": {"requests": self.own_failures.total(), "users": len(self.own_failures)},
            "failed": {
                "requests": self.failed.total(),
                "users": len(self.failed_users),
                "kinds": dict(self.failed),
                "examples": self.examples,
            },
            "latency_ms": self.latencies.milliseconds(),
            **({"slices": {name: one.summary() for name, one in self.by_slice.items()}} if self.slices else {}),
        }
