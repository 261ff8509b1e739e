"""What the API server refuses, with its sentence: each case has a manifest that is taken and one, spoilt in one point,
that is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client.exceptions import ApiException

from tests.integration.api.manifests import CONTROL, SPECS, SUCCESS, TREATMENT, with_values
from tests.integration.api.server import Refused, Server, manifest

pytestmark = pytest.mark.integration

Values = dict[str, Any]

DETERIORATION = {"metric": "latency", "role": "Deterioration"}
GUARDRAIL = {"metric": "latency", "role": "Guardrail", "margin": {"relative": "10%"}}

REFUSALS = yaml.safe_load(Path(__file__).with_name("refusals.yaml").read_text())


@pytest.mark.parametrize(
    ("kind", "good", "bad", "says"),
    [
        pytest.param(kind, case["good"], case["bad"], case["says"], id=f"{kind}: {case['name']}")
        for kind, cases in REFUSALS.items()
        for case in cases
    ],
)
def test_a_spec(dry_server: Server, kind: str, good: Values, bad: Values, says: str) -> None:
    dry_server.create(manifest(kind, with_values(SPECS[kind], good)))
    with pytest.raises(Refused) as refusal:
        dry_server.create(manifest(kind, with_values(SPECS[kind], bad)))
    assert re.search(says, str(refusal.value), re.DOTALL), str(refusal.value)


NAMES = [
    ("ModelEndpoint", "a" * 40, "a" * 41, "at most 40 lower-case letters"),
    ("ModelEndpoint", "ranker-2", "2-ranker", "starting with a letter"),
    ("ModelEndpoint", "testers-ranker", "ranker-testers", "must not end in -testers"),
    ("ModelRollout", "a" * 40, "a" * 41, "at most 40 lower-case letters"),
    ("ModelRollout", "ranker-experiment", "ranker-exp", "must not end in -exp"),
    ("ModelRollout", "a-b", "a.b", "lower-case letters, digits and '-'"),
    ("Metric", "a" * 63, "a" * 64, "at most 63 lower-case letters"),
    ("Metric", "my-latency", "latency", "are measured by the router itself"),
    ("Metric", "error-rates", "error-rate", "are measured by the router itself"),
    ("Experiment", "a" * 40, "a" * 41, "at most 40 lower-case letters"),
    ("Experiment", "new-ranker", "new.ranker", "lower-case letters, digits and '-'"),
    ("Decision", "ranker-000001", "Ranker-000001", "lowercase RFC 1123"),
    ("Review", "ana-1", "ana_1", "lowercase RFC 1123"),
]


@pytest.mark.parametrize(("kind", "good", "bad", "says"), NAMES, ids=[f"{kind}: {bad}" for kind, _, bad, _ in NAMES])
def test_a_name(dry_server: Server, kind: str, good: str, bad: str, says: str) -> None:
    dry_server.create(manifest(kind, SPECS[kind], good))
    with pytest.raises(Refused, match=says):
        dry_server.create(manifest(kind, SPECS[kind], bad))


SALT = "salt cannot be changed, added or removed"
ABORT = {"action": "Abort", "by": "ana", "rationale": "It is worse."}
DECISION = "a Decision cannot be changed: make another one that supersedes it"
REVIEW = "a Review cannot be changed: write another one"
UNIT = "unit cannot be changed: .*; create a new ModelEndpoint"
EDITS: list[tuple[str, str, Values, Values, Values, str]] = [
    # kind, what the bad edit does, values before, a good edit, a bad edit, what is said
    ("ModelEndpoint", "changes the salt", {"salt": "a"}, {"salt": "a"}, {"salt": "b"}, SALT),
    ("ModelEndpoint", "removes the salt", {"salt": "a"}, {"owner": "team"}, {"salt": None}, SALT),
    ("ModelEndpoint", "adds a salt", {}, {"owner": "team"}, {"salt": "b"}, SALT),
    ("ModelEndpoint", "changes the header", {}, {"router": {"replicas": 3}}, {"unit": {"header": "x-id"}}, UNIT),
    ("ModelEndpoint", "takes a cookie", {}, {"owner": "team"}, {"unit": {"header": None, "cookie": "u"}}, UNIT),
    (
        "ModelRollout",
        "moves",
        {},
        {"paused": True},
        {"endpoint": "other"},
        "endpoint cannot be changed: create another",
    ),
    (
        "Experiment",
        "moves",
        {},
        {"owner": "team-search"},
        {"endpoint": "other"},
        "endpoint cannot be changed: create another Experiment",
    ),
    ("Experiment", "goes back to an earlier run", {"run": 2}, {"run": 3}, {"run": 2}, "run can only be counted up"),
    (
        "Experiment",
        "takes a decision into a new run",
        {},
        {"decision": ABORT},
        {"run": 2},
        "leave decision out when you count run up",
    ),
    ("Decision", "rewrites the reason", {}, {"reason": "StepComplete"}, {"reason": "Other"}, DECISION),
    ("Decision", "adds a rationale", {}, {"action": "Advance"}, {"rationale": "In hindsight."}, DECISION),
    ("Decision", "shortens the retention", {}, {}, {"retainUntil": "2026-11-26T00:00:00.000000Z"}, DECISION),
    ("Review", "changes the verdict", {"reason": "Yes."}, {"reason": "Yes."}, {"verdict": "Dissent"}, REVIEW),
    ("Review", "changes the reviewer", {}, {"verdict": "Approve"}, {"reviewer": "eve"}, REVIEW),
    ("Review", "takes the reason back", {"reason": "Yes."}, {"verdict": "Approve"}, {"reason": None}, REVIEW),
]


@pytest.mark.parametrize(
    ("kind", "before", "good", "bad", "says"),
    [
        pytest.param(kind, before, good, bad, says, id=f"{kind}: {name}")
        for kind, name, before, good, bad, says in EDITS
    ],
)
def test_an_edit(server: Server, kind: str, before: Values, good: Values, bad: Values, says: str) -> None:
    stored = server.create(manifest(kind, with_values(SPECS[kind], before)), keep=True)
    server.patch(stored, **good)
    with pytest.raises(Refused, match=says):
        server.patch(stored, **bad)


ANALYSIS_EDITS = {
    "alpha": {"alpha": "0.02"},
    "beta": {"beta": "0.1"},
    "a metric more": {"metrics": [DETERIORATION, {"metric": "empty-results", "role": "Deterioration"}]},
    "a role": {"metrics": [GUARDRAIL]},
    "a tolerance": {"metrics": [DETERIORATION | {"tolerance": {"relative": "5%"}}]},
}
IN_USE = (None, "Pending", "Initializing", "Progressing", "Holding", "Paused", "AwaitingApproval")


@pytest.mark.parametrize("edit", ANALYSIS_EDITS.values(), ids=ANALYSIS_EDITS.keys())
def test_what_the_guarantee_rests_on_stays_while_a_rollout_is_under_way(server: Server, edit: Values) -> None:
    only_latency = with_values(SPECS["ModelRollout"], {"strategy.analysis.metrics": [DETERIORATION]})
    stored = server.create(manifest("ModelRollout", only_latency), keep=True)
    for phase in IN_USE:
        if phase is not None:
            server.set_status(stored, {"phase": phase})
        with pytest.raises(Refused, match=r"cannot be changed while a rollout is under way.*wait for its end or abort"):
            server.patch(stored, strategy={"analysis": edit})
    server.patch(stored, strategy={"analysis": {"interval": "1m"}})


@pytest.mark.parametrize("phase", ["Promoted", "RolledBack", "Refused"])
def test_what_the_guarantee_rests_on_may_change_between_rollouts(server: Server, phase: str) -> None:
    stored = server.create(manifest("ModelRollout", SPECS["ModelRollout"]), keep=True)
    server.set_status(stored, {"phase": phase})
    changed = server.patch(stored, strategy={"analysis": {"alpha": "0.02", "metrics": [GUARDRAIL]}})
    assert changed["spec"]["strategy"]["analysis"]["alpha"] == "0.02"


def test_a_status_is_written_while_the_spec_rests(server: Server) -> None:
    stored = server.create(manifest("ModelRollout", SPECS["ModelRollout"]), keep=True)
    for phase in ("Progressing", "Promoted", "Progressing"):
        assert server.set_status(stored, {"phase": phase})["status"]["phase"] == phase
    with pytest.raises(Refused, match="supported values"):
        server.set_status(stored, {"phase": "Unheard"})


BEFORE_THE_START = (None, "Draft", "InReview")
UNDER_WAY = ("Approved", "Running", "Interrupted", "Stopped")
ENDED = ("Decided", "Archived", "Invalid")
DESIGN_EDITS = {
    "the slice": {"design": {"slice": "30%"}},
    "the arms": {"design": {"arms": [CONTROL, TREATMENT | {"weight": 2}]}},
    "the metrics": {"design": {"metrics": [SUCCESS | {"mde": {"relative": "2%"}}]}},
    "alpha": {"design": {"analysis": {"alpha": "0.1"}}},
    "the hypothesis": {"design": {"hypothesis": "Whatever comes out."}},
    "the runtime": {"design": {"maxRuntime": "21d"}},
    "the type": {"type": "AA", "design": {"arms": [CONTROL, CONTROL | {"name": "twin", "role": "Treatment"}]}},
    "a dry run": {"dryRun": True},
}
FROZEN = "the design is frozen since the experiment started: count spec.run up"


def _experiment_in(server: Server, phase: str | None, **values: Any) -> Values:
    stored = server.create(manifest("Experiment", with_values(SPECS["Experiment"], values)), keep=True)
    return server.set_status(stored, {"phase": phase}) if phase else stored


@pytest.mark.parametrize("phase", BEFORE_THE_START)
def test_a_design_may_change_until_the_experiment_is_approved(server: Server, phase: str | None) -> None:
    stored = _experiment_in(server, phase)
    for edit in DESIGN_EDITS.values():
        server.patch(stored, **edit)


@pytest.mark.parametrize("edit", DESIGN_EDITS.values(), ids=DESIGN_EDITS.keys())
def test_a_design_is_frozen_from_then_on(server: Server, edit: Values) -> None:
    stored = _experiment_in(server, None)
    for phase in UNDER_WAY + ENDED:
        server.set_status(stored, {"phase": phase})
        with pytest.raises(Refused, match=FROZEN):
            server.patch(stored, **edit)


@pytest.mark.parametrize("phase", ENDED)
def test_an_experiment_that_ended_may_run_again_with_another_design(server: Server, phase: str) -> None:
    stored = _experiment_in(server, phase)
    assert server.patch(stored, run=2, design={"slice": "30%"})["spec"]["design"]["slice"] == "30%"


@pytest.mark.parametrize("phase", UNDER_WAY)
def test_a_run_that_is_not_decided_cannot_be_left(server: Server, phase: str) -> None:
    stored = _experiment_in(server, phase)
    with pytest.raises(Refused, match="a new run can begin when the present one is decided, invalid or archived"):
        server.patch(stored, run=2, design={"slice": "30%"})


@pytest.mark.parametrize("phase", UNDER_WAY)
def test_what_does_not_touch_the_result_may_change_at_any_time(server: Server, phase: str) -> None:
    stored = _experiment_in(server, phase)
    exclusion = {"from": "2027-01-01T00:00:00Z", "to": "2027-01-01T01:00:00Z", "reason": "INC-1"}
    server.patch(stored, owner="team-search", desiredState="Stopped", exclusions=[exclusion], decision=ABORT)
    server.patch(stored, decision=ABORT | {"rationale": "It is worse in every country."})


@pytest.mark.parametrize("phase", ["Decided", "Archived"])
@pytest.mark.parametrize("edit", [ABORT | {"rationale": "In hindsight."}, None], ids=["rewritten", "taken back"])
def test_a_decision_stands_once_it_is_on_record(server: Server, phase: str, edit: Values | None) -> None:
    stored = _experiment_in(server, phase, decision=ABORT)
    with pytest.raises(Refused, match="the decision is made and on record"):
        server.patch(stored, decision=edit)
    assert "decision" not in server.patch(stored, run=2, decision=None)["spec"]


@pytest.mark.parametrize("kind", ["Decision", "Review"])
def test_a_record_has_no_status(server: Server, kind: str) -> None:
    stored = server.create(manifest(kind, SPECS[kind]), keep=True)
    with pytest.raises(ApiException, match="404"):
        server.set_status(stored, {"phase": "Changed"})
