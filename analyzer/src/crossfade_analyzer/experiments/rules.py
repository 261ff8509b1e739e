"""From an experiment's evidence to a recommendation: rule `experiment@1`. Pure; a change of meaning gets a new version.

A treatment is shipped when a success metric is superior, every guardrail non-inferior, nothing shown worse and every
check passed (Decision Rule 2). Everything else says what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from crossfade_analyzer.contract import (
    ArmRequests,
    Check,
    CheckName,
    ExperimentEvaluation,
    ExperimentReason,
    ExperimentRole,
    ExperimentState,
    ExperimentType,
    Method,
    MetricSummary,
    Outcome,
    Recommendation,
    VerdictSummary,
)
from crossfade_analyzer.experiments.checks import checks
from crossfade_analyzer.experiments.fold import Fold
from crossfade_analyzer.experiments.looks import STOPPED, progress
from crossfade_analyzer.experiments.records import RULE, Look, Reading
from crossfade_analyzer.experiments.results import results, verdict_of
from crossfade_analyzer.experiments.selftest import tested
from crossfade_analyzer.faults import Finding
from crossfade_analyzer.statistics.experiments.decision import Finding as Shipping
from crossfade_analyzer.statistics.experiments.decision import rule2

POWERED = 0.999
_OF_LASTING_EFFECT = CheckName.STABILITY


@dataclass(frozen=True)
class Conclusion:
    """What the evidence says, in one variant of it (with or without exclusions)."""

    recommendation: Recommendation
    reason: ExperimentReason
    outcome: Outcome
    message: str
    treatment: str | None = None


def judge(
    fold: Fold, found: Sequence[Finding] = (), by_metric: Mapping[str, Finding] | None = None
) -> ExperimentEvaluation:
    """The answer on an experiment's evidence, and on what was found wrong when it was looked for (`found` for all of
    it, `by_metric` for one metric's). What was found wrong never makes an answer better."""
    by_metric = by_metric or {}
    look = fold.looks[-1] if fold.looks else None
    reached, checked = progress(fold), checks(fold)
    conclusion, without = _concluded(fold, look, checked, reached)
    findings = [*found, *by_metric.values()]
    state = _state(fold, conclusion, findings)
    finding = findings[0] if state is ExperimentState.CANNOT_JUDGE else None
    return ExperimentEvaluation(
        subject=fold.opened.subject,
        state=state,
        look=look.number if look else 0,
        final=fold.final,
        windows=len(fold.windows),
        until=_instant(fold.until) if fold.windows else None,
        progress=reached,
        ends=_ends(fold, reached),
        arms=_arms(fold),
        metrics=results(fold, look, by_metric),
        checks=checked,
        recommendation=conclusion.recommendation,
        treatment=conclusion.treatment,
        reason=ExperimentReason(finding.reason.value) if finding else conclusion.reason,
        fault=finding.fault if finding else None,
        message=finding.message if finding else conclusion.message,
        outcome=conclusion.outcome,
        without_exclusions=without,
        self_test=tested(fold) if fold.study.design.type is ExperimentType.AA and fold.windows else None,
        digest=fold.last.digest if fold.windows or fold.looks else None,
        rule=RULE,
    )


def _state(fold: Fold, conclusion: Conclusion, findings: Sequence[Finding]) -> ExperimentState:
    if fold.final or conclusion.recommendation in (Recommendation.SHIP, Recommendation.ABORT):
        return ExperimentState.JUDGED
    if conclusion.recommendation is Recommendation.DISCUSS:
        return ExperimentState.JUDGED
    return ExperimentState.CANNOT_JUDGE if findings else ExperimentState.COLLECTING


def _concluded(
    fold: Fold, look: Look | None, checked: Sequence[Check], reached: float
) -> tuple[Conclusion, VerdictSummary | None]:
    included = _conclude(fold, look, look.included if look else (), checked, reached)
    if look is None or look.everything is None:
        return included, None
    everything = _conclude(fold, look, look.everything, checked, reached)
    summary = VerdictSummary(
        recommendation=everything.recommendation,
        reason=everything.reason,
        outcome=everything.outcome,
        treatment=everything.treatment,
        message=everything.message,
        metrics=tuple(
            MetricSummary(treatment=r.treatment, metric=r.metric, verdict=verdict_of(r, fold.study, look))
            for r in look.everything
        ),
    )
    decisive = {Recommendation.SHIP, Recommendation.ABORT} & {included.recommendation, everything.recommendation}
    if decisive and (included.recommendation, included.treatment) != (everything.recommendation, everything.treatment):
        return _exclusions_matter(included, everything), summary
    return included, summary


def _exclusions_matter(included: Conclusion, everything: Conclusion) -> Conclusion:
    return Conclusion(
        Recommendation.DISCUSS,
        ExperimentReason.EXCLUSIONS_MATTER,
        Outcome.NOT_READY,
        f"The result hangs on what is excluded: with exclusions {included.recommendation} ({included.message}); "
        f"without {everything.recommendation} ({everything.message}). Decide whether the exclusions are right",
    )


