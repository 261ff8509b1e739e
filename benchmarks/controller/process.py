"""The controller as a process of its own, and what it costs by the kernel's own books."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from dev.cluster.errors import ClusterError
from tests.integration.handlers.serving.processes import Controller, eventually

TICKS = os.sysconf("SC_CLK_TCK")
STOPS_WITHIN = 20.0


class Measured:
    """A running controller; `seconds` is its age."""

    def __init__(self, controller: Controller, began: float) -> None:
        self._controller, self._began = controller, began
        self._proc = Path(f"/proc/{controller.process.pid}")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    async def leads(self) -> None:
        """Return when it has the Lease."""
        await eventually("the controller leads", self._controller.leads)

    async def reconciles(self) -> float:
        """Turns of endpoints that have ended. Raises `ClusterError` when the process has, too."""
        if self._controller.process.returncode is not None:
            log = self._controller.log.read_text()[-2000:]
            raise ClusterError(f"the controller ended with {self._controller.process.returncode}:\n{log}")
        return await self._controller.counted("crossfade_reconciles_total", outcome="done")

    async def stop(self) -> None:
        """End it as a Deployment would: asked first, killed when it does not heed that."""
        process = self._controller.process
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOPS_WITHIN)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def requests(self) -> float:
        """Requests to the API server so far, those about the Lease aside."""
        name = "crossfade_api_requests_total"
        return await self._controller.counted(name) - await self._controller.counted(name, resource="leases")

    def cpu_seconds(self) -> float:
        """User and system time of all its threads."""
        return cpu_seconds(self._controller.process.pid)

    def resident_mib(self, field: str = "VmRSS") -> float:
        """Resident memory now (`VmRSS`) or at its most (`VmHWM`), MiB."""
        lines = (self._proc / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextlib.asynccontextmanager
async def controller(kubeconfig: Path, namespace: str, folder: Path) -> AsyncIterator[Measured]:
    """`crossfade-operator serving` for one namespace, as soon as it leads; stopped in an orderly way at the end."""
    port = _free_port()
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("CROSSFADE_", "KUBERNETES_"))},
        "KUBECONFIG": str(kubeconfig),
        "CROSSFADE_ANALYZER_URL": "http://127.0.0.1:1",
        "CROSSFADE_ROUTER_IMAGE": "envoy:none",
        "CROSSFADE_NAMESPACES": namespace,
        "CROSSFADE_LEASE_NAMESPACE": namespace,
        "CROSSFADE_LISTEN": f"127.0.0.1:{port}",
    }
    log, began = folder / "controller.log", time.monotonic()
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "crossfade_operator", "serving", env=environ, stdout=output, stderr=output
        )
    measured = Measured(Controller(process, port, log), began)
    try:
        await measured.leads()
        yield measured
    finally:
        await measured.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
