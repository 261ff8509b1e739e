"""Whose word counts: approvals of a design, objections to it, and approvals of acting against the recommendation.

A person's newest verdict counts alone, comments aside; and only about the very design that the Review names.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from crossfade_operator.api.decision import DecisionAction, ReviewDue, ReviewNote, SubjectKind
from crossfade_operator.api.modelendpoint import OwnApproval
from crossfade_operator.api.review import ReviewVerdict
from crossfade_operator.core.experiment.view import ReviewSeen, View

MAX_NOTES = 50


def of_design(view: View, design: str | None) -> tuple[ReviewSeen, ...]:
    """The reviews of the experiment that name this design, oldest first."""
    return tuple(
        review
        for review in view.reviews
        if review.spec.subject.kind is SubjectKind.EXPERIMENT
        and review.spec.subject.name == view.name
        and review.spec.subject.design == design
    )


def newest(reviews: Iterable[ReviewSeen]) -> dict[str, ReviewSeen]:
    """Every person's newest verdict, comments aside."""
    said = (review for review in reviews if review.spec.verdict is not ReviewVerdict.COMMENT)
    return {review.spec.reviewer: review for review in sorted(said, key=lambda one: (one.created, one.name))}


def _counts(view: View, reviewer: str) -> bool:
    own = {view.spec.owner, view.spec.decision_maker}
    return reviewer not in own or view.policy.reviews.own_approval is OwnApproval.COUNTS


def approvals(view: View, design: str | None) -> tuple[str, ...]:
    """Who approves this design and counts, by name."""
    said = newest(of_design(view, design))
    return tuple(
        sorted(
            name
            for name, review in said.items()
            if review.spec.verdict is ReviewVerdict.APPROVE and _counts(view, name)
        )
    )


def objections(view: View, design: str | None) -> tuple[ReviewSeen, ...]:
    """The newest verdicts that ask for changes."""
    said = newest(of_design(view, design))
    return tuple(review for _, review in sorted(said.items()) if review.spec.verdict is ReviewVerdict.REQUEST_CHANGES)


def overrides(view: View, action: DecisionAction, by: str, since: datetime) -> tuple[str, ...]:
    """Other people than `by` who, knowing the result (`since`), approve this very action with a reason."""
    said = newest(of_design(view, view.status.design_hash))
    whole_second = since.replace(microsecond=0)  # the API server keeps no finer creation times
    return tuple(
        sorted(
            name
            for name, review in said.items()
            if review.spec.verdict is ReviewVerdict.APPROVE
            and review.spec.action is action
            and review.spec.reason is not None
            and review.created >= whole_second
            and name != by
            and _counts(view, name)
        )
    )


def is_reviewed(view: View, due: ReviewDue) -> bool:
    """Whether another person than the one who decided has reviewed the Decision."""
    return any(
        review.spec.subject.kind is SubjectKind.DECISION
        and review.spec.subject.name == due.decision
        and review.spec.verdict is not ReviewVerdict.COMMENT
        and review.spec.reviewer != due.by
        for review in view.reviews
    )


def notes(view: View) -> tuple[ReviewNote, ...]:
    """The reviews of this design as a Decision keeps them; where there are too many, comments fall away first."""
    found = of_design(view, view.status.design_hash)
    weighty = sorted(found, key=lambda one: (one.spec.verdict is ReviewVerdict.COMMENT, -one.created.timestamp()))
    kept = {one.name for one in weighty[:MAX_NOTES]}
    return tuple(
        ReviewNote(
            name=one.name, reviewer=one.spec.reviewer, verdict=one.spec.verdict.value, reason=one.spec.reason or ""
        )
        for one in found
        if one.name in kept
    )
