"""What a review counts for, and what is still missing, in sentences. The rules are the controllers' own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from crossfade_operator.api.decision import DecisionAction
from crossfade_operator.api.modelendpoint import ModelEndpointSpec, Policy
from crossfade_operator.api.modelrollout import ModelRolloutSpec
from crossfade_operator.api.review import ReviewVerdict
from crossfade_operator.cli.decisions.view import Decision
from crossfade_operator.cli.reviews.requests import Opinion
from crossfade_operator.cli.text import listed, several
from crossfade_operator.core import reviews as revision_reviews
from crossfade_operator.core.experiment import findings, reviews
from crossfade_operator.core.experiment.view import View

_NOT_COUNTED = {
    ReviewVerdict.DISSENT: "Dissent blocks nothing. It is kept with the decision and shown with it for ever.",
    ReviewVerdict.COMMENT: "A comment counts for nothing and is kept.",
}


def of_experiment(view: View, design: str, opinion: Opinion) -> list[str]:
    """Of an experiment's design, or of what is to be done with its result. The view holds the review."""
    if opinion.verdict in _NOT_COUNTED:
        return [_NOT_COUNTED[opinion.verdict]]
    reviewer, action = opinion.reviewer, opinion.action
    if opinion.verdict is ReviewVerdict.REQUEST_CHANGES:
        return [f"This design does not start until {reviewer} approves it, or another design takes its place."]
    return list(_override(view, reviewer, action) if action else _design(view, design, reviewer))


def _design(view: View, design: str, reviewer: str) -> Iterator[str]:
    counted, needed = reviews.approvals(view, design), view.policy.reviews.approvals
    if reviewer not in counted:
        yield f"It does not count: {reviewer} owns the experiment or decides it, and the policy asks for others."
    if needed == 0:
        yield "The endpoint's policy asks for no approval before the start."
    else:
        yield f"{len(counted)} of {several(needed, 'approval')} count{f' ({listed(counted)})' if counted else ''}."
    if asked := findings.asked_changes(view, design):
        yield f"It waits for changes: {asked}"


def _override(view: View, reviewer: str, action: DecisionAction) -> Iterator[str]:
    since: datetime | None = view.status.recommended_at or view.status.stopped_at
    if since is None:
        yield "It does not count yet: there is no result that it could be about. Say it again when there is one."
        return
    others = reviews.overrides(view, action, view.spec.decision_maker, since)
    needed = view.policy.reviews.override_approvals
    if reviewer not in others:
        yield f"It does not count: {reviewer} owns the experiment or decides it, and this takes others."
    recommended = view.status.recommendation or "nothing"
    yield f"{len(others)} of {several(needed, 'approval')} of {action} against the recommendation ({recommended})."


@dataclass(frozen=True)
class Candidate:
    """A rollout's candidate and what was said of it."""

    rollout: ModelRolloutSpec
    endpoint: ModelEndpointSpec | None
    revision: str
    since: datetime
    """When its attempt began."""
    owner: str | None
    """Who owned the rollout then."""
    reviews: revision_reviews.Reviews

    @property
    def policy(self) -> Policy:
        return self.endpoint.policy if self.endpoint else Policy()

    @property
    def approving(self) -> tuple[str, ...]:
        return revision_reviews.approvals(self.reviews, but=self.uncounted)

    @property
    def uncounted(self) -> frozenset[str]:
        return revision_reviews.uncounted((self.rollout.owner, self.owner), self.policy)


def of_candidate(candidate: Candidate, opinion: Opinion) -> list[str]:
    """Of a rollout's candidate, or of promoting it against the rule. `candidate` holds the review."""
    if opinion.verdict in _NOT_COUNTED:
        return [_NOT_COUNTED[opinion.verdict]]
    if opinion.verdict is ReviewVerdict.REQUEST_CHANGES:
        return [f"It takes back any approval of revision {candidate.revision} that you gave."]
    told = list(_gate(candidate, opinion.reviewer))
    if opinion.action is not None:
        others = revision_reviews.overrides(candidate.reviews, (opinion.action,), candidate.uncounted, candidate.since)
        needed = candidate.policy.reviews.override_approvals
        told.append(
            f"{len(others)} of {several(needed, 'approval')} of {opinion.action} against the recommendation, should "
            "another of them ask for it."
        )
    return told


def _gate(candidate: Candidate, reviewer: str) -> Iterator[str]:
    asked = [gate.approvals for gate in candidate.rollout.gates if gate.approvals is not None]
    needed = max([*asked, candidate.policy.gates.approvals])
    if reviewer not in candidate.approving:
        yield f"It does not count: {reviewer} owns the rollout, and the policy asks for others."
    if needed == 0:
        yield "No gate of this rollout asks for approvals."
    else:
        names = f" ({listed(candidate.approving)})" if candidate.approving else ""
        yield f"{len(candidate.approving)} of {several(needed, 'approval')} of revision {candidate.revision}{names}."


def of_decision(decision: Decision, reviewer: str, verdict: ReviewVerdict) -> list[str]:
    """Of a decision that is made."""
    if decision.basis == "Emergency" and verdict is not ReviewVerdict.COMMENT:
        if reviewer == decision.actor:
            return ["It is not the review that the emergency owes: that is for another person to write."]
        return ["It is the review that the emergency owed."]
    return ["It changes nothing that was decided; it is shown with the decision for ever."]
