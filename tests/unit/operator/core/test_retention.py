"""Which records have had their time: never one that another record still needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossfade_operator.api.decision import RETENTION_LABEL, RETENTION_OVER
from crossfade_operator.core.retention import Records, over

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def _record(kind: str, name: str, spec: dict[str, Any], *, labels: dict[str, str] | None = None) -> dict[str, Any]:
    meta = {
        "namespace": "recs",
        "name": name,
        "uid": f"uid-{name}",
        "creationTimestamp": BEGIN.isoformat(),
        "labels": labels or {},
    }
    return {"apiVersion": "crossfade.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}


def decision(name: str, days: int, *cited: str, about: str = "ranker", **more: Any) -> dict[str, Any]:
    spec = {
        "subject": {"kind": "ModelRollout", "name": about},
        "endpoint": "ranker",
        "retainUntil": (BEGIN + days * DAY).isoformat(),
        "reviews": [{"name": review} for review in cited],
    }
    return _record("Decision", name, spec, **more)


def review(name: str, kind: str, about: str, **more: Any) -> dict[str, Any]:
    return _record("Review", name, {"subject": {"kind": kind, "name": about}}, **more)


def user(kind: str, name: str, endpoint: str = "ranker") -> dict[str, Any]:
    return _record(kind, name, {"endpoint": endpoint})


def endpoint(retention: str | None) -> dict[str, Any]:
    return _record("ModelEndpoint", "ranker", {"policy": {"retention": retention}} if retention else {})


def labelled(day: float, **records: list[dict[str, Any]]) -> list[str]:
    return [one.manifest["metadata"]["name"] for one in over(Records(**records), BEGIN + day * DAY)]


@pytest.mark.parametrize(("day", "expected"), [(9.99, []), (10, ["one"]), (400, ["one", "two"])])
def test_a_decision_is_kept_until_the_day_written_in_it(day: float, expected: list[str]) -> None:
    assert labelled(day, decisions=[decision("one", 10), decision("two", 400)]) == expected


def test_what_bears_the_label_is_left_alone() -> None:
    done = {RETENTION_LABEL: RETENTION_OVER}
    records = {
        "decisions": [decision("one", 10, labels=done)],
        "reviews": [review("r", "Decision", "one", labels=done)],
    }
    assert labelled(10_000, **records) == []


@pytest.mark.parametrize(
    ("kind", "about", "users"),
    [
        ("ModelRollout", "ranker", [user("ModelRollout", "ranker")]),
        ("Experiment", "new-ranker", [user("Experiment", "new-ranker")]),
        ("Decision", "one", []),
    ],
)
def test_a_review_is_kept_as_long_as_its_endpoints_policy_says(
    kind: str, about: str, users: list[dict[str, Any]]
) -> None:
    records = {
        "decisions": [decision("one", 5)],
        "reviews": [review("r", kind, about)],
        "endpoints": [endpoint("30d")],
        "users": users,
    }
    assert labelled(29.9, **records) == ["one"]
    assert labelled(30, **records) == ["one", "r"]


@pytest.mark.parametrize("known", [[], [endpoint(None)]], ids=["endpoint gone", "no policy"])
def test_without_a_policy_the_default_counts(known: list[dict[str, Any]]) -> None:
    records = {
        "reviews": [review("r", "ModelRollout", "ranker")],
        "users": [user("ModelRollout", "ranker")],
        "endpoints": known,
    }
    assert labelled(364, **records) == []
    assert labelled(20 * 365, **records) == ["r"]


@pytest.mark.parametrize(
    ("kind", "about", "cited"),
    [("ModelRollout", "ranker", []), ("Decision", "one", []), ("ModelRollout", "deleted-since", ["r"])],
    ids=["of its subject", "of itself", "that cites it"],
)
def test_a_review_is_never_kept_shorter_than_a_decision(kind: str, about: str, cited: list[str]) -> None:
    records = {
        "decisions": [decision("one", 5000, *cited), decision("two", 10)],
        "reviews": [review("r", kind, about)],
        "endpoints": [endpoint("30d")],
        "users": [user("ModelRollout", "ranker"), user("ModelRollout", "deleted-since")],
    }
    assert labelled(4999, **records) == ["two"]
    assert labelled(5000, **records) == ["one", "two", "r"]


def test_only_the_label_is_set_and_only_on_this_very_record() -> None:
    (effect,) = over(Records(decisions=[decision("one", 1)]), BEGIN + DAY)
    assert effect.manifest["metadata"] == {
        "name": "one",
        "namespace": "recs",
        "uid": "uid-one",
        "labels": {RETENTION_LABEL: RETENTION_OVER},
    }
    assert "spec" not in effect.manifest
