"""Whose word counts about a revision: approvals, and approvals of acting against the recommendation.

A person's newest verdict counts alone, comments aside, and only about the very revision that the Review names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from crossfade_operator.api.decision import DecisionAction, ReviewNote
from crossfade_operator.api.modelendpoint import OwnApproval, Policy
from crossfade_operator.api.review import ReviewSpec, ReviewVerdict
from crossfade_operator.ports.cluster import Obj

MAX_NOTES = 50


@dataclass(frozen=True)
class ReviewSeen:
    """A Review as it was read."""

    name: str
    spec: ReviewSpec
    created: datetime


Reviews = tuple[ReviewSeen, ...]


def of_its_life(reviews: Iterable[Obj], subject: Obj) -> list[Obj]:
    """The Reviews that are no older than what they name: what was said of a deleted namesake counts for nothing."""
    began = _created(subject)
    return [one for one in reviews if _created(one) >= began]


def _created(obj: Obj) -> datetime:
    """What was never created, as in a plan from files, is older than every Review of it."""
    found = obj["metadata"].get("creationTimestamp")
    return datetime.fromisoformat(found) if found else datetime.min.replace(tzinfo=UTC)


def of_revision(reviews: Iterable[ReviewSeen], revision: str) -> Reviews:
    """Those that name this revision."""
    return tuple(review for review in reviews if review.spec.subject.revision == revision)


def newest(reviews: Iterable[ReviewSeen]) -> dict[str, ReviewSeen]:
    """Every person's newest verdict, comments aside."""
    said = (review for review in reviews if review.spec.verdict is not ReviewVerdict.COMMENT)
    return {review.spec.reviewer: review for review in sorted(said, key=lambda one: (one.created, one.name))}


def uncounted(owners: Iterable[str | None], policy: Policy) -> frozenset[str]:
    """Whose own approval does not count: that of present and former owners."""
    if policy.reviews.own_approval is not OwnApproval.DOES_NOT_COUNT:
        return frozenset()
    return frozenset(owner for owner in owners if owner is not None)


def approvals(reviews: Iterable[ReviewSeen], *, but: Collection[str] = ()) -> tuple[str, ...]:
    """Who approves, by name; the word of those in `but` does not count."""
    said = newest(reviews)
    return tuple(
        sorted(name for name, one in said.items() if one.spec.verdict is ReviewVerdict.APPROVE and name not in but)
    )


def overrides(
    reviews: Iterable[ReviewSeen], actions: Collection[DecisionAction], but: Collection[str | None], since: datetime
) -> Reviews:
    """Approvals by others than `but`, of one of these very actions, with a reason, given since the attempt began."""
    whole_second = since.replace(microsecond=0)  # the API server keeps no finer creation times
    return tuple(
        one
        for name, one in sorted(newest(reviews).items())
        if name not in but
        and one.spec.verdict is ReviewVerdict.APPROVE
        and one.spec.action in actions
        and one.spec.reason is not None
        and one.created >= whole_second
    )


def notes(reviews: Iterable[ReviewSeen]) -> tuple[ReviewNote, ...]:
    """The reviews as a Decision keeps them; where there are too many, comments fall away first, then the oldest."""
    found = list(reviews)
    weighty = sorted(found, key=lambda one: (one.spec.verdict is ReviewVerdict.COMMENT, -one.created.timestamp()))
    kept = {one.name for one in weighty[:MAX_NOTES]}
    return tuple(
        ReviewNote(
            name=one.name, reviewer=one.spec.reviewer, verdict=one.spec.verdict.value, reason=one.spec.reason or ""
        )
        for one in found
        if one.name in kept
    )
