"""What an endpoint says of itself: its columns and conditions."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from crossfade_operator.core.endpoint import (
    EndpointView,
    Entitlement,
    decide,
)
from crossfade_operator.ports.routers import RouterReport
from tests.unit.operator.core.endpoints import A, B, after, reports, view


def test_the_columns() -> None:
    status = decide(view()).status
    assert (status.rollout, status.stable_revision, status.candidate_revision, status.slice) == ("ranker", A, B, "10%")
    assert (status.replicas, status.ready_replicas, status.observed_generation) == (2, 2, 4)


@dataclass(frozen=True)
class Said:
    sentence: str
    view: EndpointView
    condition: str
    expected: str
    says: str = ""


WRITTEN = decide(view())
SAYINGS = (
    Said("routers serve", view(), "Ready", "True RoutersReady", "2 of 2 routers are ready"),
    Said("no router is ready", view(routers_ready=0), "Ready", "False RoutersStarting"),
    Said("there is no revision", view(Entitlement()), "Ready", "False NoRevision"),
    Said("the specification can be served", view(), "Accepted", "True Accepted"),
    Said("the table was refused", view(refusal="invalid"), "Accepted", "False InvalidTable", "invalid"),
    Said("a new table is not confirmed", view(), "RoutersConfirmed", "False ConfirmationPending"),
    Said(
        "a router is behind, and is named",
        after(WRITTEN, view(), reports=reports(1, 0, rejected=2)),
        "RoutersConfirmed",
        "False ConfirmationPending",
        "router-1: runs generation 0, refused 2 tables",
    ),
    Said(
        "a router does not answer, and is named",
        after(WRITTEN, view(), reports=(RouterReport("router-0", None, error="refused"),)),
        "RoutersConfirmed",
        "False ConfirmationPending",
        "router-0: refused",
    ),
    Said(
        "all routers run it",
        after(WRITTEN, view(), reports=reports(1, 1)),
        "RoutersConfirmed",
        "True AllConfirmed",
    ),
)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.sentence) for case in SAYINGS])
def test_conditions(case: Said) -> None:
    found = {one.type: one for one in decide(case.view).status.conditions}
    assert list(found) == ["Ready", "RoutersConfirmed", "Accepted"]
    assert f"{found[case.condition].status} {found[case.condition].reason}" == case.expected
    assert case.says in found[case.condition].message
