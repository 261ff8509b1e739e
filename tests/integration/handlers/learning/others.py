"""The others that a learning controller works with: an analyzer behind HTTP, the serving side, and a kubelet."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter

from crossfade_analyzer.contract import (
    VERSION,
    ExperimentPlanRequest,
    ExperimentRequest,
    MetricSource,
    Problem,
)
from crossfade_operator.adapters.api import MERGE, Api
from crossfade_operator.ports.cluster import ClusterError
from crossfade_operator.ports.verdicts import Unavailable
from tests.fakes.grants import granted
from tests.scenario.learning.analyst import DIGEST, FakeAnalyzer

CORE, GROUP = "/api/v1", "/apis/crossfade.dev/v1alpha1"
EVERY = 0.2


@contextlib.asynccontextmanager
async def analyzer_service(analyzer: FakeAnalyzer) -> AsyncIterator[str]:
    """The fake behind the real contract; yields its URL."""

    def answering(question: TypeAdapter[Any], answer: Callable[[Any], Any]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            found = await answer(question.validate_json(await request.read()))
            if isinstance(found, Unavailable):
                problem = Problem(title="not now", detail=found.message)
                return web.Response(status=503, text=problem.model_dump_json(by_alias=True))
            return web.Response(text=found.model_dump_json(by_alias=True), content_type="application/json")

        return handle

    app = web.Application()
    app.router.add_post(
        f"/{VERSION}/experiments/evaluations", answering(TypeAdapter(ExperimentRequest), analyzer.evaluate_experiment)
    )
    app.router.add_post(
        f"/{VERSION}/experiments/plans", answering(TypeAdapter(ExperimentPlanRequest), analyzer.plan_experiment)
    )
    app.router.add_post(f"/{VERSION}/contracts", answering(TypeAdapter(MetricSource), analyzer.check))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Others:
    """Does what the serving controller and the kubelet would do about experiments, again and again."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api, self._namespace = api, namespace
        self.images: dict[str, str] = {}

    async def run(self) -> None:
        while True:
            with contextlib.suppress(ClusterError):
                await self._ready_pods()
                await self._grant()
            await asyncio.sleep(EVERY)

    async def _list(self, root: str, plural: str, **query: str) -> list[dict[str, Any]]:
        found = await self._api.request("GET", f"{root}/namespaces/{self._namespace}/{plural}", query=query)
        return list(found["items"])

    async def _ready_pods(self) -> None:
        for pod in await self._list(CORE, "pods", labelSelector="crossfade.dev/component=arm"):
            image = self.images.get(pod["metadata"]["labels"]["crossfade.dev/arm"], "a" * 64)
            running = f"registry/model@sha256:{image}"
            statuses = pod["status"].get("containerStatuses") or [{}]
            if statuses[0].get("imageID") == running:
                continue
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            status = {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}],
                "containerStatuses": [
                    {
                        "name": "model",
                        "image": "model",
                        "imageID": running,
                        "ready": True,
                        "restartCount": 0,
                        "state": {"running": {"startedAt": now}},
                    }
                ],
            }
            path = f"{CORE}/namespaces/{self._namespace}/pods/{pod['metadata']['name']}/status"
            await self._api.request("PATCH", path, body={"status": status}, content_type=MERGE)

    async def _grant(self) -> None:
        requests = [
            (f"Experiment/{one['metadata']['name']}", one["status"]["sliceRequest"])
            for one in await self._list(GROUP, "experiments")
            if one.get("status", {}).get("sliceRequest")
        ]
        for endpoint in await self._list(GROUP, "modelendpoints"):
            status = endpoint.get("status") or {}
            route = status.get("route") or {"generation": 1, "confirmedGeneration": 1}
            ledger = granted(requests)
            if status.get("route") and [_bare(entry) for entry in status.get("ledger", [])] == ledger:
                continue
            generation = route["generation"] + 1
            new = {
                **status,
                "ledger": [{**entry, "generation": generation} for entry in ledger],
                "route": {
                    "generation": generation,
                    "confirmedGeneration": generation,
                    "digest": DIGEST,
                    "decision": "ranker-000001",
                    "writtenAt": "2026-03-01T12:00:00Z",
                },
            }
            path = f"{GROUP}/namespaces/{self._namespace}/modelendpoints/{endpoint['metadata']['name']}/status"
            await self._api.request("PUT", path, body={**endpoint, "status": new})


def _bare(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "generation"}
