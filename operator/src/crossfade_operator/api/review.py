"""Review: what a named person says about a rollout, an experiment or a decision. Immutable, dissent included."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from crossfade_operator.api.decision import DecisionAction, SubjectKind
from crossfade_operator.api.meta import (
    Column,
    Digest,
    Owner,
    Resource,
    ShortText,
    SpecModel,
    TextFormat,
)
from crossfade_operator.api.rules import Rule

Reasoning = Annotated[
    str, TextFormat(r"^(.|\n)*[^ \t\r\n\f\v](.|\n)*$", 1024, "must be a sentence or more, at most 1024 characters")
]


class ReviewVerdict(StrEnum):
    """What a reviewer says. Dissent does not block by itself, and is shown with the decision for ever."""

    APPROVE = "Approve"
    REQUEST_CHANGES = "RequestChanges"
    DISSENT = "Dissent"
    COMMENT = "Comment"


class ReviewSubject(SpecModel):
    """What is reviewed: an object, in the state that the reviewer saw."""

    kind: SubjectKind = Field(description="Kind of the object.")
    name: ShortText = Field(description="Name of the object, in the review's namespace.")
    revision: ShortText | None = Field(
        default=None,
        description="For a ModelRollout the revision that was seen: an approval of another one does not count.",
    )
    design: Digest | None = Field(
        default=None,
        description="For an Experiment the digest of the design that was seen: an approval of another one does not "
        "count.",
    )


class ReviewSpec(SpecModel):
    """Who says what, and why."""

    RULES = (
        Rule(
            cel="self.verdict == 'Approve' || has(self.reason)",
            message="say why in reason: every verdict but Approve needs one",
            holds=lambda review: review.verdict is ReviewVerdict.APPROVE or review.reason is not None,
        ),
        Rule(
            cel="!has(self.action) || self.verdict == 'Approve'",
            message="action is what an Approve agrees to: leave it out of another verdict",
            holds=lambda review: review.action is None or review.verdict is ReviewVerdict.APPROVE,
        ),
    )

    subject: ReviewSubject = Field(description="What is reviewed.")
    verdict: ReviewVerdict = Field(description="What the reviewer says.")
    reviewer: Owner = Field(description="The reviewer's own user name; admission refuses another one.")
    reason: Reasoning | None = Field(default=None, description="Why.")
    action: DecisionAction | None = Field(
        default=None,
        description="The action that is agreed to although the rule recommends another, such as Ship or Promote.",
    )


RESOURCE = Resource(
    kind="Review",
    plural="reviews",
    short_name="rev",
    description="What a named person says about a ModelRollout, an Experiment or a Decision. Immutable.",
    spec=ReviewSpec,
    status=None,
    rules=(
        Rule(
            cel="self.spec == oldSelf.spec",
            message="a Review cannot be changed: write another one",
            at=".spec",
        ),
    ),
    columns=(
        Column("Kind", ".spec.subject.kind", "Kind of what is reviewed."),
        Column("Subject", ".spec.subject.name", "What is reviewed."),
        Column("Verdict", ".spec.verdict", "What the reviewer says."),
        Column("Reviewer", ".spec.reviewer", "Who reviewed."),
        Column("Reason", ".spec.reason", "Why."),
        Column("Action", ".spec.action", "The action agreed to against the recommendation.", wide=True),
        Column("Age", ".metadata.creationTimestamp", "Age of the object.", type="date"),
    ),
    selectable=(".spec.subject.kind", ".spec.subject.name", ".spec.reviewer"),
)