def _conclude(
    fold: Fold, look: Look | None, readings: Sequence[Reading], checked: Sequence[Check], reached: float
) -> Conclusion:
    failed = [one for one in checked if one.blocking and not one.passed and one.name is not _OF_LASTING_EFFECT]
    incurable = [one for one in failed if one.name is CheckName.SAMPLE_RATIO]
    if incurable or (failed and fold.final):
        return _invalid((incurable or failed)[0])
    if fold.study.design.type is ExperimentType.AA:
        return _self_tested(fold, look, readings)
    if look is None:
        return _waiting(fold, reached)
    ship = _shipped(fold, look, readings)
    if ship is not None:
        unstable = (c for c in checked if c.name is _OF_LASTING_EFFECT and not c.passed)
        late = next((c for c in unstable if c.arm == ship.treatment), None)
        return _fading(late, ship) if late else ship
    harmed = [r for r in readings if r.harmed and _role(fold, r) is not ExperimentRole.QUALITY]
    if harmed:
        return _harmful(fold, readings, harmed)
    return _undecided(fold, look, readings, reached) if look.final else _waiting(fold, reached)


def _invalid(check: Check) -> Conclusion:
    return Conclusion(
        Recommendation.DISCUSS,
        ExperimentReason.CHECK_FAILED,
        Outcome.INVALID,
        f"Nothing can be concluded: {check.message}",
    )


def _shipped(fold: Fold, look: Look, readings: Sequence[Reading]) -> Conclusion | None:
    """The treatment that meets the rule; of several the one with the clearest success."""
    if not look.final and not _at_any_time(fold):
        return None
    meeting: list[tuple[float, str]] = []
    for arm in fold.study.treatments:
        own = [r for r in readings if r.treatment == arm.name]
        shown = {role: [r for r in own if _role(fold, r) is role] for role in ExperimentRole}
        decided = rule2(
            [r.shown for r in shown[ExperimentRole.SUCCESS]],
            [r.shown for r in shown[ExperimentRole.GUARDRAIL]],
            any_deterioration=any(r.harmed for r in own if _role(fold, r) is not ExperimentRole.QUALITY),
            any_quality_rejected=any(r.harmed for r in shown[ExperimentRole.QUALITY]),
        )
        if decided.reason is Shipping.SHIP:
            clearest = max((r.z or 0.0 for r in shown[ExperimentRole.SUCCESS] or own), default=0.0)
            meeting.append((clearest, arm.name))
    if not meeting:
        return None
    name = max(meeting)[1]
    return Conclusion(
        Recommendation.SHIP, ExperimentReason.SHIP_RULE_MET, Outcome.WIN, _won(fold, readings, name), name
    )


def _at_any_time(fold: Fold) -> bool:
    design = fold.study.design
    return design.method is Method.ALWAYS_VALID and fold.elapsed >= design.min_runtime_seconds * 1000


def _won(fold: Fold, readings: Sequence[Reading], name: str) -> str:
    better = [
        r.metric for r in readings if r.treatment == name and r.shown and _role(fold, r) is ExperimentRole.SUCCESS
    ]
    shown = f"better in {', '.join(better)} and " if better else ""
    return f"{name} is {shown}not worse than any guardrail's margin, and nothing was shown worse"


def _fading(check: Check, ship: Conclusion) -> Conclusion:
    return Conclusion(
        Recommendation.DISCUSS,
        ExperimentReason.LATE_HARM,
        Outcome.NOT_READY,
        f"{ship.message}, but the effect does not last: {check.message}",
        ship.treatment,
    )


def _harmful(fold: Fold, readings: Sequence[Reading], harmed: Sequence[Reading]) -> Conclusion:
    worst = max(harmed, key=lambda r: (r.harm_z or 0.0) - (r.harm_bound or 0.0))
    what = f"{worst.treatment} is shown worse than control in {', '.join(sorted({r.metric for r in harmed}))}"
    better = [r for r in readings if r.treatment == worst.treatment and r.shown]
    better = [r for r in better if _role(fold, r) is ExperimentRole.SUCCESS]
    if better:
        return Conclusion(
            Recommendation.DISCUSS,
            ExperimentReason.SUCCESS_AND_DETERIORATION,
            Outcome.REGRESSION_FOUND,
            f"{what}, and better in {', '.join(r.metric for r in better)}: people must weigh the two",
            worst.treatment,
        )
    return Conclusion(
        Recommendation.ABORT, ExperimentReason.DETERIORATION, Outcome.REGRESSION_FOUND, what, worst.treatment
    )


