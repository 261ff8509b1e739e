"""The load against real sockets, with every way in which an answer can fail to come."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from dev.load.models import Models
from dev.load.runner import Load, Runner
from dev.load.tally import Tally

DIGEST = "sha256:" + "1" * 64
Respond = Callable[[int, asyncio.StreamWriter], Awaitable[bool]]


@asynccontextmanager
async def _server(respond: Respond, heads: list[bytes] | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that reads whole requests and lets `respond` answer the nth one; False closes the connection."""
    heads = [] if heads is None else heads

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                heads.append(head + await reader.readexactly(length))
                if not await respond(len(heads), writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heads


async def _answer(writer: asyncio.StreamWriter, status: int = 200, *extra: str) -> bool:
    head = "\r\n".join([f"HTTP/1.1 {status} X", f"x-model-digest: {DIGEST}", "content-length: 2", *extra])
    writer.write(f"{head}\r\n\r\n{{}}".encode())
    await writer.drain()
    return True


async def _play(port: int, *, rate: float = 400.0, seconds: float = 0.5, patience: float = 5.0) -> Tally:
    tally = Tally(Models({DIGEST: "v1"}))
    await Runner(Load("127.0.0.1", port, rate=rate, seconds=seconds, timeout=patience), tally).run(lambda runner: None)
    return tally


async def test_every_scheduled_request_is_sent_once_and_counted_by_user_and_model() -> None:
    async with _server(lambda number, writer: _answer(writer)) as (port, heads):
        tally = await _play(port)
    scheduled = list(Load("127.0.0.1", port, rate=400, seconds=0.5).schedule())
    assert tally.requests == len(heads) == len(scheduled) > 100
    assert tally.per_user == Counter(play.user for _, play in scheduled)
    assert not tally.failed
    assert tally.by_model["v1"].users == set(tally.per_user)


async def test_a_request_carries_the_unit_and_the_play() -> None:
    async with _server(lambda number, writer: _answer(writer)) as (port, heads):
        await _play(port, seconds=0.05)
    head, _, body = heads[0].partition(b"\r\n\r\n")
    user, track = (entry["data"][0] for entry in json.loads(body)["inputs"])
    assert f"x-user-id: user-{user}".encode() in head
    assert 0 <= track < 500


async def test_a_connection_that_breaks_is_a_failure_and_nothing_is_sent_again() -> None:
    async def respond(number: int, writer: asyncio.StreamWriter) -> bool:
        return number % 10 != 0 and await _answer(writer)

    async with _server(respond) as (port, heads):
        tally = await _play(port)
    assert tally.requests == len(heads)
    assert tally.failed == {"closed before the answer": len(heads) // 10}
    assert tally.statuses["none"] == len(heads) // 10
    assert tally.examples[0]["failure"] == "closed before the answer"


async def test_a_server_that_closes_after_its_answer_costs_no_request() -> None:
    async def respond(number: int, writer: asyncio.StreamWriter) -> bool:
        await _answer(writer, 200, "connection: close")
        return False

    async with _server(respond) as (port, _):
        tally = await _play(port, rate=100)
    assert tally.requests > 20
    assert not tally.failed


async def test_an_answer_that_does_not_come_is_a_timeout() -> None:
    async def respond(number: int, writer: asyncio.StreamWriter) -> bool:
        return True

    async with _server(respond) as (port, _):
        tally = await _play(port, rate=50, seconds=0.2, patience=0.2)
    assert tally.failed == {"timeout": tally.requests}


async def test_a_port_where_nobody_listens_is_refused() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        tally = await _play(held.getsockname()[1], rate=50, seconds=0.2)
    assert tally.failed == {"refused": tally.requests}


async def test_latency_counts_from_when_a_request_was_due() -> None:
    """A stalled server must not look fast because the load waited for it."""
    lock = asyncio.Lock()

    async def respond(number: int, writer: asyncio.StreamWriter) -> bool:
        async with lock:
            await asyncio.sleep(0.3 if number == 1 else 0)
        return await _answer(writer)

    async with _server(respond) as (port, _):
        tally = Tally(Models())
        load = Load("127.0.0.1", port, rate=200, seconds=0.3, connections=1)
        await Runner(load, tally).run(lambda runner: None)
    median = tally.latencies.quantile(0.5)
    assert median is not None
    assert median > 0.1


async def test_a_load_that_is_too_much_is_cut_not_sent_late() -> None:
    released = asyncio.Event()

    async def respond(number: int, writer: asyncio.StreamWriter) -> bool:
        await released.wait()
        return await _answer(writer)

    async with _server(respond) as (port, heads):
        tally = Tally(Models())
        load = Load("127.0.0.1", port, rate=400, seconds=0.5, connections=2, backlog=10)
        playing = asyncio.create_task(Runner(load, tally).run(lambda runner: None))
        async with asyncio.timeout(20):
            while tally.skipped < 20:  # noqa: ASYNC110 - counted by the load, which knows no event
                await asyncio.sleep(0.01)
            released.set()
            await playing
    assert tally.requests + tally.skipped == len(list(load.schedule()))
    assert tally.requests == len(heads)
    assert not tally.failed


async def test_a_stopped_load_ends_and_waits_for_what_is_under_way() -> None:
    tally = Tally(Models())

    async def respond(number: int, writer: asyncio.StreamWriter) -> bool:
        if number == 20:
            runner.stop()
        return await _answer(writer)

    async with _server(respond) as (port, heads):
        runner = Runner(Load("127.0.0.1", port, rate=200, seconds=60), tally)
        async with asyncio.timeout(20):
            await runner.run(lambda runner: None)
    assert 20 <= tally.requests == len(heads) < 200


def _is_report(head: bytes) -> bool:
    return head.startswith(b"POST /v1/outcomes ")


def _answering(heads: list[bytes], content: bytes, status: int = 204) -> Respond:
    """Answers inferences with `content`, and reports with `status`."""

    async def respond(number: int, writer: asyncio.StreamWriter) -> bool:
        if _is_report(heads[-1]):
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
        else:
            head = f"HTTP/1.1 200 X\r\nx-model-digest: {DIGEST}\r\ncontent-length: {len(content)}\r\n\r\n"
            writer.write(head.encode() + content)
        await writer.drain()
        return True

    return respond


async def _listen(content: bytes, status: int = 204) -> tuple[Tally, list[bytes]]:
    """Play a short load with outcomes, one request at a time, so that the last head is the one to answer."""
    heads: list[bytes] = []
    async with _server(_answering(heads, content, status), heads) as (port, _):
        tally = Tally(Models({DIGEST: "v1"}))
        load = Load("127.0.0.1", port, rate=200, seconds=0.5, connections=1, outcomes=True)
        await Runner(load, tally).run(lambda runner: None)
    return tally, heads


async def test_each_answer_is_followed_by_one_report_of_the_same_user() -> None:
    tally, heads = await _listen(_ranking(range(495)))
    inferences, reports = heads[::2], heads[1::2]
    assert not any(map(_is_report, inferences))
    assert all(map(_is_report, reports))
    assert [_user(head) for head in inferences] == [_user(head) for head in reports]
    plays = [json.loads(head.partition(b"\r\n\r\n")[2])["plays"] for head in reports]
    one = tally.by_model["v1"]
    assert (one.sessions, one.plays) == (len(plays), sum(plays))
    assert one.plays / one.sessions > 5
    assert not tally.failed


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        pytest.param(b"{}", 204, "unreadable answer", id="an-answer-that-ranks-nothing"),
        pytest.param(b"[", 204, "unreadable answer", id="an-answer-that-is-no-json"),
        pytest.param(b'{"outputs":[{"name":"tracks","data":[1]}]}', 503, "report: HTTP 503", id="a-report-not-taken"),
    ],
)
async def test_a_session_that_is_lost_is_a_failure(content: bytes, status: int, kind: str) -> None:
    tally, _ = await _listen(content, status)
    assert tally.failed == {kind: tally.requests}
    assert tally.summary(1.0)["sessions"] == 0


def _ranking(tracks: range) -> bytes:
    return json.dumps({"outputs": [{"name": "tracks", "data": list(tracks)}]}).encode()


def _user(head: bytes) -> bytes:
    return head.split(b"x-user-id: ")[1].split(b"\r\n")[0]


def test_the_same_seed_sends_the_same_requests() -> None:
    def plays(seed: int) -> list[object]:
        return list(Load("127.0.0.1", 1, rate=100, seconds=2, seed=seed).schedule())

    assert plays(3) == plays(3) != plays(4)
