"""What the API server refuses, with its sentence: each case has a manifest that is taken and one, spoilt in one point,
that is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.api.manifests import SPECS, with_values
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
    ("ModelRollout", "a-b", "a.b", "lower-case letters, digits and '-'"),
    ("Metric", "a" * 63, "a" * 64, "at most 63 lower-case letters"),
    ("Metric", "my-latency", "latency", "are measured by the router itself"),
    ("Metric", "error-rates", "error-rate", "are measured by the router itself"),
]


@pytest.mark.parametrize(("kind", "good", "bad", "says"), NAMES, ids=[f"{kind}: {bad}" for kind, _, bad, _ in NAMES])
def test_a_name(dry_server: Server, kind: str, good: str, bad: str, says: str) -> None:
    dry_server.create(manifest(kind, SPECS[kind], good))
    with pytest.raises(Refused, match=says):
        dry_server.create(manifest(kind, SPECS[kind], bad))


SALT = "salt cannot be changed, added or removed"
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
