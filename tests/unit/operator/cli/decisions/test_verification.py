from __future__ import annotations

import copy
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
    spec = decision["spec"]
    if spec["subject"]["kind"] == "ModelRollout":
        return {"metrics": [_of_rollout(one) for one in spec["results"]]}
    return {
        "metrics": [_of_experiment(one) for one in spec["results"]],
        "outcome": spec["outcome"],
        "checks": copy.deepcopy(spec.get("checks") or []),
        "withoutExclusions": spec.get("withoutExclusions"),
    }


def _of_rollout(one: dict[str, Any]) -> dict[str, Any]:
    return {
        **{key: one[key] for key in ("name", "role", "verdict")},
        **{arm: {"value": _exact(one, key)} for arm, key in (("control", "control"), ("candidate", "value"))},
        **{key: _exact(one, said) for key, said in (("ratio", "estimate"), ("lower", "lower"), ("upper", "upper"))},
    }


def _of_experiment(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "metric": one["name"],
        **{key: one[key] for key in ("treatment", "role", "verdict")},
        **{arm: {"value": _exact(one, key)} for arm, key in (("control", "control"), ("treated", "value"))},
        "relative": {
            key: _exact(one, said) for key, said in (("value", "estimate"), ("lower", "lower"), ("upper", "upper"))
        },
    }


def _opened(decision: dict[str, Any]) -> dict[str, Any]:
    if decision["spec"]["subject"]["kind"] == "ModelRollout":
        return {}
    return {"design": {"designHash": decision["spec"]["designHash"]}}


def _exact(one: dict[str, Any], key: str) -> float | None:
    return float(one[key]) * 1.0000001 if one.get(key) is not None else None


def _evidence(decision: dict[str, Any], judged: dict[str, Any] | None = None, digest: str = DIGEST) -> EvidenceFile:
    entries = [
        {"seq": 0, "kind": "opened", "body": _opened(decision), "digest": OTHER},
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


@pytest.mark.parametrize("reason", ["CrashLooping", "ProgressDeadlineExceeded", "ModelChanged"])
@pytest.mark.parametrize("verdict", ["Proven", "Undecided", "CannotJudge"])
def test_pods_are_taken_out_whatever_the_last_look_found(record: Record, reason: str, verdict: str) -> None:
    decision = record("rolled-back")
    decision["spec"]["reason"] = reason
    evidence = _evidence(decision)
    assert differences(decision_of(decision), _verified(decision, verdict=verdict), evidence) == ()
    decision["spec"]["reason"] = "EvidenceOfHarm"
    if verdict == "Proven":
        assert differences(decision_of(decision), _verified(decision, verdict=verdict), evidence) != ()


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


LEFT_OUT = "plays (treatment): the evidence has a result, the decision has none"


def _worse(spec: dict[str, Any]) -> None:
    spec["outcome"] = "Win" if spec["outcome"] != "Win" else "Invalid"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda spec: spec["results"].pop(0), LEFT_OUT, id="a-result-left-out"),
        pytest.param(lambda spec: spec["results"].clear(), LEFT_OUT, id="all-left-out"),
        pytest.param(_worse, "outcome: the decision says", id="outcome"),
        pytest.param(lambda spec: spec["checks"][0].update(passed=not spec["checks"][0]["passed"]),
                     "check SampleRatio: the decision says failed, recomputed it is passed", id="a-check-turned"),
        pytest.param(lambda spec: spec["checks"].pop(0), "check SampleRatio: the decision says nothing",
                     id="a-check-left-out"),
        pytest.param(lambda spec: spec["results"][0].update(role="Guardrail"), "plays (treatment), role", id="role"),
        pytest.param(lambda spec: spec["results"][0].update(control="9"), "plays (treatment), control", id="control"),
        pytest.param(lambda spec: spec.update(designHash=OTHER), "design hash: the decision says", id="design"),
        pytest.param(lambda spec: spec.update(rule="other@1"), "rule: the decision says other@1", id="rule"),
        pytest.param(lambda spec: spec.update(withoutExclusions={"recommendation": "Abort", "reason": "x"}),
                     "recommendation without exclusions", id="excluded"),
    ],
)  # fmt: skip
def test_nothing_that_a_record_tells_of_its_evidence_can_be_changed(
    record: Record, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    decision = record("shipped")
    evidence, verified = _evidence(decision), _verified(decision)
    change(decision["spec"])
    found = differences(decision_of(decision), verified, evidence)
    assert any(text.startswith(said) for text in found), found


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
