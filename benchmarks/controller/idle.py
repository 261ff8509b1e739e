"""What rollouts cost the controller while nothing happens, and how long it needs to get to know them all.

A real API server, etcd and controller manager on loopback; pods are objects without a node (`hollow.py`). The
controller first finds every object new, brings each to rest as it always does, is watched idle, is stopped, and
started again among objects that are at rest already.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.controller.hollow import Hollow
from benchmarks.controller.process import Measured, controller, cpu_seconds
from benchmarks.controller.report import load_average, table
from crossfade_operator.adapters.api import Api, configuration
from crossfade_operator.adapters.kubernetes import ENDPOINT, ROLLOUT
from crossfade_operator.adapters.watchcache import CONFIG_MAP, DEPLOYMENT
from dev.cluster.controlplane import LoopbackControlPlane
from dev.cluster.errors import ClusterError
from dev.cluster.processes import ProcessTable
from dev.cluster.programs import Programs
from dev.cluster.progress import say
from tests.contract.cluster.rig import endpoint, install_kinds, rollout
from tests.fakes.telemetry import FakeTelemetry

NAMESPACE = "idle"
AT_ONCE = 16
GIVE_UP_AFTER = 900.0
TELL_EVERY = 15.0
LOOK_EVERY = 1.0
"""Seconds between looks at the controller's metrics, which cost it some milliseconds each."""
SETTLED_FOR = 10.0
"""Seconds without a turn after which the controller counts as idle."""


@dataclass(frozen=True)
class Idle:
    """An idle window: resident memory at its end and at most (MiB), CPU seconds and requests within it."""

    resident: float
    most: float
    cpu: float
    requests: float
    load: float


@dataclass(frozen=True)
class Start:
    """From the start of a process until everything is reconciled: seconds, and the CPU seconds that it and the control
    plane (etcd, API server, controller manager) spent meanwhile."""

    seconds: float
    cpu: float
    plane_cpu: float
    load: float


@dataclass(frozen=True)
class Plane:
    """The control plane under the controller: what its processes have spent."""

    table: ProcessTable

    def cpu_seconds(self) -> float:
        return sum(cpu_seconds(record.pid) for record in self.table.records())


@dataclass(frozen=True)
class Figures:
    """A process that found everything new, and one that found it at rest."""

    rollouts: int
    window: float
    first: Start
    after_work: Idle
    again: Start
    after_restart: Idle


