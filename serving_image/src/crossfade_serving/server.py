"""Puts the server together, and takes it through its life: listen, load, warm up, serve, drain, exit."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn

from crossfade_serving import logs
from crossfade_serving.artefact import locate
from crossfade_serving.engine import OnnxEngine
from crossfade_serving.errors import ArtefactError, SettingsError, StartError
from crossfade_serving.grpc_service import Servicer, create
from crossfade_serving.inference import Inferences
from crossfade_serving.labels import Assignments
from crossfade_serving.lifecycle import Lifecycle, Phase, ServingDataPlane
from crossfade_serving.metrics import ServingMetrics
from crossfade_serving.model import Identity, OnnxModel
from crossfade_serving.outcomes import Outcomes
from crossfade_serving.rest import application
from crossfade_serving.settings import Settings
from crossfade_serving.warmup import warm_up

_SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread that computes in Python lets the event loop run (CPython's default: 0.005)."""


class ModelServer:
    """One model behind two ports."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = asyncio.Event()
        self._metrics = ServingMetrics()
        self._lifecycle = Lifecycle(self._metrics)
        self._dataplane = ServingDataPlane(settings.model_name, self._lifecycle)
        assignments = Assignments(settings.arms)
        inferences = Inferences(self._dataplane, assignments, self._metrics)
        outcomes = Outcomes(assignments, self._metrics)
        limit = settings.max_request_bytes
        app = application(self._dataplane, inferences, outcomes, self._metrics, self._lifecycle, limit)
        self._http = _HttpServer(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                timeout_keep_alive=settings.keep_alive,
                timeout_graceful_shutdown=max(1, round(settings.drain_timeout)),
            )
        )
        self._grpc = create(Servicer(self._dataplane, inferences), settings.max_request_bytes)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain. A second signal ends the drain's delay, a third one its rest.

        Raises:
            StartError: the model cannot be served; both ports are closed again.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        http = asyncio.create_task(self._listen())
        try:
            await self._until_stopped(asyncio.create_task(self._start()), http)
            if self._lifecycle.ready:
                await self._drain()
        finally:
            self._http.should_exit = True
            await asyncio.gather(http, self._grpc.stop(self._settings.drain_timeout))
        logs.info("stopped")

    def _on_signal(self) -> None:
        self._http.force_exit = self._http.should_exit
        self._stop.set()

    async def _listen(self) -> None:
        """Open both ports and serve HTTP."""
        listening = _listen_on(self._settings.http_port)
        with contextlib.closing(listening):
            try:
                grpc_port = self._grpc.add_insecure_port(f"[::]:{self._settings.grpc_port}")
            except RuntimeError as error:
                raise SettingsError(f"the gRPC port {self._settings.grpc_port} cannot be opened: {error}") from error
            await self._grpc.start()
            logs.info("listening", http_port=listening.getsockname()[1], grpc_port=grpc_port)
            await self._http.serve(sockets=[listening])

    async def _start(self) -> None:
        """Load the model, check its digest and warm it up; then say so."""
        model = await asyncio.to_thread(load, self._settings)
        self._dataplane.serve(model)
        self._metrics.identify(model.identity)
        await warm_up(model, self._settings, self._metrics)
        gc.collect()
        gc.freeze()
        self._lifecycle.advance(Phase.READY)
        logs.info("ready", model=model.identity.name, version=model.identity.version, digest=model.identity.digest)

    async def _until_stopped(self, start: asyncio.Task[None], http: asyncio.Task[None]) -> None:
        """Wait for a signal; a failure of the start or of a port ends the wait with its exception."""
        stop = asyncio.create_task(self._stop.wait())
        waiting: set[asyncio.Task[Any]] = {start, http, stop}
        try:
            while not stop.done():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            stop.cancel()
            start.cancel()

    async def _drain(self) -> None:
        """Keep answering for a while: routers and Services need some seconds to stop sending requests here."""
        self._lifecycle.advance(Phase.DRAINING)
        logs.info("draining", seconds=self._settings.drain_delay)
        self._stop.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), self._settings.drain_delay)


class _HttpServer(uvicorn.Server):
    """Uvicorn that leaves the signals to us: its own handlers stop listening at once."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def load(settings: Settings) -> OnnxModel:
    """Find the model, check that it is the expected one, and load it.

    Raises:
        ArtefactError: the files are not there, not the expected ones, or changed while they were read.
        EngineError: ONNX Runtime cannot load them.
    """
    artefact = locate(settings.model_path)
    artefact.check(settings.model_digest)
    engine = OnnxEngine(artefact.model_file)
    if locate(settings.model_path).digest != artefact.digest:
        raise ArtefactError(f"the model at {settings.model_path} changed while it was loaded: start again")
    version = settings.model_version or engine.version or artefact.digest.removeprefix("sha256:")[:12]
    threads = settings.inference_threads
    executor = ThreadPoolExecutor(threads, thread_name_prefix="inference") if threads else None
    return OnnxModel(Identity(settings.model_name, version, artefact.digest), engine, executor)


def _listen_on(port: int) -> socket.socket:
    """Listen on all addresses, IPv6 and IPv4 where the machine has both."""
    try:
        if socket.has_dualstack_ipv6():
            return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=2048)
        return socket.create_server(("0.0.0.0", port), backlog=2048)  # noqa: S104 (a server in a pod)
    except OSError as error:
        raise SettingsError(f"the HTTP port {port} cannot be opened: {error}") from error


def serve(settings: Settings) -> int:
    """Run a server until it is told to stop; return the process's exit code."""
    sys.setswitchinterval(_SWITCH_INTERVAL)

    async def run() -> None:
        await ModelServer(settings).run()

    try:
        with asyncio.Runner(loop_factory=uvicorn.Config("", log_config=None).get_loop_factory()) as runner:
            runner.run(run())
    except StartError as error:
        logs.error("cannot start", error=str(error))
        return 1
    return 0
