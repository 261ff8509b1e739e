"""Routers that answer, lag, refuse, hang or say nonsense."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from crossfade_operator.adapters.routers import REJECTED_EVERY, WITHIN, HttpRouters
from crossfade_operator.ports.routers import RouterPod, RouterReport
from tests.fakes.telemetry import FakeTelemetry

METRICS = """\
# TYPE envoy_listener_manager_lds_update_rejected counter
envoy_listener_manager_lds_update_rejected{model_endpoint="recs/ranker"} 1
envoy_cluster_manager_cds_update_rejected{} 2
envoy_http_rds_update_rejected{envoy_rds_route_config="crossfade",envoy_http_conn_manager_prefix="users"} 4
envoy_http_rds_update_success{envoy_rds_route_config="crossfade"} 100
envoy_crossfade_requests{arm="stable"} 1000
"""

Handler = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def routers(handler: Handler, clock: Callable[[], float] = time.monotonic) -> HttpRouters:
    client = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return HttpRouters(client, FakeTelemetry(), clock=clock)


async def runs_7(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/metrics":
        return httpx.Response(200, text=METRICS)
    body = {"endpoint": "recs/ranker", "generation": 7, "digest": "d", "decision": "x"}
    return httpx.Response(200, json=body)


async def test_a_router_says_what_it_runs() -> None:
    assert await routers(runs_7).reports([RouterPod("r1", "10.0.0.1")]) == [RouterReport("r1", 7, "d")]


async def test_an_ipv6_address_is_asked_in_brackets() -> None:
    asked: list[str] = []

    async def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return await runs_7(request)

    await routers(handler).reports([RouterPod("r1", "fd00::1"), RouterPod("r2", "10.0.0.1")])
    assert sorted(asked) == ["http://10.0.0.1:9902/generation", "http://[fd00::1]:9902/generation"]


async def test_reports_come_in_the_order_of_the_pods_and_one_bad_router_spoils_no_other() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "10.0.0.2":
            raise httpx.ConnectError("refused")
        return await runs_7(request)

    pods = [RouterPod(f"r{n}", f"10.0.0.{n}") for n in (1, 2, 3)]
    found = await routers(handler).reports(pods)
    assert [(report.pod, report.generation, report.error) for report in found] == [
        ("r1", 7, None),
        ("r2", None, "refused"),
        ("r3", 7, None),
    ]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        pytest.param(httpx.Response(404, text="no"), "/generation answered 404", id="no such page"),
        pytest.param(httpx.Response(200, text="<html>"), "/generation answered '<html>'", id="not a router"),
        pytest.param(httpx.Response(200, json={"generation": "old"}), "/generation answered", id="no number"),
    ],
)
async def test_nonsense_is_an_error_and_never_a_generation(answer: httpx.Response, sentence: str) -> None:
    async def handler(_: httpx.Request) -> httpx.Response:
        return answer

    report = (await routers(handler).reports([RouterPod("r1", "10.0.0.1")]))[0]
    assert report.generation is None
    assert report.error is not None
    assert sentence in report.error


async def test_an_address_that_is_none_is_an_error() -> None:
    report = (await routers(runs_7).reports([RouterPod("r1", "")]))[0]
    assert report.generation is None
    assert report.error


async def test_routers_that_hang_are_given_up_together_after_a_second() -> None:
    async def hangs(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    began = time.monotonic()
    found = await routers(hangs).reports([RouterPod(f"r{n}", f"10.0.0.{n}") for n in range(1, 6)])
    assert time.monotonic() - began < 3 * WITHIN
    assert {report.error for report in found} == {"no answer within 1 s"}


async def test_refused_tables_are_counted_only_of_a_router_that_lags_and_not_often() -> None:
    clock = Clock()
    looked = 0

    async def handler(request: httpx.Request) -> httpx.Response:
        nonlocal looked
        looked += request.url.path == "/metrics"
        return await runs_7(request)

    asked, pods = routers(handler, clock), [RouterPod("r1", "10.0.0.1")]
    assert (await asked.reports(pods))[0].rejected == 0
    assert looked == 0
    for _ in range(10):
        assert (await asked.reports(pods))[0].rejected == 7
    assert looked == 1
    clock.seconds += REJECTED_EVERY
    await asked.reports(pods)
    assert looked == 2


async def test_a_router_whose_metrics_fail_has_still_confirmed_its_table() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/metrics":
            raise httpx.ReadError("reset")
        return await runs_7(request)

    asked, pods = routers(handler), [RouterPod("r1", "10.0.0.1")]
    await asked.reports(pods)
    assert (await asked.reports(pods))[0] == RouterReport("r1", 7, "d", 0)
