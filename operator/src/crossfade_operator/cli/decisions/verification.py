"""A Decision held against what was recomputed from its evidence: every difference a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from crossfade_analyzer.contract import EvidenceFile, Verification
from crossfade_operator.cli.decisions.view import Decision, Finding

Obj = Mapping[str, Any]

_RECOMMENDED = {
    "Harmful": ("Rollback",),
    "Proven": ("Advance", "Promote", "Hold"),
    "Undecided": ("Hold", "Rollback"),
    "CannotJudge": ("Hold", "Rollback"),
}
"""What a rollout's rule may recommend on a verdict: other things than evidence can hold it or roll it back."""

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
    if decision.rule.split("@")[0] == verified.rule.split("@")[0]:
        yield from _differs("rule", decision.rule, verified.rule)
    if decision.of_rollout:
        allowed = _RECOMMENDED.get(verified.verdict, ())
        if decision.recommendation and decision.recommendation not in allowed:
            yield f"recommendation: the decision says {decision.recommendation}, the evidence is {verified.verdict}"
    elif decision.recommendation or verified.verdict not in _NOTHING_YET:
        yield from _differs("recommendation", decision.recommendation or "none", verified.verdict)


def _differs(what: str, said: str | None, found: str) -> Iterator[str]:
    if said != found:
        yield f"{what}: the decision says {said or 'nothing'}, recomputed it is {found}"


def _results(decision: Decision, judged: Obj) -> Iterator[str]:
    """Figures are compared in the places that the Decision shows."""
    name, of = ("name", "candidate") if decision.of_rollout else ("metric", "treatment")
    metrics = {
        (entry.get(name), None if decision.of_rollout else entry.get(of)): entry
        for entry in judged.get("metrics") or ()
    }
    for finding in decision.results:
        entry = metrics.get((finding.name, finding.treatment))
        where = f"{finding.name} ({finding.treatment})" if finding.treatment else finding.name
        if entry is None:
            yield f"{where}: the decision has a result, the evidence has none"
            continue
        yield from _differs(f"{where}, verdict", finding.verdict, str(entry.get("verdict")))
        for what, said, found in _figures(decision, finding, entry):
            if not agrees(said, found):
                yield f"{where}, {what}: the decision says {_shown(said)}, recomputed it is {_shown(found)}"


def _figures(decision: Decision, finding: Finding, entry: Obj) -> Iterator[tuple[str, float | None, float | None]]:
    if decision.of_rollout:
        found = [entry.get(key) for key in ("ratio", "lower", "upper")]
    else:
        relative = entry.get("relative") or {}
        interval = relative or entry.get("absolute") or {}
        found = [relative.get("value"), interval.get("lower"), interval.get("upper")]
    said = (finding.estimate, finding.lower, finding.upper)
    yield from zip(("estimate", "lower end", "upper end"), said, found, strict=True)


def agrees(said: float | None, found: float | None) -> bool:
    """Equal as far as the record's places go. What no number can show, such as infinity, is on record as nothing."""
    if said is None or found is None or not math.isfinite(found):
        return said is None and (found is None or not math.isfinite(found))
    return math.isclose(said, found, rel_tol=_PLACES, abs_tol=1e-12)


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.6g}"