def measure(rollouts: int, window: float) -> Figures:
    """The figures, from a control plane made for them and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="crossfade-idle-") as folder:
        plane = LoopbackControlPlane(Programs.cached(), Path(folder))
        kubeconfig = plane.start().kubeconfig
        try:
            return asyncio.run(_measure(kubeconfig, Path(folder), rollouts, window))
        finally:
            plane.stop()


def markdown(figures: Figures) -> str:
    """The tables of one run."""
    rows = [
        *_start_rows("found new", figures.first),
        *_start_rows("found at rest", figures.again),
        *_idle_rows("after bringing all to rest", figures.after_work, figures.window),
        *_idle_rows("after a restart", figures.after_restart, figures.window),
    ]
    head = f"{figures.rollouts} ModelEndpoints, {figures.rollouts} ModelRollouts"
    cells = [(name, value, target, f"{load:.1f}") for name, value, target, load in rows]
    return table((head, "measured", "target", "load average"), cells)


def _start_rows(how: str, start: Start) -> list[tuple[str, str, str, float]]:
    return [
        (f"from process start until all, {how}, are reconciled (s)", f"{start.seconds:.1f}", "< 30", start.load),
        ("CPU spent on it, controller + control plane (s)", f"{start.cpu:.1f} + {start.plane_cpu:.1f}", "", start.load),
    ]


def _idle_rows(when: str, idle: Idle, window: float) -> list[tuple[str, str, str, float]]:
    cpu = f"< {window / 120:.2g}"
    return [
        (f"resident memory {when}, at most (MiB)", f"{idle.resident:.0f}, {idle.most:.0f}", "< 150", idle.load),
        (f"CPU in {window:.0f} idle s {when} (s)", f"{idle.cpu:.2f}", cpu, idle.load),
        (f"API requests in {window:.0f} idle s {when}", f"{idle.requests:.0f}", "", idle.load),
    ]


async def _measure(kubeconfig: Path, folder: Path, rollouts: int, window: float) -> Figures:
    plane = Plane(ProcessTable(folder / "processes", folder / "logs"))
    async with Api(await configuration(kubeconfig), FakeTelemetry()) as api:
        await install_kinds(api)
        await api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": NAMESPACE}})
        say(f"creating {rollouts} endpoints and rollouts")
        await asyncio.gather(*(_create(api, range(first, rollouts, AT_ONCE)) for first in range(AT_ONCE)))
        spent = plane.cpu_seconds()
        async with controller(kubeconfig, NAMESPACE, folder) as measured:
            await _until("reconciled", measured, lambda: _reconciled(api, rollouts))
            first = Start(measured.seconds, measured.cpu_seconds(), plane.cpu_seconds() - spent, load_average())
            say(f"all reconciled after {first.seconds:.1f} s; bringing them to rest")
            async with Hollow(api, NAMESPACE).running():
                await _until("at rest", measured, lambda: _at_rest(api, rollouts))
                await _settled(measured)
                say("idle")
                after_work = await _idle(measured, window)
                await measured.stop()
                spent = plane.cpu_seconds()
                async with controller(kubeconfig, NAMESPACE, folder) as restarted:
                    seconds = await _settled(restarted, rollouts)
                    again = Start(seconds, restarted.cpu_seconds(), plane.cpu_seconds() - spent, load_average())
                    say(f"started again: all reconciled after {again.seconds:.1f} s; idle")
                    after_restart = await _idle(restarted, window)
    return Figures(rollouts, window, first, after_work, again, after_restart)


async def _create(api: Api, numbers: Sequence[int]) -> None:
    for number in numbers:
        name = f"ranker-{number:03}"
        await api.request("POST", ENDPOINT.collection(NAMESPACE), body=endpoint(NAMESPACE, name))
        await api.request("POST", ROLLOUT.collection(NAMESPACE), body=rollout(NAMESPACE, name, name))


async def _until(what: str, measured: Measured, check: Callable[[], Awaitable[str | None]]) -> None:
    """Return when `check` finds nothing missing."""
    began = told = time.monotonic()
    while missing := await check():
        now = time.monotonic()
        if now > began + GIVE_UP_AFTER:
            raise ClusterError(f"not all {what} within {GIVE_UP_AFTER:.0f} s: {missing}")
        if now > told + TELL_EVERY:
            say(f"not all {what} after {now - began:.0f} s, load average {load_average():.0f}: {missing}")
            told = now
        await measured.reconciles()
        await asyncio.sleep(LOOK_EVERY)


async def _reconciled(api: Api, rollouts: int) -> str | None:
    """What is missing until every rollout has a status, and its endpoint a router with a table."""
    shown = sum(1 for item in await _list(api, ROLLOUT.collection(NAMESPACE)) if item.get("status", {}).get("phase"))
    if shown < rollouts:
        return f"{shown} of {rollouts} rollouts have a phase"
    for kind, wanted in ((DEPLOYMENT, 2 * rollouts), (CONFIG_MAP, rollouts)):
        found = len(await _list(api, kind.collection(NAMESPACE), labelSelector="crossfade.dev/endpoint"))
        if found < wanted:
            return f"{found} of {wanted} {kind.plural}"
    return None


async def _at_rest(api: Api, rollouts: int) -> str | None:
    """What is missing until every rollout is promoted, and every router runs the table that its endpoint wants."""
    found = await _list(api, ROLLOUT.collection(NAMESPACE))
    promoted = sum(1 for item in found if item.get("status", {}).get("phase") == "Promoted")
    routes = [item.get("status", {}).get("route") or {} for item in await _list(api, ENDPOINT.collection(NAMESPACE))]
    confirmed = sum(1 for route in routes if route and route.get("confirmedGeneration") == route["generation"])
    missing = f"{promoted} promoted, {confirmed} confirmed of {rollouts}"
    return missing if min(promoted, confirmed) < rollouts else None


async def _list(api: Api, path: str, **query: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await api.request("GET", path, query=query, within=60.0))["items"]
    return items


async def _settled(measured: Measured, at_least: int = 0) -> float:
    """Return when no turn has ended for a while, and `at_least` so many have: how old the process was at the last."""
    until = time.monotonic() + GIVE_UP_AFTER
    seen, last = -1.0, measured.seconds
    while measured.seconds < last + SETTLED_FOR or seen < at_least:
        if (now := await measured.reconciles()) != seen:
            seen, last = now, measured.seconds
        if time.monotonic() > until:
            raise ClusterError(f"the controller was still busy after {GIVE_UP_AFTER:.0f} s ({seen:.0f} turns)")
        await asyncio.sleep(LOOK_EVERY)
    return last


async def _idle(measured: Measured, window: float) -> Idle:
    cpu, requests = measured.cpu_seconds(), await measured.requests()
    await asyncio.sleep(window)
    spent = measured.cpu_seconds() - cpu
    asked = await measured.requests() - requests
    return Idle(measured.resident_mib(), measured.resident_mib("VmHWM"), spent, asked, load_average())
