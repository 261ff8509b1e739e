"""A scene: an endpoint in a namespace of its own, its rollout, and users who ask it over real HTTP all the while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from kubernetes.client.exceptions import ApiException

from crossfade_operator.cli.rollouts.view import Decision, Rollout, rollout_of
from dev.cluster.errors import ClusterError
from dev.cluster.waiting import NotYetError, wait_for
from dev.demo.kube import ENDPOINT, ROLLOUT
from dev.demo.traffic import Traffic
from tests.e2e.support import manifests
from tests.e2e.support.stage import Json, Stage

T = TypeVar("T")
LONGEST_LOAD = 1200.0
LOOK_EVERY = 0.5


class Scene:
    """Everything that one scenario touches. `name` is its namespace."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage, self.name = stage, name
        self.load: Mapping[str, Any] | None = None

    # What a person does --------------------------------------------------------------------------------------

    def open(self, *, routers: int = 1, **first: Any) -> Rollout:
        """Create the endpoint and bring up v1 for everybody; `first` as for `manifests.rollout`."""
        self.stage.remove(self.name)
        self.stage.kube.kubectl("create", "namespace", self.name)
        self.stage.apply(self.name, manifests.endpoint(routers), manifests.rollout("v1", **first))
        opened = self.promoted(seconds=150)
        self.stage.kube.kubectl(
            "wait", "--namespace", self.name, f"modelendpoint/{ENDPOINT}", "--for=condition=Ready", "--timeout=120s",
            timeout=130,
        )  # fmt: skip
        return opened

    def close(self) -> None:
        """Remove the scene; its pods go on their own time."""
        self.stage.remove(self.name, wait=False)

    def apply(self, manifest: Json) -> None:
        self.stage.apply(self.name, manifest)

    def crossfade(self, verb: str) -> str:
        """`kubectl crossfade VERB` on the rollout."""
        return self.stage.crossfade(self.name, *verb.split(), ROLLOUT)

    @contextmanager
    def users(self, rate: float, *, warmed_up: int = 200) -> Iterator[Traffic]:
        """Users at `rate` requests a second; begins when `warmed_up` requests were answered."""
        with (
            self.stage.kube.forwarding(ENDPOINT, 80, self.name) as port,
            Traffic(port, rate=rate, seconds=LONGEST_LOAD) as traffic,
        ):
            try:
                self.wait(f"{warmed_up} requests", lambda: _at_least(traffic, warmed_up), 120)
                yield traffic
            finally:
                self.load = traffic.stop()

    # What is seen --------------------------------------------------------------------------------------------

    def rollout(self) -> Rollout:
        return rollout_of(self.stage.get("modelrollouts", self.name, ROLLOUT))

    def endpoint(self) -> Json:
        return self.stage.get("modelendpoints", self.name, ENDPOINT)

    def pods_of(self, revision: str) -> list[Json]:
        """The pods of a revision that are not on their way out."""
        pods = self.stage.pods(self.name, f"crossfade.dev/revision={revision}")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    # Waiting -------------------------------------------------------------------------------------------------

    def wait(self, what: str, check: Callable[[], T], seconds: float) -> T:
        """As `waiting.wait_for`; the API server being out of reach for a moment is not an answer."""

        def answered() -> T:
            try:
                return check()
            except (ApiException, OSError) as error:
                raise NotYetError(f"{type(error).__name__}: {error}") from error

        return wait_for(f"{self.name}: {what}", answered, timeout=seconds, interval=LOOK_EVERY)

    def wait_until(self, what: str, seconds: float, holds: Callable[[Rollout], bool]) -> Rollout:
        """The rollout as soon as `holds` is true of it and the controller has seen its present specification."""

        def check() -> Rollout:
            seen = self.rollout()
            if not seen.settled or not holds(seen):
                raise NotYetError(f"{seen.phase} {seen.reason}, step {seen.step}: {seen.message}")
            return seen

        return self.wait(what, check, seconds)

    def promoted(self, seconds: float) -> Rollout:
        return self.wait_until("promotion", seconds, lambda seen: seen.ended and seen.phase == "Promoted")

    def rolled_back(self, seconds: float) -> Rollout:
        return self.wait_until("rollback", seconds, lambda seen: seen.ended and seen.phase == "RolledBack")

    def exposed(self, step: int, seconds: float) -> Rollout:
        """The rollout when every router has confirmed the slice of `step`."""
        where = f"the candidate in step {step}"
        return self.wait_until(where, seconds, lambda seen: seen.step == step and seen.stage == "Analyzing")

    def stays(self, seconds: float, holds: Callable[[Rollout], bool]) -> None:
        """See for so many seconds that `holds` is true of the rollout at every look."""
        deadline = time.monotonic() + seconds

        def check() -> None:
            seen = self.rollout()
            assert holds(seen), f"{seen.phase} {seen.reason}: {seen.message}; decisions {told(seen.decisions)}"
            if time.monotonic() < deadline:
                raise NotYetError("still watching")

        self.wait("the end of watching", check, seconds + 30)

    def gone(self, revision: str, seconds: float) -> None:
        """Return when no pod of a revision is left."""

        def check() -> None:
            pods = self.stage.pods(self.name, f"crossfade.dev/revision={revision}")
            if pods:
                raise NotYetError(f"{len(pods)} pods")

        self.wait(f"the end of {revision}", check, seconds)

    # After a failure -----------------------------------------------------------------------------------------

    def report(self) -> str:
        """Everything that helps to understand what went wrong."""
        try:
            seen = self.rollout()
            found = [
                f"{self.name}: {seen.phase} {seen.reason}, step {seen.step}/{seen.steps}, {seen.slice}: {seen.message}",
                *(f"  {decision.at:%H:%M:%S} {told([decision])} {decision.message}" for decision in seen.decisions),
                *(
                    f"  {one.name}: {one.verdict} {one.candidate} against {one.control}. {one.message}"
                    for one in seen.metrics
                ),
                f"  endpoint: {self.endpoint().get('status')}",
            ]
        except Exception as error:  # whatever it is, the rest of the report is still worth having
            found = [f"{self.name}: cannot be read: {error}"]
        for listed in (("pods", "--output=wide"), ("experiments", "--output=yaml")):
            try:
                found.append(self.stage.kube.kubectl("get", *listed, "--namespace", self.name))
            except ClusterError as error:
                found.append(str(error))
        if self.load is not None:
            found.append(f"load: {self.load}")
        for component in ("serving", "learning", "analyzer"):
            found += [f"-- log of {component}", self.stage.logs(component)]
        return "\n".join(found)


def told(decisions: Any) -> str:
    """Decisions in a line: what, where to, why."""
    listed: list[Decision] = list(decisions)
    return ", ".join(f"{one.name} {one.action} {one.step} {one.slice} ({one.reason})" for one in listed)


def _at_least(traffic: Traffic, requests: int) -> None:
    seen = int(traffic.latest["requests"])
    if seen < requests:
        raise NotYetError(f"{seen} requests")
