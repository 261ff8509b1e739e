"""Views to decide from, one line each: v1 is stable, v2 is the candidate, and all is well unless a case says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from crossfade_analyzer.contract import Evaluation, Reason, Requests, Verdict
from crossfade_operator.api.modelrollout import ModelRolloutSpec
from crossfade_operator.api.modelrollout_status import Candidate, CandidateRequests, ModelRolloutStatus, Stage
from crossfade_operator.api.review import ReviewSpec
from crossfade_operator.core.reviews import ReviewSeen
from crossfade_operator.core.rollout.view import Pods, Routes, View
from crossfade_operator.core.slices import Grant
from crossfade_operator.ports.verdicts import Unavailable

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STABLE, CANDIDATE, OTHER = "stable0001", "candidate2", "another003"
DIGEST = "sha256:" + "0" * 64
OTHER_DIGEST = "sha256:" + "1" * 64

STEPS = (
    {"slice": "1%", "hold": "10m", "minRequests": 100},
    {"slice": "10%", "hold": "30m", "minRequests": 100},
    {"slice": "50%", "hold": "1h", "minRequests": 100},
)


def spec(steps: Any = STEPS, analysis: Any = None, **fields: Any) -> ModelRolloutSpec:
    container = {"name": "model", "image": "v2", "ports": [{"name": "http", "containerPort": 8080}]}
    return ModelRolloutSpec.model_validate(
        {
            "endpoint": "ranker",
            "replicas": 2,
            "template": {"spec": {"containers": [container]}},
            "strategy": {"steps": list(steps), "analysis": {"interval": "30s", **(analysis or {})}},
            **fields,
        }
    )


def first_step(**fields: Any) -> tuple[dict[str, Any], ...]:
    """The steps, with other fields in the first one."""
    return ({**STEPS[0], **fields}, *STEPS[1:])


def candidate(stage: Stage = Stage.ANALYZING, **fields: Any) -> Candidate:
    """In its first step, whose hold of 10 minutes is over, proven by its last look and with requests enough."""
    started = None if stage in (Stage.STARTING, Stage.SHIFTING) else NOW - 11 * MINUTE
    usual: dict[str, Any] = {
        "revision": CANDIDATE,
        "stage": stage,
        "started_at": NOW - 12 * MINUTE if started else NOW - MINUTE,
        "deadline_at": NOW + 10 * MINUTE,
        "since": started,
        "step_started_at": started,
        "proven": started is not None,
        "evidence": DIGEST if started else None,
        "positions": 0 if stage is Stage.STARTING else 10,
        "requests": CandidateRequests(control=9000, candidate=1000, candidate_in_step=1000 if started else 0),
    }
    return Candidate(**{**usual, **fields})


def status(one: Candidate | None = None, **fields: Any) -> ModelRolloutStatus:
    return ModelRolloutStatus(**{"stable_revision": STABLE, "candidate": one, "attempts": 2, **fields})


READY = Pods(wanted=2, ready=2, current=True)
HALF = Pods(wanted=2, ready=1, current=True)
ONE = Pods(wanted=1, ready=1, current=True)
NONE = Pods(wanted=2, ready=0, current=True)
CRASHING = Pods(wanted=2, ready=0, current=True, crashing="container model is in CrashLoopBackOff")


def granted(positions: int = 10, revision: str = CANDIDATE, arm: str = "candidate") -> Grant:
    return Grant("ModelRollout/ranker", arm, revision, ((0, positions - 1),))


def routes(one: Candidate | None = None, **fields: Any) -> Routes:
    """Confirmed routes that fit the candidate's stage: a slice of 1 % while it has one."""
    exposed = one is not None and one.stage in (Stage.SHIFTING, Stage.ANALYZING)
    usual: dict[str, Any] = {
        "confirmed": True,
        "stable": STABLE,
        "candidate": granted() if exposed else None,
        "known": frozenset({STABLE, CANDIDATE}),
        "reachable": True,
    }
    return Routes(**{**usual, **fields})


def view(one: Candidate | None = None, **fields: Any) -> View:
    """The view of a rollout whose candidate is `one`. `pods` are the candidate's alone."""
    pods = {STABLE: READY, CANDIDATE: fields.pop("pods", READY)}
    usual: dict[str, Any] = {
        "name": "ranker",
        "generation": 7,
        "spec": spec(),
        "status": status(one),
        "target": CANDIDATE,
        "now": NOW,
        "pods": pods,
        "routes": routes(one),
    }
    return View(**{**usual, **fields})


def answer(verdict: Verdict = Verdict.PROVEN, reason: Reason | None = None, in_step: int = 1000) -> Evaluation:
    """An analyzer's answer."""
    return Evaluation(
        subject="ModelRollout/recs/ranker",
        verdict=verdict,
        reason=reason,
        message=f"the analyzer says {verdict.value}",
        look=3,
        requests=Requests(control=9000, candidate=1000, candidate_in_step=in_step),
        metrics=(),
        digest=DIGEST,
        rule="rollout@1",
    )


def review(
    reviewer: str = "ben", verdict: str = "Approve", revision: str = CANDIDATE, *, minutes: float = 1, **spec: Any
) -> ReviewSeen:
    """What somebody said about the candidate, so many minutes ago."""
    subject = {"kind": "ModelRollout", "name": "ranker", "revision": revision}
    body = {"subject": subject, "verdict": verdict, "reviewer": reviewer, "reason": "so it is", **spec}
    return ReviewSeen(f"{reviewer}-{minutes:g}", ReviewSpec.model_validate(body), NOW - minutes * MINUTE)


PROVEN, HARMFUL, UNDECIDED = answer(Verdict.PROVEN), answer(Verdict.HARMFUL), answer(Verdict.UNDECIDED)
GONE = Unavailable("connection refused")


def blind(reason: Reason) -> Evaluation:
    return answer(Verdict.CANNOT_JUDGE, reason)
