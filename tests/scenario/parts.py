"""What stands around the serving controller: routers that report, and an analyzer that says what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from crossfade_analyzer.contract import (
    ContractReport,
    Evaluation,
    EvaluationRequest,
    MetricSource,
    Reason,
    Requests,
    Verdict,
)
from crossfade_operator.ports.routers import RouterPod, RouterReport
from crossfade_operator.ports.verdicts import Unavailable

Judge = Callable[[EvaluationRequest], Evaluation | Unavailable]


class FakeRouters:
    """What router pods answer: the generation they run, or an error while they are deaf."""

    def __init__(self) -> None:
        self.running: dict[str, int] = {}
        self.deaf: set[str] = set()
        self.unreached: set[str] = set()
        """Revisions and names of arms of which no router reaches a pod."""

    async def reports(self, pods: Sequence[RouterPod], *, names: Collection[str] = ()) -> Sequence[RouterReport]:
        healthy = {name: 0 if name in self.unreached else 2 for name in names}
        return [
            RouterReport(pod.name, None, error="no answer")
            if pod.name in self.deaf
            else RouterReport(pod.name, self.running.get(pod.name, 0), healthy=healthy)
            for pod in pods
        ]


class FakeVerdicts:
    def __init__(self) -> None:
        self.judge: Judge = proven
        self.asked: list[EvaluationRequest] = []

    async def evaluate(self, request: EvaluationRequest) -> Evaluation | Unavailable:
        self.asked.append(request)
        return self.judge(request)

    async def check(self, source: MetricSource) -> ContractReport | Unavailable:
        return ContractReport(holds=True, message="holds")


def answer(
    request: EvaluationRequest, verdict: Verdict, *, requests: int = 10_000, reason: Reason | None = None
) -> Evaluation:
    """An analyzer's answer with this verdict, after so many requests of the candidate in the step."""
    return Evaluation(
        subject=request.subject,
        verdict=verdict,
        reason=reason,
        message=f"the analyzer says {verdict.value}",
        look=1,
        requests=Requests(control=requests * 9, candidate=requests, candidate_in_step=requests),
        metrics=(),
        digest="sha256:" + "0" * 64,
        rule="rollout@1",
    )


def proven(request: EvaluationRequest) -> Evaluation:
    return answer(request, Verdict.PROVEN)


def harmful(request: EvaluationRequest) -> Evaluation:
    return answer(request, Verdict.HARMFUL)


def undecided(request: EvaluationRequest) -> Evaluation:
    return answer(request, Verdict.UNDECIDED)


def unavailable(request: EvaluationRequest) -> Unavailable:
    return Unavailable("connection refused")
