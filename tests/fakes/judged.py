"""A candidate that fails, judged by the real evaluator over made-up traffic: evidence to export and verify."""

from __future__ import annotations

from typing import Any

from crossfade_analyzer.contract import Evaluation, Plan
from crossfade_analyzer.evaluator import Evaluator
from crossfade_analyzer.store.evidence import Evidence
from tests.fakes.exporter import Router
from tests.fakes.prometheus import FakePrometheus
from tests.fakes.requests import request

SUBJECT = "ModelRollout/recs/ranker/uid/new/1"
LOOKS = 4


def judge_a_failing_candidate(store: Evidence) -> Evaluation:
    """The last of `LOOKS` looks, which found harm."""
    prometheus = FakePrometheus()
    router = Router("recs/ranker", prometheus.seconds)
    prometheus.target(router)
    prometheus.scrape()
    since = prometheus.now_ms
    evaluator = Evaluator(prometheus, store, lambda: prometheus.now_ms)
    evaluations = []
    for _ in range(LOOKS):
        for _ in range(3):
            for bucket in range(100):
                router.served("stable", bucket, 9, 0)
                router.served("candidate", bucket, 1, int(bucket % 3 == 0))
            prometheus.scrape()
        evaluations.append(evaluator.evaluate(request(since, subject=SUBJECT)))
    assert evaluations[-1].verdict == "Harmful"
    return evaluations[-1]


def plan_of_it() -> Plan:
    """What it was judged under."""
    return request(0, subject=SUBJECT).plan


def results_of(evaluation: Evaluation) -> list[dict[str, Any]]:
    """As a Decision holds them."""
    return [
        {
            "name": metric.name,
            "role": metric.role.value,
            "verdict": metric.verdict.value,
            "message": metric.message,
            **{
                key: f"{value:.6g}"
                for key, value in (
                    ("control", metric.control.value if metric.control else None),
                    ("value", metric.candidate.value if metric.candidate else None),
                    ("estimate", metric.ratio),
                    ("lower", metric.lower),
                    ("upper", metric.upper),
                )
                if value is not None
            },
        }
        for metric in evaluation.metrics
    ]
