"""Every reason has a sentence, and every one is given by something."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from crossfade_analyzer.contract import ContractReport
from crossfade_analyzer.contract import Reason as Judged
from crossfade_operator.api.metric import MetricSpec
from crossfade_operator.core import endpoint
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout.machine import decide
from crossfade_operator.ports.verdicts import Unavailable
from crossfade_operator.runtime.learning.metrics import status_after
from dev.generate.states import CONDITIONS, where
from tests.unit.operator.core.rollout.cases import CASES
from tests.unit.operator.core.test_endpoint_status import SAYINGS

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
METRIC = {"metadata": {"name": "plays", "generation": 1}}
SPEC = MetricSpec.model_validate({"type": "Count", "prometheus": {"numerator": "a", "denominator": "b"}})
REPORTS = (
    ContractReport(holds=True, message="holds"),
    ContractReport(holds=False, reason=Judged.CONTRACT_BROKEN, message="broken"),
    ContractReport(holds=False, reason=Judged.METRICS_UNAVAILABLE, message="down"),
    Unavailable("gone"),
)


def of_rollouts() -> Iterator[str]:
    for case in CASES:
        turn = decide(case.view)
        yield turn.status.reason or ""
        yield from (decision.reason for decision in turn.status.decisions)
        yield from (event.reason for event in turn.events)


def of_conditions() -> Iterator[tuple[str, str]]:
    for case in CASES:
        shown = {one.type: one for one in decide(case.view).status.conditions}
        if shown["Ready"].status == "True":
            yield "ModelRollout Ready", shown["Ready"].reason
        if shown["Accepted"].status != "Unknown":
            yield "ModelRollout Accepted", shown["Accepted"].reason
        yield "ModelRollout DecisionsRecorded", shown["DecisionsRecorded"].reason
        yield "ModelRollout ReviewDue", shown["ReviewDue"].reason
    for saying in SAYINGS:
        for one in endpoint.decide(saying.view).status.conditions:
            yield f"ModelEndpoint {one.type}", one.reason
    for report in REPORTS:
        (one,) = status_after(METRIC, SPEC, report, NOW).conditions
        yield f"Metric {one.type}", one.reason


def test_every_reason_is_given_by_some_case() -> None:
    given = {*of_rollouts(), *(reason for _, reason in of_conditions())}
    assert set(Reason) - given == set(), "a reason that nothing gives explains nothing: remove it, or add its case"
    assert given - set(Reason) == set()


def test_the_page_tells_where_each_comes_up() -> None:
    assert [reason for reason in Reason if not list(where(reason))] == []
    documented = {(name, reason.value) for name, reasons in CONDITIONS.items() for reason in reasons}
    assert set(of_conditions()) == documented


def test_every_reason_is_one_word_with_a_sentence() -> None:
    for reason in Reason:
        assert reason.value.isalnum()
        assert reason.sentence.endswith(".")
        assert reason == reason.value
