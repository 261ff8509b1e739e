"""How fast the controller acts, on a real cluster with real routers.

A round: a new revision is applied; its pods become ready; it gets its first slice; at some moment the analyzer turns
to Harmful and says so at its next look; the slice is taken back. Two clocks tell when the routers have a table: the
endpoint's status (`confirmedAt`), and the routers themselves, which are asked for their generation all the time.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import httpx

from benchmarks.controller import stage
from benchmarks.controller.observer import Observer
from benchmarks.controller.report import load_average, spread, table
from benchmarks.controller.stage import Stage
from crossfade_operator.adapters.api import APPLY, Api, configuration
from crossfade_operator.adapters.kubernetes import ROLLOUT
from dev.cluster.errors import ClusterError
from dev.cluster.progress import say
from tests.fakes.telemetry import FakeTelemetry

GIVE_UP_AFTER = 120.0
SEED = 3

T = TypeVar("T")


@dataclass(frozen=True)
class Round:
    """Seconds, each by the endpoint's status and by the routers' own answers.

    `slice_*`: from the candidate's pods seen ready to its first slice confirmed. `back_*`: from the analyzer's answer
    Harmful to the slice confirmed gone. `bad`: from the analyzer's turn to Harmful, which the controller learns at its
    next look, to the slice confirmed gone.
    """

    slice_status: float
    slice_routers: float
    back_status: float
    back_routers: float
    bad: float
    load: float


def measure(cluster: str, rounds: int) -> list[Round]:
    """So many rounds on a cluster of that name."""
    with stage.raised(cluster) as raised:
        return asyncio.run(_measure(raised, rounds))


def markdown(rounds: Sequence[Round], name: str | None = None) -> str:
    """Medians and ranges of the rounds: those of `first-slice`, of `reaction`, or all."""

    def row(what: str, target: str, of: Callable[[Round], float]) -> tuple[str, str, str]:
        return what, spread([of(one) for one in rounds]), target

    first_slice = (
        row("pods ready → first slice confirmed, by the endpoint's status", "< 3", lambda one: one.slice_status),
        row("the same, by the routers", "< 3", lambda one: one.slice_routers),
    )
    reaction = (
        row("bad look → traffic back confirmed, by the endpoint's status", "< 3", lambda one: one.back_status),
        row("the same, by the routers", "< 3", lambda one: one.back_routers),
        row(f"turned bad, looks every {stage.INTERVAL} s → traffic back confirmed", "", lambda one: one.bad),
    )
    rows = {"first-slice": first_slice, "reaction": reaction}.get(name or "", first_slice + reaction)
    loads = [one.load for one in rounds]
    head = f"{len(rounds)} rounds, load average {min(loads):.0f}-{max(loads):.0f}"
    return table((head, "median (range), s", "target, s"), rows)


async def _measure(raised: Stage, count: int) -> list[Round]:
    chance = random.Random(SEED)
    async with (
        Api(await configuration(raised.kubeconfig), FakeTelemetry()) as api,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{raised.analyzer}", trust_env=False) as analyzer,
        Observer(api, raised.routers).running() as seen,
    ):
        rounds = []
        for number in range(1, count + 1):
            rounds.append(await _round(api, analyzer, seen, number, chance.uniform(0, stage.INTERVAL)))
            one = rounds[-1]
            say(f"round {number}: first slice {one.slice_routers:.2f} s, back {one.back_routers:.2f} s")
        return rounds


async def _round(api: Api, analyzer: httpx.AsyncClient, seen: Observer, number: int, pause: float) -> Round:
    await _tell(analyzer, "Undecided")
    query = {"fieldManager": "benchmark", "force": "true"}
    path = f"{ROLLOUT.collection(stage.NAMESPACE)}/{stage.ROLLOUT}"
    before = seen.revision
    await api.request("PATCH", path, query=query, body=stage.rollout(number), content_type=APPLY)
    given = await _eventually("the first slice", lambda: seen.given(other_than=before))
    ready = seen.ready_at(given.revision)
    await asyncio.sleep(pause)
    turned = time.time()
    await _tell(analyzer, "Harmful")
    taken = await _eventually("the slice's end", lambda: seen.taken(after=given))
    answers = (await analyzer.get("/answers")).raise_for_status().json()
    answered = next(one["at"] for one in answers if (one["verdict"], one["revision"]) == ("Harmful", given.revision))
    return Round(
        slice_status=given.confirmed_at - ready,
        slice_routers=seen.run_by_all(given.generation) - ready,
        back_status=taken.confirmed_at - answered,
        back_routers=seen.run_by_all(taken.generation) - answered,
        bad=seen.run_by_all(taken.generation) - turned,
        load=load_average(),
    )


async def _tell(analyzer: httpx.AsyncClient, verdict: str) -> None:
    (await analyzer.put("/verdict", content=verdict)).raise_for_status()


async def _eventually(what: str, look: Callable[[], T | None]) -> T:
    until = time.monotonic() + GIVE_UP_AFTER
    while (found := look()) is None:
        if time.monotonic() > until:
            raise ClusterError(f"waited {GIVE_UP_AFTER:.0f} s for {what}", "see the controller's log")
        await asyncio.sleep(0.1)
    return found
