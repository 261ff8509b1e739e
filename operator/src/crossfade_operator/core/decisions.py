"""The object of kind Decision that keeps a rollout's decision for good, from its entry in the status and what was seen.

The entry is written together with the state that follows from it; the object is made before anybody's share changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crossfade_operator.api.decision import (
    CheckFinding,
    DecisionAction,
    DecisionSpec,
    EvidenceRef,
    MetricFinding,
    PreviousRoute,
    ReviewNote,
    Subject,
    SubjectKind,
)
from crossfade_operator.api.meta import API_VERSION
from crossfade_operator.api.modelendpoint_status import Route
from crossfade_operator.api.modelrollout import MetricUse, ModelRolloutSpec
from crossfade_operator.api.modelrollout_status import Action, Decision, ModelRolloutStatus
from crossfade_operator.api.modelrollout_status import MetricResult as MetricRow
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout.checks import BLIND
from crossfade_operator.core.rollout.records import RULE, number_of
from crossfade_operator.core.rollout.view import Pods, View

_BY_EVIDENCE = (Action.ADVANCE, Action.HOLD, Action.PROMOTE, Action.ROLLBACK, Action.APPROVE)
_TO_STABLE = (Action.PROMOTE, Action.RESTORE)


@dataclass(frozen=True)
class About:
    """What a decision is about, beside what its entry says. `stable_decision` is the one in force before it."""

    namespace: str
    name: str
    uid: str
    spec: ModelRolloutSpec
    retention: timedelta
    route: Route | None = None
    stable_decision: str | None = None
    metrics: tuple[MetricRow, ...] = ()
    checks: tuple[CheckFinding, ...] = ()
    reviews: tuple[ReviewNote, ...] = ()


def pending(status: ModelRolloutStatus, recorded: int) -> tuple[Decision, ...]:
    """The decisions whose objects are not known to exist, oldest first."""
    return tuple(entry for entry in status.decisions if number_of(entry.name) > recorded)


def subject_of(namespace: str, name: str, uid: str, revision: str, attempt: int) -> str:
    """The name of an attempt's evidence in the analyzer's store."""
    return f"ModelRollout/{namespace}/{name}/{uid}/{revision}/{attempt}"


def decision_object(entry: Decision, about: About, *, newest: bool = True) -> dict[str, Any]:
    """The manifest. Of one that is not the `newest`, only what its entry says is told: the rest has moved on."""
    labels = {
        "app.kubernetes.io/managed-by": "crossfade",
        "crossfade.dev/endpoint": about.spec.endpoint,
        "crossfade.dev/rollout": about.name,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "Decision",
        "metadata": {"name": entry.name, "namespace": about.namespace, "labels": labels},
        "spec": _spec(entry, about, newest).manifest(),
    }


def _spec(entry: Decision, about: About, newest: bool) -> DecisionSpec:
    seen = newest and entry.action in _BY_EVIDENCE
    return DecisionSpec(
        subject=_subject(entry, about),
        endpoint=about.spec.endpoint,
        owner=about.spec.owner,
        action=DecisionAction(entry.action.value),
        recommendation=entry.recommendation,
        basis=entry.basis,
        actor=entry.by,
        rule=RULE,
        reason=entry.reason,
        message=entry.message,
        rationale=entry.rationale,
        at=entry.at,
        step=entry.step,
        slice=entry.slice,
        design_hash=entry.design_hash,
        evidence=_evidence(entry, about),
        results=_results(about) if seen else (),
        checks=about.checks if newest else (),
        reviews=about.reviews if newest else (),
        supersedes=about.stable_decision if newest and entry.action in _TO_STABLE else None,
        previous_route=_previous(about.route) if newest else None,
        revisit_after=_revisit(entry, about),
        retain_until=entry.at + about.retention,
    )


def _subject(entry: Decision, about: About) -> Subject:
    return Subject(
        kind=SubjectKind.MODEL_ROLLOUT,
        name=about.name,
        uid=about.uid,
        revision=entry.revision,
        model_digest=entry.model_digest,
        attempt=entry.attempt or None,
    )


def _evidence(entry: Decision, about: About) -> EvidenceRef | None:
    if entry.evidence is None:
        return None
    locator = subject_of(about.namespace, about.name, about.uid, entry.revision, entry.attempt)
    return EvidenceRef(digest=entry.evidence, locator=locator)


def _previous(route: Route | None) -> PreviousRoute | None:
    return PreviousRoute(generation=route.generation, digest=route.digest, decision=route.decision) if route else None


def _revisit(entry: Decision, about: About) -> datetime | None:
    """A promotion is looked at again before its way back closes."""
    return entry.at + about.spec.rollback_window if entry.action in _TO_STABLE else None


def _results(about: About) -> tuple[MetricFinding, ...]:
    uses = {use.metric: use for use in about.spec.strategy.analysis.metrics}
    return tuple(_result(row, uses.get(row.name)) for row in about.metrics)


def _result(row: MetricRow, use: MetricUse | None) -> MetricFinding:
    return MetricFinding(
        name=row.name,
        role=row.role.value,
        verdict=row.verdict.value,
        control=row.control.value if row.control else None,
        value=row.candidate.value if row.candidate else None,
        estimate=row.ratio,
        lower=row.lower,
        upper=row.upper,
        margin=_margin(use) if use else None,
        message=row.message,
    )


def _margin(use: MetricUse) -> str | None:
    bound = use.margin or use.tolerance
    if bound is None:
        return None
    return f"{bound.relative} relative" if bound.relative is not None else f"{bound.absolute} absolute"


# Checks ------------------------------------------------------------------------------------------------------


def checks_of(view: View) -> tuple[CheckFinding, ...]:
    """What was checked of the candidate that a decision of this turn is about."""
    candidate = view.status.candidate
    return () if candidate is None else tuple(_checks(view, candidate.revision))


def _checks(view: View, revision: str) -> Iterator[CheckFinding]:
    pods = view.pods_of(revision)
    said = pods.trouble or f"{pods.ready} of {pods.wanted} pods are ready"
    yield CheckFinding(name="PodsReady", passed=pods.all_ready, message=said)
    yield _several_pods(pods)
    confirmed = view.routes.confirmed
    told = "every ready router runs the newest table" if confirmed else "not every ready router runs the newest table"
    yield CheckFinding(name="RoutersConfirmed", passed=confirmed, message=told)
    answer = view.evaluation
    if answer is not None:
        reason = getattr(answer, "reason", Reason.ANALYZER_UNAVAILABLE)
        mismatch = reason == Reason.SAMPLE_RATIO_MISMATCH
        yield CheckFinding(name="EvidenceComplete", passed=reason not in BLIND, message=answer.message)
        if mismatch or reason not in BLIND:
            yield CheckFinding(name="SampleRatio", passed=not mismatch, message=answer.message if mismatch else "")


def _several_pods(pods: Pods) -> CheckFinding:
    """With one pod, its node and its version are the same thing to every metric."""
    alone = pods.wanted == 1
    advice = "the candidate has a single pod, so a bad node looks like a bad version; give spec.replicas 2 or more"
    return CheckFinding(
        name="SeveralPods",
        passed=not alone,
        blocking=False,
        message=advice if alone else f"the candidate has {pods.wanted} pods",
    )
