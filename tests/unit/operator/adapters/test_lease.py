"""Who may lead, and who may still write. Each contender has a clock of its own."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from crossfade_operator.adapters import lease as module
from crossfade_operator.adapters.api import Api
from crossfade_operator.adapters.lease import DURATION, WRITE_MARGIN, Lease, LeaseName, fenced
from crossfade_operator.ports.cluster import NotLeader
from tests.fakes.leases import FakeLeaseApi
from tests.fakes.telemetry import FakeTelemetry


class Stopwatch:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def contender(api: FakeLeaseApi, identity: str, clock: Stopwatch) -> Lease:
    return Lease(cast(Api, api), LeaseName("crossfade", "serving"), identity, FakeTelemetry(), clock=clock)


@pytest.fixture
def api() -> FakeLeaseApi:
    return FakeLeaseApi()


@pytest.fixture
def clock() -> Stopwatch:
    return Stopwatch()


async def test_the_first_contender_makes_the_lease_and_leads(api: FakeLeaseApi, clock: Stopwatch) -> None:
    one = contender(api, "one", clock)
    assert not one.leads()
    assert await one.attempt()
    assert one.leads()
    assert api.holder == "one"


async def test_a_second_contender_waits_while_the_first_renews(api: FakeLeaseApi, clock: Stopwatch) -> None:
    one, two = contender(api, "one", clock), contender(api, "two", clock)
    for _ in range(20):
        assert await one.attempt()
        assert not await two.attempt()
        clock.seconds += 3
    assert api.lease is not None
    assert api.lease["spec"]["leaseTransitions"] == 0


async def test_the_second_takes_over_once_nothing_was_renewed_for_the_whole_duration(
    api: FakeLeaseApi, clock: Stopwatch
) -> None:
    one, two = contender(api, "one", clock), contender(api, "two", clock)
    await one.attempt()
    assert not await two.attempt()
    clock.seconds += DURATION - 0.1
    assert not await two.attempt()
    clock.seconds += 0.2
    assert await two.attempt()
    assert api.holder == "two"
    assert api.lease is not None
    assert api.lease["spec"]["leaseTransitions"] == 1


async def test_the_holder_stops_writing_before_anybody_can_take_over(api: FakeLeaseApi, clock: Stopwatch) -> None:
    one, two = contender(api, "one", clock), contender(api, "two", clock)
    await one.attempt()
    await two.attempt()
    clock.seconds += DURATION - WRITE_MARGIN
    assert not one.leads()
    assert not await two.attempt()


async def test_a_renewal_is_one_request(api: FakeLeaseApi, clock: Stopwatch) -> None:
    one, asked = contender(api, "one", clock), list[str]()
    await one.attempt()
    api.before = asked.append
    assert await one.attempt()
    assert asked == ["PUT"]


async def test_a_holder_whose_lease_another_took_learns_it_at_its_next_renewals(
    api: FakeLeaseApi, clock: Stopwatch
) -> None:
    one = contender(api, "one", clock)
    await one.attempt()
    assert api.lease is not None
    api.lease["spec"]["holderIdentity"] = "two"
    api.touch()
    assert not await one.attempt()
    assert not await one.attempt()
    assert not one.leads()
    assert api.holder == "two"


async def test_time_counts_from_before_the_request_not_from_its_answer(api: FakeLeaseApi, clock: Stopwatch) -> None:
    one = contender(api, "one", clock)

    def slow(_: str) -> None:
        clock.seconds += 2

    api.before = slow
    await one.attempt()
    assert one.remaining() == DURATION - WRITE_MARGIN - 4


async def test_a_holder_that_was_stopped_finds_itself_without_the_lease(api: FakeLeaseApi, clock: Stopwatch) -> None:
    theirs = Stopwatch()
    one, two = contender(api, "one", clock), contender(api, "two", theirs)
    await one.attempt()
    await two.attempt()
    theirs.seconds += DURATION + 1
    assert await two.attempt()
    clock.seconds += DURATION + 1
    with pytest.raises(NotLeader):
        async with fenced(one):
            pytest.fail("a write was let through")
    assert not await one.attempt()
    assert api.holder == "two"


async def test_renewing_goes_on_through_an_outage_that_is_shorter_than_the_lease(
    api: FakeLeaseApi, clock: Stopwatch
) -> None:
    one = contender(api, "one", clock)
    await one.attempt()
    api.down = True
    clock.seconds += 9
    assert not await one.attempt()
    assert one.leads()
    api.down = False
    assert await one.attempt()
    assert one.remaining() == DURATION - WRITE_MARGIN


async def test_an_edit_of_the_lease_by_somebody_costs_nobody_the_lead(api: FakeLeaseApi, clock: Stopwatch) -> None:
    one = contender(api, "one", clock)
    await one.attempt()

    def edit_between(method: str) -> None:
        if method == "PUT":
            api.before = lambda _: None
            api.touch()

    api.before = edit_between
    assert not await one.attempt()
    assert one.leads()
    assert await one.attempt()


async def test_of_two_who_see_a_dead_holder_one_gets_the_lease(api: FakeLeaseApi, clock: Stopwatch) -> None:
    dead, one, two = (contender(api, name, clock) for name in ("dead", "one", "two"))
    await dead.attempt()
    for waiting in (one, two):
        await waiting.attempt()
    clock.seconds += DURATION + 1
    assert [await one.attempt(), await two.attempt()] == [True, False]


async def test_a_restarted_process_with_its_predecessors_name_takes_the_lease_anew(
    api: FakeLeaseApi, clock: Stopwatch
) -> None:
    await contender(api, "one", clock).attempt()
    again = contender(api, "one", clock)
    assert await again.attempt()
    assert api.lease is not None
    assert api.lease["spec"]["leaseTransitions"] == 1


async def test_a_released_lease_is_free_at_once(api: FakeLeaseApi, clock: Stopwatch) -> None:
    one, two = contender(api, "one", clock), contender(api, "two", clock)
    await one.attempt()
    await one.release()
    assert not one.leads()
    assert api.holder == ""
    assert await two.attempt()


async def test_releasing_leaves_a_lease_alone_that_another_took(api: FakeLeaseApi, clock: Stopwatch) -> None:
    theirs = Stopwatch()
    one, two = contender(api, "one", clock), contender(api, "two", theirs)
    await one.attempt()
    await two.attempt()
    theirs.seconds += DURATION + 1
    await two.attempt()
    await one.release()
    assert api.holder == "two"


async def test_a_release_that_fails_is_no_failure(api: FakeLeaseApi, clock: Stopwatch) -> None:
    one = contender(api, "one", clock)
    await one.attempt()
    api.down = True
    await one.release()
    assert not one.leads()


async def test_keeping_ends_when_another_holds_the_lease(
    api: FakeLeaseApi, clock: Stopwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEW_EVERY", 0.0)
    one = contender(api, "one", clock)
    await one.attempt()
    assert api.lease is not None
    api.lease["spec"]["holderIdentity"] = "two"
    api.touch()
    with pytest.raises(NotLeader):
        await asyncio.wait_for(one.keep(), 5)


async def test_keeping_ends_when_an_outage_outlasts_the_lease(
    api: FakeLeaseApi, clock: Stopwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEW_EVERY", 0.0)
    one = contender(api, "one", clock)
    await one.attempt()
    api.down = True

    def pass_by(_: str) -> None:
        clock.seconds += 1

    api.before = pass_by
    with pytest.raises(NotLeader):
        await asyncio.wait_for(one.keep(), 5)
    assert clock.seconds >= 1000 + DURATION - WRITE_MARGIN


class Remaining:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def remaining(self) -> float:
        return self.seconds


async def test_a_write_is_cut_off_when_the_lease_passes_in_its_midst() -> None:
    with pytest.raises(NotLeader, match="may or may not have reached"):
        async with fenced(Remaining(0.01)):
            await asyncio.Event().wait()


async def test_a_write_that_times_out_by_itself_is_no_loss_of_the_lease() -> None:
    with pytest.raises(TimeoutError):
        async with fenced(Remaining(60)):
            raise TimeoutError


async def test_a_write_in_time_goes_through() -> None:
    written = False
    async with fenced(Remaining(60)):
        written = True
    assert written


async def test_the_fence_runs_on_while_a_process_is_stopped() -> None:
    assert module.uptime() > 0
    before = module.uptime()
    assert module.uptime() >= before
