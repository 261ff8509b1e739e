"""Requests over real HTTP to a small server on loopback: statuses become errors of the port, silence an outage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from crossfade_operator.adapters.api import Api, Expired, NotFound, resource_of
from crossfade_operator.ports.cluster import ClusterError, Conflict, Refused, Unreachable
from tests.fakes.telemetry import FakeTelemetry

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[tuple[Api, FakeTelemetry]]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}")
    config.api_key["BearerToken"] = "bearer secret"
    telemetry = FakeTelemetry()
    try:
        async with Api(config, telemetry) as api:
            yield api, telemetry
    finally:
        await runner.cleanup()


def answers(status: int, text: str) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text)

    return handler


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Refused),
        (401, Unreachable),
        (403, Refused),
        (404, NotFound),
        (409, Conflict),
        (410, Expired),
        (422, Refused),
        (429, Unreachable),
        (500, Unreachable),
        (503, Unreachable),
    ],
)
async def test_a_status_becomes_an_error_with_the_servers_sentence(status: int, error: type[ClusterError]) -> None:
    async with serving(answers(status, '{"message": "the name is taken"}')) as (api, telemetry):
        with pytest.raises(error, match="the name is taken") as raised:
            await api.request("PATCH", "/apis/apps/v1/namespaces/a/deployments/b", body={})
    assert type(raised.value) is error
    assert telemetry.told[0][1][:3] == ("PATCH", "deployments", str(status))


async def test_an_answer_without_a_sentence_shows_what_came() -> None:
    async with serving(answers(502, "<html>bad gateway</html>")) as (api, _):
        with pytest.raises(Unreachable, match="bad gateway"):
            await api.request("GET", "/api/v1/pods")


async def test_an_answer_that_is_not_json_is_an_outage_and_not_a_defect() -> None:
    async with serving(answers(200, "<html>a captive portal</html>")) as (api, _):
        with pytest.raises(Unreachable):
            await api.request("GET", "/api/v1/pods")


async def test_silence_is_an_outage_after_the_time_given() -> None:
    async def hangs(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(hangs) as (api, telemetry):
        with pytest.raises(Unreachable, match="did not answer"):
            await api.request("GET", "/api/v1/pods", within=0.05)
    assert telemetry.told[0][1][2] == "unreachable"


async def test_nobody_there_is_an_outage() -> None:
    async with Api(Configuration(host="http://127.0.0.1:1"), FakeTelemetry()) as api:
        with pytest.raises(Unreachable):
            await api.request("GET", "/api/v1/pods")


async def test_credentials_query_and_body_are_sent() -> None:
    seen: list[tuple[str, str, str]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append((request.headers["Authorization"], request.query_string, await request.text()))
        return web.json_response({"ok": True})

    async with serving(handler) as (api, _):
        query = {"fieldSelector": "spec.endpoint=a"}
        assert await api.request("POST", "/api/v1/pods", query=query, body={"a": 1}) == {"ok": True}
        assert (await api.credentials()).token == "secret"
    assert seen == [("bearer secret", "fieldSelector=spec.endpoint%3Da", '{"a": 1}')]


async def test_a_watch_gives_its_events_until_the_server_ends_it() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.query["watch"] == "true"
        return web.Response(text='{"type":"ADDED"}\n{"type":"DELETED"}\n')

    async with serving(handler) as (api, _):
        events = [event async for event in api.watch("/api/v1/pods", query={}, accept="*/*", silence=5)]
    assert [event["type"] for event in events] == ["ADDED", "DELETED"]


async def test_a_watch_that_falls_silent_is_an_outage() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"type":"ADDED"}\n')
        await asyncio.Event().wait()
        return response

    async with serving(handler) as (api, _):
        events = api.watch("/api/v1/pods", query={}, accept="*/*", silence=0.05)
        assert await anext(events) == {"type": "ADDED"}
        with pytest.raises(Unreachable):
            await anext(events)


async def test_a_watch_that_is_refused_says_so() -> None:
    async with serving(answers(410, '{"message": "too old"}')) as (api, _):
        with pytest.raises(Expired, match="too old"):
            await anext(api.watch("/api/v1/pods", query={}, accept="*/*", silence=1))


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/api/v1/pods", "pods"),
        ("/api/v1/namespaces", "namespaces"),
        ("/api/v1/namespaces/a/pods/b", "pods"),
        ("/apis/apps/v1/namespaces/a/deployments/b", "deployments"),
        ("/apis/crossfade.dev/v1alpha1/namespaces/a/modelrollouts/b/status", "modelrollouts/status"),
        ("/apis/crossfade.dev/v1alpha1", "/apis/crossfade.dev/v1alpha1"),
    ],
)
def test_requests_are_counted_by_what_they_are_about_never_by_name(path: str, resource: str) -> None:
    assert resource_of(path) == resource
