"""Writing a Review: in one's own name, about what one sees."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from crossfade_operator.api.decision import DecisionAction
from crossfade_operator.api.review import ReviewSpec, ReviewVerdict
from crossfade_operator.cli.names import EXPERIMENT, ROLLOUT, Kind, Named
from crossfade_operator.cli.problem import Problem

ACTIONS: Mapping[Kind, tuple[DecisionAction, ...]] = {
    EXPERIMENT: (DecisionAction.SHIP, DecisionAction.ABORT),
    ROLLOUT: (DecisionAction.PROMOTE, DecisionAction.ADVANCE),
}
"""What a person can approve although the rule recommends another thing."""

_NAME_LENGTH = 40
_WORDS = {
    ReviewVerdict.APPROVE: "approve",
    ReviewVerdict.REQUEST_CHANGES: "request-changes",
    ReviewVerdict.DISSENT: "dissent",
    ReviewVerdict.COMMENT: "comment",
}


@dataclass(frozen=True)
class Opinion:
    """Who says what about what, and why. `pin`: the revision or design that is seen."""

    subject: Named
    verdict: ReviewVerdict
    reviewer: str
    reason: str | None = None
    action: DecisionAction | None = None
    pin: str | None = None


def review(opinion: Opinion, token: str) -> Mapping[str, Any]:
    """The object without its kind. Raises `Problem` for an opinion that cannot be recorded."""
    _check(opinion)
    subject: dict[str, str] = {"kind": opinion.subject.kind.name, "name": opinion.subject.name}
    if opinion.pin:
        subject["design" if opinion.subject.kind is EXPERIMENT else "revision"] = opinion.pin
    spec: dict[str, Any] = {"subject": subject, "verdict": opinion.verdict.value, "reviewer": opinion.reviewer}
    if opinion.reason:
        spec["reason"] = opinion.reason
    if opinion.action:
        spec["action"] = opinion.action.value
    try:
        ReviewSpec.model_validate(spec)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise Problem(f"this review cannot be recorded: {first['msg'].removeprefix('Value error, ')}.") from error
    return {"metadata": {"name": name_of(opinion, token)}, "spec": spec}


def name_of(opinion: Opinion, token: str) -> str:
    """`new-ranker-approve-ana-3f9a1c02`: what, how and who, in a name that nobody else uses."""
    who = re.sub(r"[^a-z0-9]+", "-", opinion.reviewer.split("@")[0].rpartition(":")[2].lower()).strip("-")
    parts = (opinion.subject.name[:_NAME_LENGTH].rstrip("-."), _WORDS[opinion.verdict], who[:_NAME_LENGTH], token)
    return "-".join(part for part in parts if part)


def _check(opinion: Opinion) -> None:
    if opinion.verdict is not ReviewVerdict.APPROVE and not opinion.reason:
        raise Problem("what you say needs a reason: it is kept for those who come later.", "give it with -m 'why'")
    if opinion.action is None:
        return
    allowed = ACTIONS.get(opinion.subject.kind, ())
    if opinion.action not in allowed:
        names = " or ".join(action.value.lower() for action in allowed)
        raise Problem(
            f"--action {opinion.action.value.lower()} makes no sense for {opinion.subject}.",
            f"it can be {names}" if names else "leave --action out",
        )
    if not opinion.reason:
        raise Problem("to agree with acting against the recommendation needs a reason.", "give it with -m 'why'")
