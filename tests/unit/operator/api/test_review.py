from typing import Any

import pytest
from pydantic import ValidationError

from crossfade_operator.api.review import ReviewSpec

SUBJECT = {"kind": "Experiment", "name": "new-ranker", "design": "sha256:00"}


def review(**changes: Any) -> ReviewSpec:
    written = {"subject": SUBJECT, "verdict": "Approve", "reviewer": "bo@example.com"}
    return ReviewSpec.model_validate(written | changes)


def test_an_approval_needs_no_reason() -> None:
    assert review().reason is None


def test_a_reason_may_have_lines() -> None:
    assert review(verdict="Dissent", reason="First.\n\nSecond.").reason == "First.\n\nSecond."


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"verdict": "Dissent"}, "say why in reason", id="dissent without a reason"),
        pytest.param({"verdict": "RequestChanges"}, "say why in reason", id="request without a reason"),
        pytest.param({"verdict": "Comment"}, "say why in reason", id="empty comment"),
        pytest.param({"verdict": "Comment", "reason": " \n "}, "a sentence or more", id="blank comment"),
        pytest.param({"verdict": "Dissent", "reason": "no", "action": "Ship"}, "what an Approve agrees", id="action"),
        pytest.param({"verdict": "LGTM"}, "'Approve', 'RequestChanges', 'Dissent' or 'Comment'", id="unknown verdict"),
        pytest.param({"reviewer": ""}, "a team or a person", id="nobody"),
        pytest.param({"subject": {"kind": "Pod", "name": "a"}}, "'ModelRollout', 'Experiment' or", id="other kind"),
    ],
)
def test_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        review(**changes)
