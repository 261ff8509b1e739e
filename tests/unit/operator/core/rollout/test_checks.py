"""Each check alone, and the order in which they are asked: the first finding wins."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from crossfade_operator.api.modelrollout_status import Candidate, Stage, Verdict
from crossfade_operator.core.rollout import checks
from crossfade_operator.core.rollout.checks import ENDS, WAITS, Finding, first, hold_ends_at, is_last_step, step_of
from crossfade_operator.core.rollout.view import View
from tests.unit.operator.core.rollout.views import (
    CRASHING,
    DIGEST,
    HALF,
    MINUTE,
    NOW,
    OTHER_DIGEST,
    STEPS,
    candidate,
    first_step,
    granted,
    routes,
    spec,
    view,
)

HARMED = {"verdict": Verdict.HARMFUL, "message": "errors doubled"}
UNPROVEN = {"proven": False, "step_started_at": NOW - 60 * MINUTE}
ROLLBACK = {"inconclusiveAfter": "30m", "onInconclusive": "Rollback"}
LONG_UNREADY = {"unready_since": NOW - 10 * MINUTE}

ALL_ENDS = [
    pytest.param(candidate(**HARMED), {}, "EvidenceOfHarm", "errors doubled", id="harm is shown"),
    pytest.param(candidate(), {"pods": CRASHING}, "CrashLooping", "CrashLoopBackOff", id="pods crash"),
    pytest.param(
        candidate(**LONG_UNREADY), {"pods": HALF}, "ProgressDeadlineExceeded", "1 of 2 pods", id="unready too long"
    ),
    pytest.param(
        candidate(model_digest=DIGEST),
        {"model_digest": OTHER_DIGEST},
        "ModelChanged",
        f"run {OTHER_DIGEST}",
        id="a moved tag",
    ),
    pytest.param(
        candidate(**UNPROVEN), {"spec": spec(analysis=ROLLBACK)}, "Inconclusive", "not every guardrail", id="no proof"
    ),
]


@pytest.mark.parametrize(("one", "fields", "reason", "says"), ALL_ENDS)
def test_what_ends_a_candidate(one: Candidate, fields: dict[str, object], reason: str, says: str) -> None:
    finding = first(ENDS, view(one, **fields), one)
    assert finding is not None
    assert finding.reason == reason
    assert says in finding.message
    alone = [check for check in ENDS if check(view(one, **fields), one)]
    assert len(alone) == 1


def test_nothing_ends_a_candidate_that_is_well() -> None:
    assert first(ENDS, view(candidate()), candidate()) is None


def test_what_ends_it_is_asked_in_this_order() -> None:
    """All at once, then one after the other put right."""
    bad = spec(analysis=ROLLBACK)
    harmed = candidate(**HARMED, **UNPROVEN, **LONG_UNREADY)
    unproven = candidate(**UNPROVEN, **LONG_UNREADY)
    found = [
        first(ENDS, view(harmed, pods=CRASHING, spec=bad), harmed),
        first(ENDS, view(unproven, pods=CRASHING, spec=bad), unproven),
        first(ENDS, view(unproven, pods=HALF, spec=bad), unproven),
        first(ENDS, view(unproven, spec=bad), unproven),
    ]
    reasons = [finding.reason.value for finding in found if finding]
    assert reasons == ["EvidenceOfHarm", "CrashLooping", "ProgressDeadlineExceeded", "Inconclusive"]


def test_a_starting_candidate_may_crash_until_its_deadline() -> None:
    one = candidate(Stage.STARTING)
    assert first(ENDS, view(one, pods=CRASHING), one) is None
    late = view(one, pods=CRASHING, now=NOW + 9 * MINUTE)
    finding = first(ENDS, late, one)
    assert finding is not None
    assert (finding.reason, finding.message) == (
        "ProgressDeadlineExceeded",
        "after 10m container model is in CrashLoopBackOff",
    )


def test_one_ready_pod_is_enough_not_to_be_crash_looping() -> None:
    one = candidate()
    assert first(ENDS, view(one, pods=replace(CRASHING, ready=1)), one) is None


ALL_WAITS = [
    pytest.param(candidate(), {"unrecorded": "no"}, "DecisionNotRecorded", None, id="a decision is not on record"),
    pytest.param(candidate(), {"pods": HALF}, "CandidateUnready", NOW + 10 * MINUTE, id="pods are unready"),
    pytest.param(candidate(), {"spec": spec(paused=True)}, "Paused", None, id="it is paused"),
    *(
        pytest.param(candidate(reason=reason, message="why"), {}, reason, None, id=reason)
        for reason in ("AnalyzerUnavailable", "MetricsUnavailable", "ContractBroken", "SampleRatioMismatch")
    ),
    pytest.param(
        candidate(step=2, positions=500, step_started_at=NOW - 61 * MINUTE),
        {"unmet_gate": "gate x", "unproven_positions": 499},
        "GateNotMet",
        None,
        id="a gate has closed behind it",
    ),
    pytest.param(
        candidate(), {"unmet_gate": "gate x", "unproven_positions": 99}, "GateNotMet", None, id="a gate is before it"
    ),
    pytest.param(candidate(), {"policy_problem": "hold longer"}, "PolicyNotMet", None, id="the policy asks for more"),
    pytest.param(candidate(step_started_at=NOW - MINUTE), {}, "Analyzing", NOW + 9 * MINUTE, id="the hold is running"),
    pytest.param(
        candidate(requests=candidate(Stage.SHIFTING).requests), {}, "InsufficientData", None, id="too few requests"
    ),
    pytest.param(
        candidate(proven=False), {}, "InsufficientData", NOW - MINUTE + 24 * 60 * MINUTE, id="proof is missing"
    ),
    pytest.param(
        candidate(), {"spec": spec(first_step(approvals=1))}, "ApprovalMissing", None, id="an approval is missing"
    ),
    pytest.param(candidate(), {"no_room": "no room"}, "NoFreePositions", None, id="the next slice does not fit"),
]


@pytest.mark.parametrize(("one", "fields", "reason", "until"), ALL_WAITS)
def test_what_a_step_waits_for(one: Candidate, fields: dict[str, object], reason: str, until: datetime | None) -> None:
    found = [finding for check in WAITS if (finding := check(view(one, **fields), one))]
    assert {(finding.reason, finding.until) for finding in found} == {(reason, until)}
    assert found[0].message


def test_insufficient_data_of_the_analyzer_is_no_blindness() -> None:
    one = candidate(reason="InsufficientData")
    assert first(WAITS, view(one), one) is None


def test_what_it_waits_for_is_asked_in_this_order() -> None:
    """Everything at once; each finding is then put right and the next one comes up."""
    steps = first_step(approvals=1)
    one = candidate(
        reason="ContractBroken",
        step_started_at=NOW - MINUTE,
        requests=candidate(Stage.SHIFTING).requests,
        proven=False,
    )
    paused, running = spec(steps, paused=True), spec(steps)
    seen = candidate(step_started_at=NOW - MINUTE, requests=one.requests, proven=False)
    held = candidate(requests=one.requests, proven=False)
    turns: list[tuple[View, Candidate]] = [
        (view(one, pods=HALF, spec=paused, no_room="no room", unrecorded="no"), one),
        (view(one, pods=HALF, spec=paused, no_room="no room"), one),
        (view(one, spec=paused, no_room="no room"), one),
        (view(one, spec=running, no_room="no room"), one),
        (view(seen, spec=running, no_room="no room"), seen),
        (view(held, spec=running, no_room="no room"), held),
        (view(candidate(proven=False), spec=running, no_room="no room"), candidate(proven=False)),
        (view(candidate(), spec=running, no_room="no room"), candidate()),
        (view(candidate(approved_by=("ana",)), spec=running, no_room="no room"), candidate(approved_by=("ana",))),
    ]
    found = [first(WAITS, *turn) for turn in turns]
    assert [finding.reason.value for finding in found if finding] == [
        "DecisionNotRecorded",
        "CandidateUnready",
        "Paused",
        "ContractBroken",
        "Analyzing",
        "InsufficientData",
        "InsufficientData",
        "ApprovalMissing",
        "NoFreePositions",
    ]
    assert "requests" in str(found[5])
    assert "guardrail" in str(found[6])


def test_every_check_is_tested_alone() -> None:
    """A check that is added to a chain needs a case above."""
    ends = {check for check in ENDS for one in ALL_ENDS if check(view(one.values[0], **one.values[1]), one.values[0])}  # type: ignore[arg-type, dict-item]
    waits = {
        check
        for check in WAITS
        for one in ALL_WAITS
        if check(view(one.values[0], **one.values[1]), one.values[0])  # type: ignore[arg-type, dict-item]
    }
    assert (ends, waits) == (set(ENDS), set(WAITS))


# Steps -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "steps", "index", "last"),
    [
        pytest.param(0, 3, 0, False, id="the first"),
        pytest.param(2, 3, 2, True, id="the last"),
        pytest.param(2, 2, 1, True, id="one that was edited away is the last one left"),
    ],
)
def test_the_step(step: int, steps: int, index: int, last: bool) -> None:
    one = candidate(step=step)
    found = view(one, spec=spec(STEPS[:steps]))
    assert (step_of(found, one), is_last_step(found, one)) == (index, last)


def test_a_hold_ends_after_its_steps_time() -> None:
    one = candidate(step=1, step_started_at=NOW)
    assert hold_ends_at(view(one), one) == NOW + 30 * MINUTE
    shifting = candidate(Stage.SHIFTING)
    assert hold_ends_at(view(shifting), shifting) is None


def test_a_deadline_missed_by_routers_is_not_reached_by_an_unconfirmed_table() -> None:
    one = candidate(Stage.STARTING)
    late = NOW + 9 * MINUTE
    missed = view(one, now=late, routes=routes(one, reachable=False, candidate=granted()))
    finding = checks.first(ENDS, missed, one)
    assert isinstance(finding, Finding)
    assert "healthPath" in finding.message
    assert first(ENDS, view(one, now=late, routes=routes(one, reachable=None)), one) is None