def _waiting(fold: Fold, reached: float) -> Conclusion:
    """No result yet: go on, or beyond the planned end."""
    design = fold.study.design
    if fold.windows and fold.elapsed >= design.min_runtime_seconds * 1000 and reached < 1 and not _at_any_time(fold):
        return Conclusion(
            Recommendation.EXTEND,
            ExperimentReason.UNDERPOWERED,
            Outcome.NOT_READY,
            f"{reached:.0%} of the planned information after the shortest run time; run on until all of it is there",
        )
    return Conclusion(
        Recommendation.CONTINUE,
        ExperimentReason.NOT_YET,
        Outcome.NOT_READY,
        f"{reached:.0%} of the planned information; results are shown as the method {design.method} allows",
    )


def _undecided(fold: Fold, look: Look, readings: Sequence[Reading], reached: float) -> Conclusion:
    """The last look was taken, and it neither ships nor harms."""
    required = [r for r in readings if _role(fold, r) in (ExperimentRole.SUCCESS, ExperimentRole.GUARDRAIL)]
    refused = next((r for r in required if r.refusal is not None), None)
    if refused is not None:
        return Conclusion(
            Recommendation.DISCUSS,
            ExperimentReason.INSUFFICIENT_DATA,
            Outcome.NOT_READY,
            f"{refused.metric} of {refused.treatment} cannot be judged: {refused.sentence}",
        )
    if reached < POWERED:
        return _underpowered(fold, look, reached)
    success = [r for r in required if _role(fold, r) is ExperimentRole.SUCCESS]
    better = next((r for r in success if r.shown), None)
    missing = next((r for r in required if not r.shown and (better is None or r.treatment == better.treatment)), None)
    unproven = missing is not None and _role(fold, missing) is ExperimentRole.GUARDRAIL
    if better is not None:
        return Conclusion(
            Recommendation.DISCUSS,
            ExperimentReason.GUARDRAIL_NOT_NON_INFERIOR,
            Outcome.POWERED_NEUTRAL,
            f"{better.treatment} is better in {better.metric}, but not shown to be within the margin of "
            f"{missing.metric if missing else 'a guardrail'}: people must weigh the two",
            better.treatment,
        )
    reason = ExperimentReason.GUARDRAIL_NOT_NON_INFERIOR if unproven and not success else ExperimentReason.NO_SUCCESS
    what = "No success metric" if success else "Not every guardrail"
    return Conclusion(
        Recommendation.ABORT,
        reason,
        Outcome.POWERED_NEUTRAL,
        f"{what} shows what was planned, with the planned information reached: keep control",
    )


def _underpowered(fold: Fold, look: Look, reached: float) -> Conclusion:
    time_left = look.cause == STOPPED and fold.elapsed < fold.study.design.max_runtime_seconds * 1000
    return Conclusion(
        Recommendation.EXTEND if time_left else Recommendation.DISCUSS,
        ExperimentReason.UNDERPOWERED,
        Outcome.NOT_READY,
        f"Ended with {reached:.0%} of the planned information, too little to call the difference none; "
        + ("run it again for longer" if time_left else "ask for a larger slice, a larger mde, or more time"),
    )


def _self_tested(fold: Fold, look: Look | None, readings: Sequence[Reading]) -> Conclusion:
    """Equal arms: whatever is found is a false alarm."""
    alarms = [r for r in readings if (r.shown and _role(fold, r) is ExperimentRole.SUCCESS) or r.harmed]
    if look is None or (not look.final and not alarms):
        return Conclusion(
            Recommendation.CONTINUE, ExperimentReason.NOT_YET, Outcome.NOT_READY, "The A/A experiment is running"
        )
    if alarms:
        return Conclusion(
            Recommendation.DISCUSS,
            ExperimentReason.CHECK_FAILED,
            Outcome.INVALID,
            f"Equal arms were found different in {', '.join(sorted({r.metric for r in alarms}))}: by chance in at most "
            f"{fold.study.design.alpha + fold.study.design.alpha_minus:%} of A/A experiments, else the comparison is "
            "wrong; run it again before trusting results of this endpoint",
        )
    return Conclusion(
        Recommendation.CONTINUE,
        ExperimentReason.AS_EXPECTED,
        Outcome.POWERED_NEUTRAL,
        "Equal arms were not found different, the split is true, and the analysis keeps its level",
    )


def _role(fold: Fold, reading: Reading) -> ExperimentRole:
    return next(m.role for m in fold.study.design.metrics if m.name == reading.metric)


def _ends(fold: Fold, reached: float) -> datetime | None:
    """When the last look is expected, at the pace so far."""
    if fold.final:
        return _instant(fold.until)
    if not fold.windows or not reached > 0:
        return None
    design = fold.study.design
    expected = max(design.min_runtime_seconds * 1000, fold.elapsed / reached)
    return _instant(fold.since + round(min(expected, design.max_runtime_seconds * 1000)))


def _arms(fold: Fold) -> tuple[ArmRequests, ...]:
    requests = fold.requests().sum(axis=1) if fold.windows else [0] * len(fold.study.arms)
    return tuple(
        ArmRequests(
            name=arm.name,
            requests=int(requests[number]),
            fallbacks=sum(one.counted.fallbacks[number] for one in fold.windows),
        )
        for number, arm in enumerate(fold.study.arms)
    )


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
