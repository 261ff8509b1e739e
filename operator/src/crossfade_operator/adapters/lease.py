"""One active controller, by a `coordination.k8s.io/v1` Lease, and the fence that keeps a stopped one from writing.

The holder counts its time from *before* it asked for a renewal, a bystander from *after* it saw the last one, each
by its own clock that runs on while the process or the machine sleeps. So the holder's claim ends first, whatever
their wall clocks say, and `WRITE_MARGIN` before that it stops writing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from crossfade_operator.adapters.api import Api, NotFound
from crossfade_operator.ports.cluster import ClusterError, Conflict, NotLeader
from crossfade_operator.ports.telemetry import CallTelemetry

logger = logging.getLogger(__name__)

DURATION = 15.0
RENEW_EVERY = 3.0
LOOK_EVERY = 1.0
WRITE_MARGIN = 3.0
ATTEMPT_WITHIN = 4.0


def uptime() -> float:
    """Seconds that also pass while the process is stopped or the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Fence(Protocol):
    """What writers ask before and while they write."""

    def remaining(self) -> float:
        """For how many more seconds this process is surely the only active controller; 0 or less: it may not be."""


@asynccontextmanager
async def fenced(fence: Fence) -> AsyncIterator[None]:
    """Run one write while the fence holds; raises `NotLeader` before it, or in its midst when the time is up."""
    remaining = fence.remaining()
    if remaining <= 0:
        raise NotLeader("the Lease has passed or is not held: nothing is written until it is held again")
    try:
        async with asyncio.timeout(remaining) as limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise NotLeader("the Lease passed during a write, which may or may not have reached the API server") from None


@dataclass(frozen=True)
class LeaseName:
    namespace: str
    name: str

    @property
    def collection(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"


class Lease:
    """One contender. `attempt` takes or renews the Lease, once; `keep` goes on until it is lost."""

    def __init__(
        self,
        api: Api,
        name: LeaseName,
        identity: str,
        telemetry: CallTelemetry,
        *,
        duration: float = DURATION,
        clock: Callable[[], float] = uptime,
    ) -> None:
        self._api = api
        self._name = name
        self.identity = identity
        self._telemetry = telemetry
        self._duration = duration
        self._clock = clock
        self._held_until = float("-inf")
        self._known: dict[str, Any] | None = None
        self._seen: tuple[str, str] | None = None
        self._seen_at = 0.0
        self.attempted_at = clock()
        self.answered = False

    def remaining(self) -> float:
        return self._held_until - self._clock()

    def leads(self) -> bool:
        return self.remaining() > 0

    async def acquire(self) -> None:
        """Return once this process holds the Lease; until then look every second."""
        while not await self.attempt():  # noqa: ASYNC110 - the API server is asked, nobody here could set an event
            await asyncio.sleep(LOOK_EVERY)
        logger.info("%s leads by Lease %s/%s", self.identity, self._name.namespace, self._name.name)

    async def keep(self) -> None:
        """Renew until the Lease is lost, then raise `NotLeader`. A renewal that failed is tried again sooner."""
        pause = RENEW_EVERY
        while True:
            await asyncio.sleep(min(pause, max(self.remaining(), 0.0)))
            renewed = await self.attempt()
            pause = RENEW_EVERY if renewed else min(LOOK_EVERY, RENEW_EVERY)
            if not renewed and not self.leads():
                self._telemetry.leading(False)
                raise NotLeader(f"{self.identity} could not renew its Lease in time, or another took it")

    async def attempt(self) -> bool:
        """Take the Lease or renew it; False when another holds it or the API server does not answer."""
        asked_at = self._clock()
        try:
            # A holder waits for a slow server as long as it leads: to begin anew would only ask it for more.
            async with asyncio.timeout(max(self.remaining(), ATTEMPT_WITHIN)):
                taken = await self._take()
        except (ClusterError, TimeoutError) as error:
            logger.debug("the Lease could not be asked for: %s", error)
            taken = None
        self.attempted_at = self._clock()
        if taken is None:
            return False
        self.answered = True
        self._held_until = asked_at + self._duration - WRITE_MARGIN if taken else float("-inf")
        self._telemetry.leading(taken)
        return taken

    async def release(self) -> None:
        """Give the Lease back, so that a bystander need not wait for its end. Best effort."""
        if not self.leads():
            return
        self._held_until = float("-inf")
        self._telemetry.leading(False)
        try:
            found = await self._api.request("GET", self._path, within=2.0)
            if found["spec"].get("holderIdentity") == self.identity:
                spec = {**found["spec"], "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()}
                await self._api.request("PUT", self._path, body={**found, "spec": spec}, within=2.0)
                logger.info("%s gave its Lease back", self.identity)
        except ClusterError as error:
            logger.warning("the Lease could not be given back and ends by itself: %s", error)

    @property
    def _path(self) -> str:
        return f"{self._name.collection}/{self._name.name}"

    async def _take(self) -> bool | None:
        """True: ours. False: another's. None: it changed while we looked, so look again."""
        if self.leads() and (known := self._known) is not None:
            return await self._write("PUT", self._path, known, known["spec"])
        try:
            found = await self._api.request("GET", self._path)
        except NotFound:
            return await self._write("POST", self._name.collection, self._fresh(), spec={"leaseTransitions": 0})
        spec = found.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if holder == self.identity and self.leads():
            # Somebody else edited it: what we knew of it is stale, the Lease is still ours.
            return await self._write("PUT", self._path, found, spec)
        if holder not in ("", self.identity) and not self._seems_dead(holder, spec):
            return False
        transitions = int(spec.get("leaseTransitions") or 0) + 1
        return await self._write("PUT", self._path, found, {"leaseTransitions": transitions})

    def _seems_dead(self, holder: str, spec: dict[str, Any]) -> bool:
        """Whether the holder has not renewed for its whole duration, watched by our own clock."""
        sign = (holder, str(spec.get("renewTime")))
        if sign != self._seen:
            self._seen, self._seen_at = sign, self._clock()
        duration = float(spec.get("leaseDurationSeconds") or self._duration)
        return self._clock() - self._seen_at > duration

    async def _write(self, method: str, path: str, found: dict[str, Any], spec: dict[str, Any]) -> bool | None:
        mine = {
            "acquireTime": _now(),
            **spec,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(self._duration),
            "renewTime": _now(),
        }
        self._known = None
        try:
            self._known = await self._api.request(method, path, body={**found, "spec": mine})
        except Conflict:
            return None
        return True

    def _fresh(self) -> dict[str, Any]:
        meta = {"name": self._name.name, "namespace": self._name.namespace}
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
