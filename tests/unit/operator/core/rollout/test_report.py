"""How a rollout is shown: columns, conditions and the rows of its evidence. Phases and reasons are in the cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crossfade_analyzer.contract import ArmCounts, MetricResult, Role, Verdict
from crossfade_operator.api.modelrollout_status import Outcome, Phase, Stage
from crossfade_operator.core.rollout.machine import decide
from crossfade_operator.core.rollout.report import metric_rows
from crossfade_operator.core.rollout.view import Pods, View
from tests.unit.operator.core.rollout.case import decided
from tests.unit.operator.core.rollout.cases_requests import Action
from tests.unit.operator.core.rollout.views import (
    CANDIDATE,
    HALF,
    NOW,
    OTHER,
    PROVEN,
    STABLE,
    candidate,
    granted,
    routes,
    spec,
    status,
    view,
)

ONE = candidate()


@pytest.mark.parametrize(
    ("found", "step", "slice_", "revision", "replicas", "ready"),
    [
        pytest.param(view(ONE), 1, "1%", CANDIDATE, 4, 4, id="in a step"),
        pytest.param(view(ONE, pods=HALF), 1, "1%", CANDIDATE, 4, 3, id="with an unready pod"),
        pytest.param(view(candidate(Stage.STARTING), pods=HALF), 0, "0%", CANDIDATE, 4, 3, id="starting"),
        pytest.param(view(target=STABLE), 0, "100%", STABLE, 2, 2, id="promoted"),
        pytest.param(
            view(endpoint_found=False, status=status(stable_revision=None)), 0, "0%", None, 0, 0, id="nothing"
        ),
        pytest.param(
            view(ONE, routes=routes(ONE, candidate=granted(revision=OTHER))), 1, "0%", CANDIDATE, 4, 4, id="not granted"
        ),
    ],
)
def test_the_columns(found: View, step: int, slice_: str, revision: str | None, replicas: int, ready: int) -> None:
    made = decide(found).status
    assert (made.step, made.steps, made.slice, made.revision) == (step, 3, slice_, revision)
    assert (made.replicas, made.ready_replicas) == (replicas, ready)
    assert (made.observed_generation, made.candidate_revision) == (7, revision if revision == CANDIDATE else None)
    assert made.selector == "crossfade.dev/rollout=ranker,crossfade.dev/component=revision"


WITHDRAWN = candidate(Stage.WITHDRAWING, outcome=Outcome.ROLLED_BACK)
ROLLED_BACK = status(
    WITHDRAWN, decisions=decided(Action.ROLLBACK, "CrashLooping"), failed_revision=CANDIDATE, decision_count=4
)


@pytest.mark.parametrize(
    ("found", "true", "unknown"),
    [
        pytest.param(view(ONE), {"Ready", "Progressing", "Accepted"}, set(), id="in a step"),
        pytest.param(view(target=STABLE), {"Ready", "Promoted", "Accepted"}, set(), id="promoted"),
        pytest.param(view(ONE, spec=spec(paused=True)), {"Ready", "Paused", "Accepted"}, set(), id="paused"),
        pytest.param(
            view(WITHDRAWN, status=ROLLED_BACK, routes=routes(candidate=granted())),
            {"Ready", "RolledBack", "Accepted"},
            set(),
            id="rolled back",
        ),
        pytest.param(
            view(status=status(stable_revision=None)), {"Progressing", "Accepted"}, set(), id="the first revision"
        ),
        pytest.param(
            view(endpoint_found=False), set(), {"Ready", "Accepted"}, id="without an endpoint nothing was looked at"
        ),
        pytest.param(view(claimed_by="first"), set(), {"Ready", "Accepted"}, id="another holds the endpoint"),
        pytest.param(
            view(endpoint_found=False, status=status(stable_revision=None)),
            set(),
            {"Ready", "Accepted"},
            id="nothing at all",
        ),
    ],
)
def test_the_conditions_that_hold(found: View, true: set[str], unknown: set[str]) -> None:
    made = {one.type: one for one in decide(found).status.conditions}
    assert list(made) == [
        "Ready",
        "Progressing",
        "Promoted",
        "RolledBack",
        "Paused",
        "Accepted",
        "DecisionsRecorded",
        "ReviewDue",
    ]
    assert {name for name, one in made.items() if one.status == "True"} == true | {"DecisionsRecorded"}
    assert {name for name, one in made.items() if one.status == "Unknown"} == unknown
    assert {one.observed_generation for one in made.values()} == {7}


def test_a_decision_that_is_not_on_record_is_shown_also_of_a_rollout_at_rest() -> None:
    shown = decide(view(target=STABLE, unrecorded="no more records")).status.conditions[-2]
    assert (shown.type, shown.status, shown.reason) == ("DecisionsRecorded", "False", "DecisionNotRecorded")
    assert shown.message == "no more records"


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"refusals": {STABLE: "exceeded quota: pods"}}, id="its objects"),
        pytest.param(
            {"pods": {STABLE: Pods(2, 1, current=True, refused="exceeded quota: pods")}}, id="its Deployment's pods"
        ),
    ],
)
def test_what_the_api_server_refuses_to_the_stable_revision_is_shown_and_told_once(fields: dict[str, Any]) -> None:
    found = replace(view(target=STABLE), **fields)
    turn = decide(found)
    accepted = turn.status.conditions[-3]
    assert (accepted.type, accepted.status, accepted.reason) == ("Accepted", "False", "ObjectsRefused")
    assert accepted.message == f"revision {STABLE}: exceeded quota: pods"
    assert (turn.status.phase, turn.status.reason) == ("Promoted", "UpToDate"), "users are served all the same"
    assert [(event.kind, event.reason) for event in turn.events] == [("Warning", "ObjectsRefused")]
    again = decide(replace(found, status=turn.status))
    assert again == replace(turn, events=())


def test_an_unready_stable_revision_is_counted() -> None:
    pods = {STABLE: Pods(wanted=2, ready=1, current=True)}
    found = View("ranker", 7, spec(), status(), STABLE, NOW, pods=pods, routes=routes())
    ready = decide(found).status.conditions[0]
    assert (ready.status, ready.message) == ("False", "1 of 2 pods of the stable revision are ready")


def test_a_phase_is_kept_only_with_its_reason() -> None:
    made = decide(view(ONE, evaluation=PROVEN, status=status(ONE, phase=Phase.HOLDING, reason="Inconclusive"))).status
    assert (made.phase, made.reason) == (Phase.PROGRESSING, "ShiftingTraffic")


def test_the_rows_of_the_evidence() -> None:
    full = MetricResult(
        name="error-rate",
        role=Role.GUARDRAIL,
        verdict=Verdict.HARMFUL,
        message="doubled",
        control=ArmCounts(events=10, total=1000, value=0.01),
        candidate=ArmCounts(events=2, total=0),
        ratio=2.0004567,
        lower=1.5,
        upper=1e7,
    )
    bare = MetricResult(name="latency", role=Role.DETERIORATION, verdict=Verdict.CANNOT_JUDGE, message="no data")
    evidence = PROVEN.model_copy(update={"metrics": (full, bare)})
    one, other = metric_rows(evidence)
    assert (one.name, one.role, one.verdict, one.message) == ("error-rate", "Guardrail", "Harmful", "doubled")
    assert (one.ratio, one.lower, one.upper) == ("2", "1.5", "1e+07")
    assert one.control is not None
    assert one.candidate is not None
    assert (one.control.events, one.control.total, one.control.value) == (10, 1000, "0.01")
    assert (one.candidate.total, one.candidate.value) == (0, None)
    assert (other.control, other.candidate, other.ratio) == (None, None, None)
    assert decide(view(ONE, evaluation=evidence)).status.metrics == (one, other)
