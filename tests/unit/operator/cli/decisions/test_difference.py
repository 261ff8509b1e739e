from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crossfade_operator.cli.decisions.difference import differences
from crossfade_operator.cli.decisions.view import decision_of

Record = Callable[[str], dict[str, Any]]


def _said(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return dict(differences(decision_of(one), decision_of(other)))


def test_equal_decisions_differ_in_nothing(record: Record) -> None:
    assert differences(decision_of(record("shipped")), decision_of(record("shipped"))) == ()


def test_two_decisions_on_one_experiment(record: Record) -> None:
    assert _said(record("shipped"), record("shipped-against-the-rule")) == {
        "Results": (
            "plays (treatment), verdict: Superior → Inconclusive",
            "plays (treatment), estimate: +1.8% [+0.6%, +3.0%] → +0.8% [-0.2%, +1.8%]",
            "error-rate (treatment), verdict: NonInferior → Inconclusive",
            "error-rate (treatment), estimate: -3.1% [-8.4%, +2.2%] → -3.1% [-8.4%, +46.0%]",
        ),
        "Checks": ("StartSkew: only in new-ranker-exp-000003",),
        "Reviews": (
            "Dissent by cy@example.com: only in new-ranker-exp-000002",
        ),
        "Decision": (
            "recommendation: Ship → Discuss",
            "basis: Evidence → Human",
            "outcome: Win → NotReady",
            "rationale: Listeners come back more often, and nothing else moved. → The old model's licence ends this "
            "month; no harm was seen.",
        ),
    }  # fmt: skip


def _set(obj: dict[str, Any], path: str, value: Any) -> None:
    *most, last = path.split(".")
    for part in most:
        obj = obj[int(part)] if part.isdigit() else obj[part]  # type: ignore[index]
    obj[last] = value


@pytest.mark.parametrize(
    ("path", "value", "topic", "said"),
    [
        pytest.param("subject.modelDigest", "sha256:" + "11" * 32, "Subject",
                     "model: sha256:7e7e7e7e… → sha256:11111111…", id="the-model"),
        pytest.param("subject.revision", "p4rtz8vnd5", "Subject", "the model is the same; only what does not change "
                     "its answers differs, such as replicas or labels", id="the-same-model-in-another-revision"),
        pytest.param("rule", "experiment@2", "Design and rule", "rule: experiment@1 → experiment@2", id="the-rule"),
        pytest.param("designHash", "sha256:" + "22" * 32, "Design and rule",
                     "design or plan: sha256:dededede… → sha256:22222222…", id="the-design"),
        pytest.param("results.0.revision", "zzzzzzzzzz", "Design and rule",
                     "contract of plays (treatment): 1a2b3c4d5e → zzzzzzzzzz", id="a-metrics-contract"),
        pytest.param("results.1.margin", "1% absolute", "Design and rule",
                     "error-rate (treatment) is held against: 0.5% absolute → 1% absolute", id="a-margin"),
        pytest.param("evidence.digest", "sha256:" + "33" * 32, "Evidence",
                     "both are of the same chain: one look, or window, came after the other", id="the-look"),
        pytest.param("checks.0.passed", False, "Checks",
                     "SampleRatio: passed → failed (50.1% of 1,204,332 requests, nominal 50%)", id="a-check"),
        pytest.param("reviews.0.verdict", "Dissent", "Reviews", "bo@example.com: Approve → Dissent", id="a-reviewer"),
        pytest.param("actor", "bo@example.com", "Decision", "by: ana@example.com → bo@example.com", id="who"),
    ],
)  # fmt: skip
def test_one_difference_is_one_sentence_under_its_topic(
    record: Record, path: str, value: Any, topic: str, said: str
) -> None:
    changed = record("shipped")
    _set(changed["spec"], path, value)
    found = _said(record("shipped"), changed)
    assert list(found) == [topic]
    assert said in found[topic]


def test_a_rollout_and_an_experiment_can_be_compared(record: Record) -> None:
    found = _said(record("shipped"), record("promoted"))
    assert found["Subject"][0] == "about: Experiment new-ranker → ModelRollout ranker"
    assert "error-rate: only in ranker-000009" in found["Results"]


def test_a_check_that_forbids_nothing_warns_and_does_not_fail(record: Record) -> None:
    calm, warned = record("shipped"), record("shipped")
    calm["spec"]["checks"][0]["blocking"] = warned["spec"]["checks"][0]["blocking"] = False
    warned["spec"]["checks"][0]["passed"] = False
    assert _said(calm, warned)["Checks"][0].startswith("SampleRatio: passed → warned (")
