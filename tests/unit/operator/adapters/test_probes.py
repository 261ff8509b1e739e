"""The three pages, over real HTTP on loopback."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from crossfade_operator.adapters.probes import CannotListen, Health, probes


async def pages(dead: str | None, unready: str | None) -> dict[str, httpx.Response]:
    registry = CollectorRegistry()
    Counter("crossfade_example_total", "An example.", registry=registry).inc()
    health = Health(lambda: dead, lambda: unready)
    async with probes("127.0.0.1", 0, health, registry) as port, httpx.AsyncClient(trust_env=False) as client:
        names = ("healthz", "readyz", "metrics")
        return {name: await client.get(f"http://127.0.0.1:{port}/{name}") for name in names}


async def test_a_sound_process_is_alive_and_ready() -> None:
    found = await pages(None, None)
    assert {name: page.status_code for name, page in found.items()} == {"healthz": 200, "readyz": 200, "metrics": 200}
    assert "crossfade_example_total 1.0" in found["metrics"].text


async def test_an_unready_process_is_alive_and_says_what_it_waits_for() -> None:
    found = await pages(None, "the API server has not answered yet")
    assert (found["healthz"].status_code, found["readyz"].status_code) == (200, 503)
    assert found["readyz"].text == "the API server has not answered yet\n"


async def test_a_stuck_process_is_neither_alive_nor_ready() -> None:
    found = await pages("stuck", None)
    assert (found["healthz"].status_code, found["readyz"].status_code) == (503, 503)


async def test_an_address_that_is_taken_is_named() -> None:
    health, registry = Health(lambda: None, lambda: None), CollectorRegistry()
    async with probes("127.0.0.1", 0, health, registry) as port:
        with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1 port {port}"):
            async with probes("127.0.0.1", port, health, registry):
                pytest.fail("two listen on one port")
