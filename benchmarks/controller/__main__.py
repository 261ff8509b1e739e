"""`python -m benchmarks.controller`: what 500 rollouts cost the serving controller while nothing happens.

A real API server, etcd and controller manager on loopback; no node, so pods stay Pending and every rollout waits for
its first revision. Prints time from the first object to the last one reconciled, resident memory, CPU
seconds and requests to the API server over the idle window.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from crossfade_operator.adapters.api import Api, configuration
from dev.cluster.controlplane import LoopbackControlPlane
from dev.cluster.programs import Programs
from tests.contract.cluster.rig import endpoint, install_kinds, rollout
from tests.fakes.telemetry import FakeTelemetry
from tests.integration.handlers.serving.processes import Controller, Site

NAMESPACE = "idle"
AT_ONCE = 16
GIVE_UP_AFTER = 900.0
SETTLED_FOR = 10.0


async def measure(rollouts: int, idle_seconds: float, folder: Path) -> dict[str, float]:
    """The figures, by name, from a cluster made for them."""
    plane = LoopbackControlPlane(Programs.cached(), folder)
    running = plane.start()
    try:
        async with Api(await configuration(running.kubeconfig), FakeTelemetry()) as api:
            await install_kinds(api)
            await api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": NAMESPACE}})
            async with Site(api, NAMESPACE, running.kubeconfig, running.url, folder) as site:
                return await _figures(site, rollouts, idle_seconds)
    finally:
        plane.stop()


async def _figures(site: Site, rollouts: int, idle_seconds: float) -> dict[str, float]:
    controller = await site.leading("bench")
    began = time.monotonic()
    await asyncio.gather(*(_create(site, range(first, rollouts, AT_ONCE)) for first in range(AT_ONCE)))
    created = time.monotonic() - began
    await _reconciled(site, rollouts)
    reconciled = time.monotonic() - began
    await _settled(controller)
    cpu, requests = _cpu_seconds(controller), await _requests(controller)
    await asyncio.sleep(idle_seconds)
    return {
        "rollouts": rollouts,
        "objects created (s)": round(created, 1),
        "first reconcile of all (s)": round(reconciled, 1),
        "resident memory (MiB)": round(_resident_mib(controller), 1),
        f"CPU in {idle_seconds:.0f} idle s (s)": round(_cpu_seconds(controller) - cpu, 2),
        f"API requests in {idle_seconds:.0f} idle s": await _requests(controller) - requests,
    }


async def _create(site: Site, numbers: Sequence[int]) -> None:
    for number in numbers:
        name = f"ranker-{number:03}"
        made = endpoint(site.namespace, name)
        made["spec"]["router"] = {"replicas": 1}
        await site.create(made, rollout(site.namespace, name, name))


async def _reconciled(site: Site, rollouts: int) -> None:
    """Return when every rollout has a phase and every endpoint its router."""
    until = time.monotonic() + GIVE_UP_AFTER
    while True:
        found = await site.read(site.path("modelrollouts"))
        done = sum(1 for item in (found or {})["items"] if item.get("status", {}).get("phase"))
        if done >= rollouts and len(await site.deployments()) >= 2 * rollouts:
            return
        if time.monotonic() > until:
            raise TimeoutError(f"{done} of {rollouts} rollouts were reconciled within {GIVE_UP_AFTER:.0f} s")
        await asyncio.sleep(0.5)


async def _settled(controller: Controller) -> None:
    """Return when no reconcile has ended for a while."""
    until = time.monotonic() + GIVE_UP_AFTER
    before = -1.0
    while (now := await controller.counted("crossfade_reconciles_total")) != before:
        if time.monotonic() > until:
            raise TimeoutError(f"the controller was still busy after {GIVE_UP_AFTER:.0f} s ({now:.0f} reconciles)")
        before = now
        await asyncio.sleep(SETTLED_FOR)


async def _requests(controller: Controller) -> float:
    """Requests to the API server, those about the Lease aside."""
    name = "crossfade_api_requests_total"
    return await controller.counted(name) - await controller.counted(name, resource="leases")


def _cpu_seconds(controller: Controller) -> float:
    """User and system time of the process, proc(5)."""
    fields = Path(f"/proc/{controller.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _resident_mib(controller: Controller) -> float:
    lines = Path(f"/proc/{controller.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.controller", description=__doc__)
    parser.add_argument("--rollouts", type=int, default=500)
    parser.add_argument("--idle", type=float, default=120.0, help="length of the idle window, seconds")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(asked.rollouts, asked.idle, Path(folder)))
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
