"""Two experiments and a rollout ask at once, on a real API server, of two controllers: the limits hold all the same."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import datetime

import pytest

from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelendpoint_status import LedgerArm, ModelEndpointStatus
from crossfade_operator.core.endpoint import EndpointView, decide
from crossfade_operator.core.ledger import Entitlement, Request, ranges_of
from crossfade_operator.core.routing import Backend, name_of_arm
from crossfade_operator.core.slices import expand
from crossfade_operator.ports.cluster import Conflict, Key, Obj
from crossfade_operator.ports.routers import RouterReport
from dev.cluster.controlplane import ControlPlane
from tests.contract.cluster.rig import RealRig, endpoint, real_rig
from tests.unit.operator.core.test_ledger import request

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

STABLE, CANDIDATE = "aaaaaaaaaa", "bbbbbbbbbb"
BACKENDS = {name: Backend(name, f"{name}.svc", 8080) for name in (STABLE, CANDIDATE)}


async def turns(rig: RealRig, key: Key, wanted: Entitlement, requests: tuple[Request, ...]) -> None:
    """A controller that believes this much and keeps trying, from fresh reads, guarded by the resourceVersion alone."""
    for _ in range(12):
        found = await rig.cluster.endpoint(key)
        assert found is not None
        turn = decide(seen(found, wanted, requests))
        await asyncio.sleep(0)
        with contextlib.suppress(Conflict):
            await rig.cluster.write_status(found, turn.status.manifest())


def seen(found: Obj, wanted: Entitlement, requests: tuple[Request, ...]) -> EndpointView:
    arms = {
        name_of_arm(arm.label, arm.revision): Backend(arm.revision, f"{arm.name}.svc", 8080, arm=arm.label)
        for one in requests
        for arm in one.arms
    }
    return EndpointView(
        name="recs/ranker",
        uid=found["metadata"]["uid"],
        generation=found["metadata"]["generation"],
        spec=ModelEndpointSpec.model_validate(found["spec"]),
        status=ModelEndpointStatus.model_validate(found.get("status") or {}),
        now=datetime.fromisoformat("2026-03-01T12:00:00+00:00"),
        entitlement=wanted,
        backends=BACKENDS,
        requests=requests,
        asking=arms,
        routers=1,
        routers_ready=1,
        reports=(RouterReport("router", 10_000),),
    )


async def test_nobody_gets_what_another_has_however_the_writes_interleave(
    control_plane: ControlPlane,
) -> None:
    """Each contender knows of its own wish only, as a controller with an old picture would."""
    async with real_rig(control_plane.kubeconfig, "slices-race") as rig:
        made = endpoint(rig.namespace)
        made["spec"]["policy"] = {"maxExperimentSlice": "40%", "stableFloor": "20%"}
        await rig.put(made)
        key, at_rest = Key(rig.namespace, "ranker"), Entitlement("ranker", STABLE, decision="ranker-000001")
        tried = replace(at_rest, candidate=CANDIDATE, positions=400, decision="ranker-000002")
        both = (request("taste", 300), request("smell", 300))
        await asyncio.gather(
            turns(rig, key, at_rest, both),
            turns(rig, key, at_rest, both[::-1]),
            turns(rig, key, tried, both),
            turns(rig, key, tried, ()),
        )
        found = await rig.cluster.endpoint(key)
        assert found is not None
        await _the_limits_hold(ModelEndpointStatus.model_validate(found["status"]))


async def _the_limits_hold(status: ModelEndpointStatus) -> None:
    holding = [one for one in status.ledger if one.arm is not LedgerArm.COOLDOWN]
    positions = [place for one in holding for place in expand(ranges_of(one))]
    assert len(positions) == len(set(positions)) <= 800
    experiments = sum(one.positions for one in holding if one.arm is LedgerArm.EXPERIMENT)
    assert experiments in (0, 300), "a slice is granted whole or not at all, and two do not fit"
