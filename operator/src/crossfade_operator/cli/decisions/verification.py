"""A Decision held against what was recomputed from its evidence: every difference a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from crossfade_analyzer.contract import Check, EvidenceFile, Plan, Verification
from crossfade_operator.cli.decisions.view import Decision, Finding
from crossfade_operator.core.experiment.results import checks_of
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout.records import plan_hash

Obj = Mapping[str, Any]

_RECOMMENDED = {
    "Harmful": ("Rollback",),
    "Proven": ("Advance", "Promote", "Hold"),
    "Undecided": ("Hold", "Rollback"),
    "CannotJudge": ("Hold", "Rollback"),
}
"""What a rollout's rule may recommend on a verdict: other things than evidence can hold it or roll it back."""

_PODS = (Reason.CRASH_LOOPING, Reason.PROGRESS_DEADLINE_EXCEEDED, Reason.MODEL_CHANGED)
"""Why pods are taken out, whatever the last look at the evidence found."""

_NOTHING_YET = ("", "Continue")

_PLACES = 1e-5
"""Relative difference within which two figures are the same: records hold 6 figures."""


def differences(decision: Decision, verified: Verification, evidence: EvidenceFile) -> tuple[str, ...]:
    """What the Decision says otherwise than its evidence; first what is wrong with the evidence itself.

    `evidence` is the chain that was recomputed. Its last result is what the analyzer answered then; `verified` says
    that it still comes out of the counts, so it is what the Decision's figures are held against.
    """
    return (
        *(f"the evidence does not verify: {text}" for text in verified.differences),
        *_identity(decision, verified, evidence),
        *_judgement(decision, verified),
        *_design(decision, evidence.entries[0].body),
        *_results(decision, (evidence.entries[-1].result or {}) if evidence.digest == decision.evidence else {}),
    )


def _identity(decision: Decision, verified: Verification, evidence: EvidenceFile) -> Iterator[str]:
    yield from _differs("evidence digest", decision.evidence, verified.digest)
    yield from _differs("evidence locator", decision.locator, verified.subject)
    if evidence.digest != decision.evidence:
        yield f"the evidence at hand ends with {evidence.digest}, not with the decision's {decision.evidence}"
    elif evidence.entries[-1].digest != evidence.digest:
        yield f"the evidence is cut: its last entry is {evidence.entries[-1].digest}"


def _judgement(decision: Decision, verified: Verification) -> Iterator[str]:
    yield from _differs("rule", decision.rule, verified.rule)
    if decision.of_rollout:
        allowed = ("Rollback",) if decision.reason in _PODS else _RECOMMENDED.get(verified.verdict, ())
        if decision.recommendation and decision.recommendation not in allowed:
            yield f"recommendation: the decision says {decision.recommendation}, the evidence is {verified.verdict}"
    elif decision.recommendation or verified.verdict not in _NOTHING_YET:
        yield from _differs("recommendation", decision.recommendation or "none", verified.verdict)


def _differs(what: str, said: str | None, found: str | None) -> Iterator[str]:
    if said != found:
        yield f"{what}: the decision says {said or 'nothing'}, recomputed it is {found or 'nothing'}"


def _design(decision: Decision, opened: Obj) -> Iterator[str]:
    """The first entry holds what the guarantee rests on: the plan itself, or the digest of the design."""
    if "plan" in opened:
        yield from _differs("design hash", decision.design_hash, plan_hash(Plan.model_validate(opened["plan"])))
    elif "designHash" in (design := opened.get("design") or {}):
        yield from _differs("design hash", decision.design_hash, design["designHash"])


def _results(decision: Decision, judged: Obj) -> Iterator[str]:
    """What a record tells of its evidence. One of before the first judgement, or of another cause, may tell nothing."""
    metrics = {_key(decision, entry): entry for entry in judged.get("metrics") or ()}
    told = {(finding.name, finding.treatment): finding for finding in decision.results}
    for key, finding in told.items():
        if key in metrics:
            yield from _finding(decision, finding, metrics[key])
        else:
            yield f"{_where(*key)}: the decision has a result, the evidence has none"
    if told or (decision.recommendation and not decision.of_rollout):
        for key in metrics.keys() - told.keys():
            yield f"{_where(*key)}: the evidence has a result, the decision has none"
    if told and not decision.of_rollout:
        yield from _conclusion(decision, judged)


def _key(decision: Decision, entry: Obj) -> tuple[str, str | None]:
    return (entry["name"], None) if decision.of_rollout else (entry["metric"], entry["treatment"])


def _where(name: str, treatment: str | None) -> str:
    return f"{name} ({treatment})" if treatment else name


def _finding(decision: Decision, finding: Finding, entry: Obj) -> Iterator[str]:
    where = _where(finding.name, finding.treatment)
    yield from _differs(f"{where}, verdict", finding.verdict, str(entry.get("verdict")))
    yield from _differs(f"{where}, role", finding.role, str(entry.get("role")))
    for what, said, found in _figures(decision, finding, entry):
        if not agrees(said, found):
            yield f"{where}, {what}: the decision says {_shown(said)}, recomputed it is {_shown(found)}"


def _figures(decision: Decision, finding: Finding, entry: Obj) -> Iterator[tuple[str, float | None, float | None]]:
    """Figures are compared in the places that the Decision shows."""
    if decision.of_rollout:
        found = [entry.get(key) for key in ("ratio", "lower", "upper")]
    else:
        relative = entry.get("relative") or {}
        interval = relative or entry.get("absolute") or {}
        found = [relative.get("value"), interval.get("lower"), interval.get("upper")]
    arms = [
        (entry.get(arm) or {}).get("value") for arm in ("control", "candidate" if decision.of_rollout else "treated")
    ]
    names = ("control", "value", "estimate", "lower end", "upper end")
    said = (finding.control, finding.value, finding.estimate, finding.lower, finding.upper)
    yield from zip(names, said, (*arms, *found), strict=True)


def _conclusion(decision: Decision, judged: Obj) -> Iterator[str]:
    """Of an experiment: its outcome, its checks, and what it would be with nothing excluded."""
    if decision.outcome is not None and decision.action != "Invalidate":
        yield from _differs("outcome", decision.outcome, judged.get("outcome"))
    said = {check.name: check.passed for check in decision.checks}
    found = {check.name: check.passed for check in checks_of(map(Check.model_validate, judged.get("checks") or ()))}
    for name in sorted(said.keys() | found.keys()):
        yield from _differs(f"check {name}", _passed(said.get(name)), _passed(found.get(name)))
    excluded, alone = decision.without_exclusions, judged.get("withoutExclusions") or {}
    yield from _differs(
        "recommendation without exclusions", excluded.recommendation if excluded else None, alone.get("recommendation")
    )


def _passed(passed: bool | None) -> str | None:
    return None if passed is None else "passed" if passed else "failed"


def agrees(said: float | None, found: float | None) -> bool:
    """Equal as far as the record's places go. What no number can show, such as infinity, is on record as nothing."""
    if said is None or found is None or not math.isfinite(found):
        return said is None and (found is None or not math.isfinite(found))
    return math.isclose(said, found, rel_tol=_PLACES, abs_tol=1e-12)


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.6g}"
