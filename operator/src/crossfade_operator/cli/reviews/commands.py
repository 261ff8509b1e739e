"""approve, request-changes, dissent, comment: on experiments, rollouts and decisions."""

from __future__ import annotations

import argparse
import secrets

from crossfade_operator.api.decision import DecisionAction
from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelrollout import ModelRolloutSpec
from crossfade_operator.api.review import ReviewVerdict
from crossfade_operator.cli.decisions.view import decision_of
from crossfade_operator.cli.experiments.seen import design_hash, parsed, review_of, view_of
from crossfade_operator.cli.flags import Verbs, output_flag, reason_flag
from crossfade_operator.cli.names import DECISION, ENDPOINT, EXPERIMENT, REVIEW, ROLLOUT, named
from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.reviews import counting
from crossfade_operator.cli.reviews.requests import ACTIONS, Opinion, review
from crossfade_operator.cli.rollouts.view import rollout_of
from crossfade_operator.cli.session import Session
from crossfade_operator.cli.text import short
from crossfade_operator.cli.values import Obj, time
from crossfade_operator.core import reviews as revision_reviews

_VERBS = (
    ("approve", ReviewVerdict.APPROVE, "agree: with a design, a revision, or with acting against a recommendation"),
    ("request-changes", ReviewVerdict.REQUEST_CHANGES, "ask for changes: the design does not start before"),
    ("dissent", ReviewVerdict.DISSENT, "disagree on record: it blocks nothing and is shown for ever"),
    ("comment", ReviewVerdict.COMMENT, "say something on record"),
)
_SUBJECTS = (EXPERIMENT, ROLLOUT, DECISION)


def add(verbs: Verbs) -> None:
    """The four of them."""
    actions = [action.value.lower() for allowed in ACTIONS.values() for action in allowed]
    for verb, verdict, text in _VERBS:
        parser = verbs.add(verb, text, _review, verdict=verdict, action=None)
        parser.add_argument("name", help="exp/NAME, rollout/NAME or decision/NAME")
        reason_flag(parser, "why", required=False)
        if verdict is ReviewVerdict.APPROVE:
            parser.add_argument(
                "--action", choices=actions, help="agree with this although the rule recommends another"
            )
        output_flag(parser, "the Review")


def _review(session: Session, options: argparse.Namespace) -> int:
    subject = named(options.name, _SUBJECTS, ROLLOUT)
    obj = session.cluster.get(subject.kind, subject.name)
    opinion = Opinion(
        subject=subject,
        verdict=options.verdict,
        reviewer=session.cluster.whoami(),
        reason=options.message,
        action=DecisionAction(options.action.capitalize()) if options.action else None,
        pin=_pin(session, opinion_about=obj, verdict=options.verdict),
    )
    made = session.cluster.create(REVIEW, review(opinion, secrets.token_hex(4)))
    if options.output:
        session.give(made, options.output)
        return 0
    of = f" (design {short(opinion.pin)})" if subject.kind is EXPERIMENT else f" ({opinion.pin})" if opinion.pin else ""
    session.tell(f"recorded as {made['metadata']['name']}: {opinion.verdict} by {opinion.reviewer} of {subject}{of}")
    for text in _counts(session, opinion, obj):
        session.tell(text)
    return 0


def _pin(session: Session, opinion_about: Obj, verdict: ReviewVerdict) -> str | None:
    """What is seen: a design or a revision. An approval of nothing in particular would count for nothing."""
    if opinion_about["kind"] == EXPERIMENT.name:
        return design_hash(view_of(session.cluster, opinion_about, session.now))
    if opinion_about["kind"] != ROLLOUT.name:
        return None
    rollout = rollout_of(opinion_about)
    if rollout.candidate is None and verdict in (ReviewVerdict.APPROVE, ReviewVerdict.REQUEST_CHANGES):
        raise Problem(
            f"{rollout.name} has no candidate to {'approve' if verdict is ReviewVerdict.APPROVE else 'change'}.",
            f"dissent or comment, or review its newest decision: kubectl crossfade explain rollout/{rollout.name}",
        )
    return rollout.candidate or rollout.stable


def _counts(session: Session, opinion: Opinion, obj: Obj) -> list[str]:
    """Read anew, with the review that was just made."""
    cluster = session.cluster
    if opinion.subject.kind is EXPERIMENT:
        view = view_of(cluster, obj, session.now)
        return counting.of_experiment(view, opinion.pin or "", opinion)
    if opinion.subject.kind is DECISION:
        return counting.of_decision(decision_of(obj), opinion.reviewer, opinion.verdict)
    return counting.of_candidate(_candidate(session, obj, opinion.pin or ""), opinion)


def _candidate(session: Session, obj: Obj, revision: str) -> counting.Candidate:
    name = obj["metadata"]["name"]
    found = session.cluster.select(REVIEW, {"spec.subject.kind": ROLLOUT.name, "spec.subject.name": name})
    counted = revision_reviews.of_its_life(found, obj)
    said = [revision_reviews.ReviewSeen(one.name, one.spec, one.created) for one in map(review_of, counted)]
    spec = parsed(ModelRolloutSpec, obj, "spec")
    endpoint = session.cluster.find(ENDPOINT, spec.endpoint)
    candidate = (obj.get("status") or {}).get("candidate") or {}
    return counting.Candidate(
        rollout=spec,
        endpoint=parsed(ModelEndpointSpec, endpoint, "spec") if endpoint else None,
        revision=revision,
        since=time(candidate.get("startedAt")) or session.now,
        owner=candidate.get("owner"),
        reviews=revision_reviews.of_revision(said, revision),
    )
