"""What the analyzer answers about an experiment, and one in memory that keeps its evidence."""

from __future__ import annotations

from collections.abc import Callable

from crossfade_analyzer.contract import (
    Check,
    CheckName,
    ContractReport,
    ExperimentEvaluation,
    ExperimentPlan,
    ExperimentPlanRequest,
    ExperimentReason,
    ExperimentRequest,
    ExperimentState,
    MetricSource,
    Outcome,
    PlannedMetric,
    Recommendation,
)
from crossfade_operator.ports.verdicts import Unavailable

DIGEST = "sha256:" + "0" * 64

Judge = Callable[[ExperimentRequest, int], ExperimentEvaluation | Unavailable]
"""From a question and the number of windows so far to an answer."""


def answer(
    request: ExperimentRequest,
    windows: int = 1,
    *,
    state: ExperimentState = ExperimentState.JUDGED,
    recommendation: Recommendation = Recommendation.CONTINUE,
    reason: ExperimentReason = ExperimentReason.NOT_YET,
    outcome: Outcome = Outcome.NOT_READY,
    treatment: str | None = None,
    checks: tuple[Check, ...] = (),
    final: bool | None = None,
    message: str = "the analyzer says so",
) -> ExperimentEvaluation:
    """An analyzer's answer; after the end it is final."""
    return ExperimentEvaluation(
        subject=request.subject,
        state=state,
        look=min(windows, 5),
        final=request.ended if final is None else final,
        windows=windows,
        progress=min(windows / 10, 1.0),
        metrics=(),
        checks=checks,
        recommendation=recommendation,
        treatment=treatment,
        reason=reason,
        message=message,
        outcome=outcome,
        digest=f"sha256:{windows:064x}",
        rule="experiment@1",
    )


def collecting(request: ExperimentRequest, windows: int) -> ExperimentEvaluation:
    return answer(request, windows, state=ExperimentState.COLLECTING)


def better(request: ExperimentRequest, windows: int) -> ExperimentEvaluation:
    return answer(
        request,
        windows,
        recommendation=Recommendation.SHIP,
        reason=ExperimentReason.SHIP_RULE_MET,
        outcome=Outcome.WIN,
        treatment="treatment",
    )


def worse(request: ExperimentRequest, windows: int) -> ExperimentEvaluation:
    return answer(
        request,
        windows,
        recommendation=Recommendation.ABORT,
        reason=ExperimentReason.DETERIORATION,
        outcome=Outcome.REGRESSION_FOUND,
        treatment="treatment",
    )


def neutral(request: ExperimentRequest, windows: int) -> ExperimentEvaluation:
    return answer(
        request,
        windows,
        recommendation=Recommendation.ABORT,
        reason=ExperimentReason.NO_SUCCESS,
        outcome=Outcome.POWERED_NEUTRAL,
    )


def broken(request: ExperimentRequest, windows: int) -> ExperimentEvaluation:
    return answer(
        request,
        windows,
        state=ExperimentState.CANNOT_JUDGE,
        reason=ExperimentReason.CONTRACT_BROKEN,
        message="the label arm is gone",
    )


def skewed(request: ExperimentRequest, windows: int) -> ExperimentEvaluation:
    check = Check(name=CheckName.SAMPLE_RATIO, passed=False, message="the arms are not split as they should be")
    return answer(
        request,
        windows,
        recommendation=Recommendation.DISCUSS,
        reason=ExperimentReason.CHECK_FAILED,
        outcome=Outcome.INVALID,
        checks=(check,),
    )


def away(_: ExperimentRequest, __: int) -> Unavailable:
    return Unavailable("connection refused")


class FakeAnalyzer:
    """Keeps evidence by subject: what was fixed at the first question, and how many windows there are."""

    def __init__(self) -> None:
        self.judge: Judge = collecting
        self.asked: list[ExperimentRequest] = []
        self.opened: dict[str, ExperimentRequest] = {}
        self.windows: dict[str, int] = {}
        self.broken_metrics: dict[str, str] = {}
        self.planner_away = False

    async def evaluate_experiment(self, request: ExperimentRequest) -> ExperimentEvaluation | Unavailable:
        self.asked.append(request)
        first = self.opened.get(request.subject, request)
        if (first.design, first.arms, first.since) != (request.design, request.arms, request.since):
            return Unavailable("422: the design changed under way")
        windows = self.windows.get(request.subject, 0) + 1
        given = self.judge(request, windows)
        if isinstance(given, ExperimentEvaluation):
            self.opened.setdefault(request.subject, request)
            self.windows[request.subject] = windows
        return given

    async def plan_experiment(self, request: ExperimentPlanRequest) -> ExperimentPlan | Unavailable:
        if self.planner_away:
            return Unavailable("connection refused")
        planned = tuple(
            PlannedMetric(
                metric=one.name,
                role=one.role,
                holds=one.name not in self.broken_metrics,
                message=self.broken_metrics.get(one.name, "fine"),
            )
            for one in request.design.metrics
        )
        return ExperimentPlan(feasible=True, refusals=(), notes=(), metrics=planned)

    async def check(self, source: MetricSource) -> ContractReport | Unavailable:
        return ContractReport(holds=True, message="holds")
