"""Whose word counts, about which revision, since when."""

from __future__ import annotations

import pytest

from crossfade_operator.api.decision import DecisionAction
from crossfade_operator.core.reviews import approvals, notes, of_its_life, of_revision, overrides
from tests.unit.operator.core.rollout.views import CANDIDATE, MINUTE, NOW, OTHER, review

ADVANCE = (DecisionAction.ADVANCE,)


@pytest.mark.parametrize(
    ("reviews", "but", "counted"),
    [
        pytest.param([review("ana"), review("ben")], (), ("ana", "ben"), id="two people"),
        pytest.param([review("ana"), review("ana", minutes=2)], (), ("ana",), id="one person twice"),
        pytest.param([review("ana"), review("ben")], ("ana", "cy"), ("ben",), id="the owner's own does not count"),
        pytest.param([review("ana", minutes=2), review("ana", "Dissent")], (), (), id="the newest word counts"),
        pytest.param([review("ana", "RequestChanges", minutes=2), review("ana")], (), ("ana",), id="convinced since"),
        pytest.param([review("ana", minutes=2), review("ana", "Comment")], (), ("ana",), id="a comment is none"),
    ],
)
def test_who_approves(reviews: list[object], but: tuple[str, ...], counted: tuple[str, ...]) -> None:
    assert approvals(reviews, but=but) == counted  # type: ignore[arg-type]


def created(name: str, at: str | None) -> dict[str, dict[str, str]]:
    return {"metadata": {"name": name, **({"creationTimestamp": at} if at else {})}}


@pytest.mark.parametrize(
    ("subject", "counted"),
    [
        pytest.param("2026-03-01T12:00:01Z", ["same", "later"], id="one that had a namesake"),
        pytest.param(None, ["earlier", "same", "later"], id="one that is in a file"),
    ],
)
def test_what_was_said_of_a_namesake_does_not_count(subject: str | None, counted: list[str]) -> None:
    said = [created(name, f"2026-03-01T12:00:0{at}Z") for at, name in enumerate(("earlier", "same", "later"))]
    found = of_its_life(said, created("ranker", subject))
    assert [one["metadata"]["name"] for one in found] == counted


def test_a_word_about_another_revision_is_none_about_this_one() -> None:
    found = of_revision([review("ana"), review("ben", revision=OTHER)], CANDIDATE)
    assert [one.spec.reviewer for one in found] == ["ana"]


@pytest.mark.parametrize(
    ("one", "counts"),
    [
        pytest.param(review(action="Advance"), True, id="another agrees"),
        pytest.param(review("ana", action="Advance"), False, id="oneself"),
        pytest.param(review(action="Promote"), False, id="to another action"),
        pytest.param(review(), False, id="to no action"),
        pytest.param(review(action="Advance", reason=None), False, id="without a reason"),
        pytest.param(review(action="Advance", minutes=10), False, id="before the attempt began"),
        pytest.param(review(action="Advance", minutes=5), True, id="in the second in which it began"),
    ],
)
def test_who_agrees_to_act_against_the_recommendation(one: object, counts: bool) -> None:
    since = NOW - 5 * MINUTE + MINUTE / 100
    assert bool(overrides([one], ADVANCE, "ana", since)) is counts  # type: ignore[list-item]


def test_dissent_is_kept_and_comments_fall_away_first() -> None:
    dissent = review("eve", "Dissent", minutes=500)
    comments = [review(f"p{number}", "Comment", minutes=number) for number in range(60)]
    kept = notes([dissent, *comments])
    assert len(kept) == 50
    assert (kept[0].reviewer, kept[0].verdict, kept[0].reason) == ("eve", "Dissent", "so it is")
