from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crossfade_analyzer.contract import EvidenceFile, Verification
from crossfade_operator.cli.decisions.verification import agrees, differences
from crossfade_operator.cli.decisions.view import decision_of

DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
Record = Callable[[str], dict[str, Any]]


def _judged(decision: dict[str, Any]) -> dict[str, Any]:
    """The analyzer's answer that the decision was made from, with more places than a record keeps."""
    metrics = []
    for one in decision["spec"]["results"]:
        figures = {key: float(one[key]) * 1.0000001 for key in ("estimate", "lower", "upper")}
        if one.get("treatment"):
            relative = {"value": figures["estimate"], "lower": figures["lower"], "upper": figures["upper"]}
            metrics.append({"metric": one["name"], "treatment": one["treatment"], "verdict": one["verdict"],
                            "relative": relative})  # fmt: skip
        else:
            metrics.append({"name": one["name"], "verdict": one["verdict"], "ratio": figures["estimate"],
                            "lower": figures["lower"], "upper": figures["upper"]})  # fmt: skip
    return {"metrics": metrics}


def _evidence(decision: dict[str, Any], judged: dict[str, Any] | None = None, digest: str = DIGEST) -> EvidenceFile:
    entries = [
        {"seq": 0, "kind": "opened", "body": {}, "digest": OTHER},
        {
            "seq": 1,
            "kind": "look",
            "body": {},
            "previous": OTHER,
            "digest": digest,
            "result": judged or _judged(decision),
        },
    ]
    locator = decision["spec"]["evidence"]["locator"]
    return EvidenceFile.model_validate({"subject": locator, "digest": digest, "entries": entries})


def _verified(decision: dict[str, Any], **changes: Any) -> Verification:
    verdicts = {"Ship": "Ship", "Rollback": "Harmful", "Promote": "Proven"}
    spec = decision["spec"]
    fields = {
        "digest": DIGEST,
        "subject": spec["evidence"]["locator"],
        "verified": True,
        "looks": 5,
        "verdict": verdicts[spec["recommendation"]],
        "rule": spec["rule"],
        "differences": (),
    }
    return Verification.model_validate({**fields, **changes})


@pytest.mark.parametrize("sort", ["shipped", "rolled-back", "promoted"])
def test_a_record_of_what_comes_out_differs_in_nothing(record: Record, sort: str) -> None:
    decision = record(sort)
    assert differences(decision_of(decision), _verified(decision), _evidence(decision)) == ()


def test_a_changed_figure_is_named_with_both_values(record: Record) -> None:
    decision = record("shipped")
    evidence = _evidence(decision)
    decision["spec"]["results"][0]["lower"] = "0.0062"
    (said,) = differences(decision_of(decision), _verified(decision), evidence)
    assert said == "plays (treatment), lower end: the decision says 0.0062, recomputed it is 0.0061"


@pytest.mark.parametrize(
    ("sort", "changes", "said"),
    [
        pytest.param("shipped", {"verdict": "Abort"}, "recommendation: the decision says Ship, recomputed it is Abort",
                     id="an-experiments-recommendation"),
        pytest.param("promoted", {"verdict": "Undecided"},
                     "recommendation: the decision says Promote, the evidence is Undecided", id="a-rollouts-verdict"),
        pytest.param("promoted", {"rule": "rollout@2"}, "rule: the decision says rollout@1, recomputed it is rollout@2",
                     id="the-rules-version"),
        pytest.param("promoted", {"subject": "ModelRollout/recs/other"}, "evidence locator: the decision says "
                     "ModelRollout/recs/ranker/6a1f0000-0000-4000-8000-000000000002/kx7wq2m9bc/4, recomputed it is "
                     "ModelRollout/recs/other", id="the-chain"),
        pytest.param("promoted", {"differences": ("entry 3 (look): the content was changed",), "verified": False},
                     "the evidence does not verify: entry 3 (look): the content was changed", id="the-evidence-itself"),
    ],
)  # fmt: skip
def test_what_was_recomputed_is_held_against_the_record(
    record: Record, sort: str, changes: dict[str, Any], said: str
) -> None:
    decision = record(sort)
    assert differences(decision_of(decision), _verified(decision, **changes), _evidence(decision)) == (said,)


def test_a_verdict_and_a_metric_that_differ_are_named(record: Record) -> None:
    decision = record("promoted")
    judged = _judged(decision)
    judged["metrics"][0]["verdict"] = "Harmful"
    del judged["metrics"][1]
    found = differences(decision_of(decision), _verified(decision), _evidence(decision, judged))
    assert found == (
        "error-rate, verdict: the decision says Proven, recomputed it is Harmful",
        "latency: the decision has a result, the evidence has none",
    )


def test_other_evidence_is_not_taken_for_the_decisions(record: Record) -> None:
    decision = record("promoted")
    found = differences(decision_of(decision), _verified(decision, digest=OTHER), _evidence(decision, digest=OTHER))
    assert found[0] == f"evidence digest: the decision says {DIGEST}, recomputed it is {OTHER}"
    assert "the evidence at hand ends with" in found[1]
    assert "error-rate: the decision has a result, the evidence has none" in found


@pytest.mark.parametrize(
    ("said", "found", "same"),
    [
        (0.0179, 0.01790004, True),
        (0.0179, 0.0180, False),
        (None, None, True),
        (None, float("inf"), True),
        (None, 0.1, False),
        (0.1, None, False),
        (0.0, 1e-15, True),
    ],
)
def test_figures_agree_as_far_as_a_record_goes(said: float | None, found: float | None, same: bool) -> None:
    assert agrees(said, found) is same
