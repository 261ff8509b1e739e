"""The serving controller as a process on a real API server: one leads, faults are survived, nobody's object is touched.

There is no node, so pods stay Pending: what is tested is the controller, not a rollout.
"""

from __future__ import annotations

import signal

import pytest

from tests.contract.cluster.rig import endpoint, rollout
from tests.integration.handlers.serving.processes import Controller, Site, Stopwatch, eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

LEASE_DURATION = 15.0
TAKES_OVER_WITHIN = 20.0


async def acted_on(site: Site, name: str = "ranker", within: float = 60.0) -> list[str]:
    """The Deployments of an endpoint's router and first revision, once both are there."""

    async def check() -> list[str]:
        mine = [found for found in await site.deployments() if found.startswith(f"{name}-")]
        return mine if len(mine) >= 2 else []

    found: list[str] = await eventually(f"the Deployments of {name}", check, within)
    return found


async def test_what_users_wrote_is_acted_on_and_carries_no_mark_of_ours(site: Site) -> None:
    await site.leading("one")
    await site.create(endpoint(site.namespace), rollout(site.namespace, "ranker"))
    found = await acted_on(site)
    assert found[-1] == "ranker-router"
    for plural, name in (("modelendpoints", "ranker"), ("modelrollouts", "ranker")):
        obj = await site.read(site.path(plural, name))
        assert obj is not None
        assert not {"finalizers", "annotations"} & set(obj["metadata"]), obj["metadata"]


async def test_a_child_that_somebody_deletes_comes_back(site: Site) -> None:
    await site.leading("one")
    await site.create(endpoint(site.namespace), rollout(site.namespace, "ranker"))
    router = (await acted_on(site))[-1]
    before = await site.read(site.path("deployments", router))
    assert before is not None
    await site.api.request("DELETE", site.path("deployments", router))

    async def back() -> bool:
        found = await site.read(site.path("deployments", router))
        return found is not None and found["metadata"]["uid"] != before["metadata"]["uid"]

    await eventually("the router's Deployment", back)


async def test_a_rollout_that_is_deleted_and_made_again_numbers_its_decisions_on(site: Site) -> None:
    await site.leading("one")
    await site.create(endpoint(site.namespace), rollout(site.namespace, "ranker"))
    former = await eventually("the first Decision", lambda: site.read(site.path("decisions", "ranker-000001")))
    await site.api.request("DELETE", site.path("modelrollouts", "ranker"))
    await site.create(rollout(site.namespace, "ranker"))
    made = await eventually("the second Decision", lambda: site.read(site.path("decisions", "ranker-000002")))
    present = await site.read(site.path("modelrollouts", "ranker"))
    assert present is not None
    assert made["spec"]["subject"]["uid"] == present["metadata"]["uid"] != former["spec"]["subject"]["uid"]

    async def all_recorded() -> bool:
        seen = await site.read(site.path("modelrollouts", "ranker"))
        status = (seen or {}).get("status", {})
        return bool(status.get("decisionsRecorded") == status.get("decisionCount") == 2)

    await eventually("nothing waits for its record", all_recorded)


async def test_an_orderly_stop_gives_the_lease_back(site: Site) -> None:
    one = await site.leading("one")
    one.send(signal.SIGTERM)
    assert await one.ended() == 0, one.log.read_text()
    assert await site.holder() == ""


async def test_one_that_stands_by_is_alive_and_ready_and_writes_nothing(site: Site) -> None:
    await site.leading("one")
    two = await site.start("two")
    await site.create(endpoint(site.namespace), rollout(site.namespace, "ranker"))
    await acted_on(site)

    async def ready() -> bool:
        page = await two.page("readyz")
        return page is not None and page.status_code == 200

    await eventually("two is ready", ready)
    assert not await two.leads()
    assert await two.writes() == 0


async def test_another_takes_over_soon_after_the_leader_is_killed(site: Site) -> None:
    one = await site.leading("one")
    two = await site.start("two")
    one.send(signal.SIGKILL)
    await one.ended()
    since = Stopwatch()
    await eventually("two leads", two.leads)
    assert LEASE_DURATION / 2 < since.seconds <= TAKES_OVER_WITHIN
    await site.create(endpoint(site.namespace), rollout(site.namespace, "ranker"))
    await acted_on(site)


async def test_a_leader_that_was_stopped_writes_nothing_once_another_may_lead(site: Site) -> None:
    one = await site.leading("one")
    two = await site.start("two")
    await site.create(endpoint(site.namespace), rollout(site.namespace, "ranker"))
    await acted_on(site)
    one.send(signal.SIGSTOP)
    await eventually("two leads", two.leads)
    one.send(signal.SIGCONT)
    await eventually("one stands by", lambda: _stands_by(one))
    before = await one.writes()
    await site.create(endpoint(site.namespace, "other"), rollout(site.namespace, "other", "other"))
    await acted_on(site, "other")
    assert await one.writes() == before
    assert await site.holder() == "two"


async def test_an_outage_longer_than_the_lease_is_survived_and_what_happened_in_it_is_seen(site: Site) -> None:
    one = await site.leading("one")
    await site.create(endpoint(site.namespace), rollout(site.namespace, "ranker"))
    router = (await acted_on(site))[-1]
    await site.door.shut()
    await site.api.request("DELETE", site.path("deployments", router))
    await site.create(endpoint(site.namespace, "other"), rollout(site.namespace, "other", "other"))
    await eventually("one has noticed that its Lease passed", lambda: _does_not_lead(one))
    page = await one.page("healthz")
    assert page is not None
    assert page.status_code == 200
    await site.door.open()
    await acted_on(site, "other", within=90)
    await eventually("the router's Deployment is back", lambda: site.read(site.path("deployments", router)))
    assert one.process.returncode is None


async def _does_not_lead(controller: Controller) -> bool:
    return not await controller.leads()


async def _stands_by(controller: Controller) -> bool:
    page = await controller.page("readyz")
    return page is not None and page.status_code == 200 and not await controller.leads()
