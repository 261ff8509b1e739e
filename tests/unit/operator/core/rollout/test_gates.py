"""A gate opens for one model, by a Ship that is in force; every other answer says what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from crossfade_operator.api.decision import DecisionAction
from crossfade_operator.api.modelendpoint import Gates, Requirement
from crossfade_operator.api.modelrollout import Gate
from crossfade_operator.core.rollout.gates import Conclusion, Facts, unmet
from tests.unit.operator.core.rollout.views import CANDIDATE, NOW

MODEL, OTHER = "sha256:aaaa", "sha256:bbbb"
TASTE = (Gate(experiment="taste"),)
HOUR = timedelta(hours=1)
ANY = Gates(experiment=Requirement.REQUIRED)


def ship(experiment: str = "taste", number: int = 1, **fields: Any) -> Conclusion:
    usual: dict[str, Any] = {
        "endpoint": "ranker",
        "action": DecisionAction.SHIP,
        "at": NOW - HOUR,
        "model_digest": MODEL,
        "expires_at": NOW + HOUR,
    }
    return Conclusion(f"{experiment}-exp-{number:06d}", experiment, **{**usual, **fields})


def facts(*conclusions: Conclusion, **fields: Any) -> Facts:
    usual: dict[str, Any] = {"gates": TASTE, "policy": Gates(), "model": MODEL}
    return Facts("ranker", CANDIDATE, NOW, conclusions=conclusions, **{**usual, **fields})


@dataclass(frozen=True)
class Asked:
    sentence: str
    facts: Facts
    says: str | None


ABORT = {"action": DecisionAction.ABORT}
CASES = (
    Asked("nothing is asked", facts(gates=()), None),
    Asked("a Ship of this very model", facts(ship()), None),
    Asked("no decision yet", facts(), "gate experiment taste: it is not decided yet"),
    Asked("a Ship of another experiment", facts(ship("smell")), "gate experiment taste: it is not decided yet"),
    Asked("it was aborted", facts(ship(**ABORT)), "it was decided Abort by taste-exp-000001, not Ship"),
    Asked(
        "it was aborted since",
        facts(ship(), ship(number=2, at=NOW, **ABORT)),
        "it was decided Abort by taste-exp-000002, not Ship",
    ),
    Asked("it was shipped since", facts(ship(**ABORT), ship(number=2, at=NOW)), None),
    Asked(
        "it is about other users",
        facts(ship(endpoint="search")),
        "its taste-exp-000001 is about users of endpoint search, not of ranker",
    ),
    Asked("it was superseded", facts(ship(superseded_by="taste-exp-000009")), "was superseded by taste-exp-000009"),
    Asked(
        "it has expired",
        facts(ship(expires_at=NOW)),
        "its taste-exp-000001 expired at 2026-03-01T12:00:00.000000Z: run the experiment again",
    ),
    Asked("it does not expire", facts(ship(expires_at=None)), None),
    Asked(
        "it is about another model",
        facts(ship(model_digest=OTHER)),
        f"its taste-exp-000001 is about model {OTHER}, and the candidate runs {MODEL}",
    ),
    Asked("the pods do not say yet", facts(ship(), model=None), "ready pods do not say yet what they run"),
    Asked(
        "the pods differ",
        facts(ship(), model=None, unclear="pods run different images in container model"),
        "gate experiment taste: pods run different images in container model",
    ),
    Asked(
        "both that are named are needed", facts(ship(), gates=(*TASTE, Gate(experiment="smell"))), "experiment smell"
    ),
    Asked("any experiment will do", facts(ship("whatever"), gates=(), policy=ANY), None),
    Asked("there is no experiment", facts(gates=(), policy=ANY), "(policy.gates.experiment): there is none"),
    Asked("one of another endpoint is none", facts(ship(endpoint="search"), gates=(), policy=ANY), "there is none"),
    Asked(
        "the only one is about another model",
        facts(ship(model_digest=OTHER), gates=(), policy=ANY),
        f"its taste-exp-000001 is about model {OTHER}",
    ),
    Asked(
        "none of several",
        facts(ship("a", model_digest=OTHER), ship("b", **ABORT), gates=(), policy=ANY),
        f"none of the 2 that have ended here says so of {MODEL}",
    ),
    Asked("one of several", facts(ship("a", model_digest=OTHER), ship("b"), gates=(), policy=ANY), None),
    Asked("a named one is the one that is meant", facts(ship("b"), policy=ANY), "experiment taste: it is not decided"),
    Asked(
        "too few people approve",
        facts(gates=(Gate(approvals=2),), approvals=("ana",)),
        f"gate approvals: 1 of 2 people approve revision {CANDIDATE} by Review (ana)",
    ),
    Asked("people enough approve", facts(gates=(Gate(approvals=2),), approvals=("ana", "ben")), None),
    Asked("the endpoint asks for more", facts(gates=(Gate(approvals=1),), policy=Gates(approvals=3)), "0 of 3 people"),
)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.sentence) for case in CASES])
def test_gates(case: Asked) -> None:
    found = unmet(case.facts)
    assert (found is None) is (case.says is None), found
    assert (case.says or "") in (found or "")


def test_a_gate_closes_with_the_time() -> None:
    found = facts(ship())
    assert unmet(found) is None
    assert unmet(replace(found, now=NOW + HOUR)) is not None
