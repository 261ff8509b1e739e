"""Endpoints as a turn finds them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelendpoint_status import ModelEndpointStatus
from crossfade_operator.core.endpoint import (
    EndpointTurn,
    EndpointView,
    Entitlement,
)
from crossfade_operator.core.routing import Backend
from crossfade_operator.ports.routers import RouterReport

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
A, B, C = "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"
HOLDOUT = {"holdout": {"slice": "10%", "until": "2026-03-02T00:00:00Z"}}
TEN_PERCENT = Entitlement("ranker", A, B, 100, decision="ranker-000003")
AT_A = Entitlement("ranker", A, decision="ranker-000002")


def view(entitlement: Entitlement = TEN_PERCENT, *, exist: str = A + B, **fields: Any) -> EndpointView:
    """Two ready routers and the backends `exist`; `spec` fields may be given as `spec`."""
    revisions = [exist[index : index + 10] for index in range(0, len(exist), 10)]
    usual: dict[str, Any] = {
        "name": "recs/ranker",
        "uid": "uid-1",
        "generation": 4,
        "status": ModelEndpointStatus(),
        "now": NOW,
        "entitlement": entitlement,
        "backends": {name: Backend(name, f"ranker-{name}.recs.svc.cluster.local", 8080) for name in revisions},
        "routers": 2,
        "routers_ready": 2,
    }
    spec = ModelEndpointSpec.model_validate({"unit": {"header": "x-user"}, **fields.pop("spec", {})})
    return EndpointView(spec=spec, **{**usual, **fields})


def reports(*generations: int | None, rejected: int = 0) -> tuple[RouterReport, ...]:
    return tuple(RouterReport(f"router-{n}", one, rejected=rejected) for n, one in enumerate(generations))


def after(turn: EndpointTurn, found: EndpointView, **fields: Any) -> EndpointView:
    """The same endpoint once the turn is recorded, with other fields."""
    return replace(found, status=turn.status, **fields)


def held(turn: EndpointTurn) -> dict[str, tuple[str, int]]:
    return {entry.arm.value: (entry.revision, entry.positions) for entry in turn.status.ledger}
