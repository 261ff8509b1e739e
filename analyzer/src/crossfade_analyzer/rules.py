"""From evidence to a verdict: rule `rollout@1`. Pure; a change of meaning gets a new version.

Harm counts first and needs nothing else. Then whatever keeps from judging. Only then a proof.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from crossfade_analyzer.calibration import MIN_REQUESTS
from crossfade_analyzer.contract import (
    ArmCounts,
    Evaluation,
    Fault,
    MetricKind,
    MetricResult,
    Role,
    Verdict,
)
from crossfade_analyzer.contract import MetricPlan as Metric
from crossfade_analyzer.faults import Finding
from crossfade_analyzer.fold import Fold
from crossfade_analyzer.sources.readings import MICRO
from crossfade_analyzer.statistics import rollout as engine

RULE = "rollout@1"

_REFUSALS = {
    engine.Refusal.NO_DATA: Fault.NOTHING_SCRAPED_YET,
    engine.Refusal.NOT_YET: Fault.NOTHING_SCRAPED_YET,
    engine.Refusal.TOO_FEW_BUCKETS: Fault.TOO_FEW_BUCKETS,
    engine.Refusal.EVENTS_EXCEED_REQUESTS: Fault.MORE_EVENTS_THAN_REQUESTS,
    engine.Refusal.BUCKETS_CHANGED: Fault.RELABELLED,
    engine.Refusal.BOUNDS_MISSING: Fault.RELABELLED,
}


def judge(
    fold: Fold, step: int, found: Sequence[Finding] = (), by_metric: Mapping[str, Finding] | None = None
) -> Evaluation:
    """The verdict on a subject's evidence, and on what was found wrong when it was looked for (`found` for all of it,
    `by_metric` for one metric's). What was found wrong never makes a verdict better."""
    by_metric = by_metric or {}
    result = fold.result()
    metrics = tuple(
        _metric(fold, metric, result.metrics[metric.name], by_metric.get(metric.name)) for metric in fold.plan.metrics
    )
    findings = [*found, *by_metric.values(), *_refused(fold, result)]
    verdict, message = _verdict(fold, result, findings)
    stopped = findings[0] if verdict is Verdict.CANNOT_JUDGE else None
    return Evaluation(
        subject=fold.opened.subject,
        verdict=verdict,
        reason=stopped.reason if stopped else None,
        fault=stopped.fault if stopped else None,
        message=message,
        look=fold.looks,
        until=_instant(fold.progress.end) if fold.progress else None,
        requests=fold.tally.requests(step),
        metrics=metrics,
        digest=fold.last_look.digest if fold.last_look else None,
        rule=RULE,
    )


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _verdict(fold: Fold, result: engine.RolloutResult, findings: Sequence[Finding]) -> tuple[Verdict, str]:
    if result.harmful:
        return Verdict.HARMFUL, _harm(fold, result)
    if findings:
        return Verdict.CANNOT_JUDGE, findings[0].message
    if result.proven or not result.guardrails:
        return Verdict.PROVEN, _proof(result)
    waiting = [m.name for m in result.metrics.values() if isinstance(m, engine.MetricResult) and m.proven is False]
    return (
        Verdict.UNDECIDED,
        f"No harm shown after {result.looks} looks; not yet proven within its margin: {', '.join(waiting)}",
    )


def _harm(fold: Fold, result: engine.RolloutResult) -> str:
    cause = result.attribution
    what = f", most of it by {cause.part} since look {cause.start_look}" if cause else ""
    return f"The candidate is worse (found at look {result.harmful_at}, at alpha {fold.plan.alpha}){what}"


def _proof(result: engine.RolloutResult) -> str:
    if not result.guardrails:
        return f"No harm shown after {result.looks} looks, and no guardrail to prove"
    return f"Every guardrail is proven within its margin (at look {result.proven_at}) and no harm shown"


def _refused(fold: Fold, result: engine.RolloutResult) -> list[Finding]:
    """What the statistics refuse to judge: the split of traffic first, since it makes all else doubtful."""
    if not fold.looks:
        return [
            Finding(
                Fault.NOTHING_SCRAPED_YET, "No look was taken yet: the first needs two scrapes after the first exposure"
            )
        ]
    split = result.sample_ratio
    found = []
    if isinstance(split, engine.SampleRatioResult) and split.alarm:
        shown, nominal = f"{split.share_observed:.2%}", f"{split.share_nominal:.2%}"
        found.append(
            Finding(
                Fault.SAMPLE_RATIO_MISMATCH,
                f"The candidate got {shown} of the requests instead of {nominal}, so the arms cannot be compared; "
                "check that every router runs the same table and that clients do not retry into one arm, then retry",
            )
        )
    refusals = [(metric, result.metrics[metric.name]) for metric in fold.plan.metrics]
    return [*found, *(_finding(fold, metric, r) for metric, r in refusals if isinstance(r, engine.CannotJudge))]


def _finding(fold: Fold, metric: Metric, refusal: engine.CannotJudge) -> Finding:
    """Why the statistics do not judge a metric."""
    if metric.kind is MetricKind.LATENCY and not fold.bounds:
        return Finding(
            Fault.NOTHING_SCRAPED_YET,
            f"{metric.name}: its bounds are chosen from control's first {MIN_REQUESTS:,} requests, then it is tested",
        )
    return Finding(_REFUSALS.get(refusal.reason, Fault.NOTHING_SCRAPED_YET), refusal.sentence)


def _metric(
    fold: Fold, plan: Metric, result: engine.MetricResult | engine.CannotJudge, finding: Finding | None
) -> MetricResult:
    if isinstance(result, engine.CannotJudge):
        refused = finding or _finding(fold, plan, result)
        return MetricResult(
            name=plan.name, role=plan.role, verdict=Verdict.CANNOT_JUDGE, reason=refused.fault, message=refused.message
        )
    verdict, message = _metric_verdict(plan, result, finding)
    part = result.leading
    band = part.ratio_interval
    return MetricResult(
        name=plan.name,
        role=plan.role,
        verdict=verdict,
        reason=finding.fault if finding else None,
        message=message,
        control=_arm(plan, part, 0),
        candidate=_arm(plan, part, 1),
        ratio=part.ratio,
        lower=band.lower if band else None,
        upper=band.upper if band else None,
        dispersion=part.phi,
        log_e=result.log_e,
        log_e_proof=result.log_e_proof,
    )


def _metric_verdict(plan: Metric, result: engine.MetricResult, finding: Finding | None) -> tuple[Verdict, str]:
    if result.harmful:
        return Verdict.HARMFUL, f"Shown to be worse, most clearly by {result.leading.key}"
    if finding:
        return Verdict.CANNOT_JUDGE, finding.message
    if plan.role is Role.DETERIORATION:
        return Verdict.UNDECIDED, _detectable(result)
    if result.proven:
        return Verdict.PROVEN, f"Proven within its margin at look {result.proven_at}"
    return Verdict.UNDECIDED, f"Not yet proven within its margin. {_detectable(result)}"


def _detectable(result: engine.MetricResult) -> str:
    ratio = result.leading.detectable_ratio
    return "Not shown to be worse" + (f"; a ratio of {ratio:.2f} would probably have been seen by now" if ratio else "")


def _arm(plan: Metric, part: engine.PartResult, arm: int) -> ArmCounts:
    events, total = part.x[arm], part.n[arm]
    whole = total * (MICRO if plan.kind is MetricKind.MEAN else 1)
    return ArmCounts(events=events, total=total, value=events / whole if total else None)
