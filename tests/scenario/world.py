"""A whole small world in memory: an endpoint, its rollouts, pods that come and go, routers, an analyzer and a clock.

The controller under test is the real one; the world around it is simulated: Deployments get pods at once, which are
ready unless their revision is in `broken`; routers run the table they were poked about unless they are `deaf`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from crossfade_operator.api.modelrollout_status import ModelRolloutStatus
from crossfade_operator.core.children.router import GENERATION_ANNOTATION as GENERATION
from crossfade_operator.core.revision import revision_of
from crossfade_operator.ports.cluster import Conflict, Key, Unreachable
from crossfade_operator.runtime.reconcile import Outcome, Reconciler, ReconcileSettings
from tests.fakes.cluster import GROUP, Crash, FakeCluster
from tests.fakes.telemetry import FakeTelemetry
from tests.scenario.parts import FakeRouters, FakeVerdicts

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = Key("recs", "ranker")


class FakeClock:
    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time


def template(image: str, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "ranker", **labels}},
        "spec": {"containers": [{"name": "model", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}]},
    }


def revision(image: str) -> str:
    """The revision that a rollout of this image has."""
    return revision_of(template(image))


def endpoint(name: str = KEY.endpoint, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": GROUP,
        "kind": "ModelEndpoint",
        "metadata": {"name": name, "namespace": KEY.namespace},
        "spec": {"unit": {"header": "x-user-id"}, **spec},
    }


def experiment(name: str = "taste", positions: int = 200, run: int = 1, **arms: str) -> dict[str, Any]:
    """An Experiment that asks for a slice: arms by name, each with the image that it runs."""
    asked = [
        {"name": arm, "label": f"{name}.{arm}", "weight": 1, "revision": revision(image), "httpPort": 8080}
        for arm, image in (arms or {"control": "v1", "treatment": "v9"}).items()
    ]
    request = {"id": f"{name}/{run}", "positions": positions, "arms": asked}
    return {
        "apiVersion": GROUP,
        "kind": "Experiment",
        "metadata": {"name": name, "namespace": KEY.namespace},
        "spec": {"endpoint": KEY.endpoint},
        "status": {"sliceRequest": request},
    }


STEPS = [
    {"slice": "1%", "hold": "1m", "minRequests": 100},
    {"slice": "10%", "hold": "2m", "minRequests": 100},
    {"slice": "50%", "hold": "3m", "minRequests": 100},
]


def rollout(image: str, name: str = "ranker", steps: Any = None, **spec: Any) -> dict[str, Any]:
    analysis = spec.pop("analysis", {})
    return {
        "apiVersion": GROUP,
        "kind": "ModelRollout",
        "metadata": {"name": name, "namespace": KEY.namespace},
        "spec": {
            "endpoint": KEY.endpoint,
            "replicas": 2,
            "template": template(image),
            "strategy": {"steps": steps or STEPS, "analysis": {"interval": "10s", **analysis}},
            **spec,
        },
    }


class World:
    """Drive it with `run`, change it with `apply`, `annotate` and the sets, and look at `status`."""

    def __init__(self) -> None:
        self.cluster, self.clock = FakeCluster(), FakeClock()
        self.routers, self.verdicts, self.telemetry = FakeRouters(), FakeVerdicts(), FakeTelemetry()
        self.broken: set[str] = set()
        self.crashing: set[str] = set()
        self.pulled: dict[str, str] = {}
        """What the registry gives for a revision's image, where that is not what its tag says."""
        self.passes = 0
        self.decided: dict[str, int] = {}
        self.reviews = 0
        self.restart()
        self.cluster.put(endpoint())

    def restart(self) -> None:
        """A new controller process: nothing is remembered but what is in the cluster."""
        self.reconciler = Reconciler(
            self.cluster,
            self.routers,
            self.verdicts,
            self.clock,
            self.telemetry,
            ReconcileSettings(router_image="envoy:test"),
        )

    # A user ------------------------------------------------------------------------------------------------------

    def apply(self, manifest: dict[str, Any]) -> None:
        present = self.cluster.get(manifest["kind"], KEY.namespace, manifest["metadata"]["name"])
        kept = copy.deepcopy(present["metadata"]["annotations"]) if present else {}
        made = self.cluster.put({**manifest, "metadata": {**manifest["metadata"], "annotations": kept}})
        if present is None:
            made["metadata"]["creationTimestamp"] = self.clock.time.strftime("%Y-%m-%dT%H:%M:%SZ")

    def annotate(self, verb: str, token: str, name: str = "ranker") -> None:
        found = self.cluster.get("ModelRollout", KEY.namespace, name)
        assert found is not None
        found["metadata"]["annotations"][f"crossfade.dev/{verb}"] = token
        found["metadata"]["resourceVersion"] += "1"

    def pause(self, paused: bool = True) -> None:
        found = copy.deepcopy(self.cluster.get("ModelRollout", KEY.namespace, "ranker"))
        assert found is not None
        found["spec"]["paused"] = paused
        self.cluster.put(found)

    # The learning side -------------------------------------------------------------------------------------------

    def ask(self, wanted: dict[str, Any]) -> None:
        """The learning controller decides to run an experiment, and asks for its slice."""
        name = wanted["metadata"]["name"]
        self.cluster.put({**wanted, "status": {}})
        self.decide_on(name, "Run")
        self.cluster.put(wanted)

    def decide_on(self, name: str, action: str, **spec: Any) -> str:
        """A Decision about an experiment; returns its name."""
        found = self.cluster.get("Experiment", KEY.namespace, name)
        uid = found["metadata"]["uid"] if found else "gone"
        self.decided[name] = self.decided.get(name, 0) + 1
        made = f"{name}-exp-{self.decided[name]:06d}"
        subject = {"kind": "Experiment", "name": name, "uid": uid, **spec.pop("subject", {})}
        at = self.clock.time.strftime("%Y-%m-%dT%H:%M:%SZ")
        usual = {
            "basis": "Human",
            "actor": "ana",
            "rule": "experiment@1",
            "reason": "Asked",
            "at": at,
            "retainUntil": at,
        }
        body = {"subject": subject, "endpoint": KEY.endpoint, "action": action, **usual, **spec}
        meta = {"name": made, "namespace": KEY.namespace}
        self.cluster.put({"apiVersion": GROUP, "kind": "Decision", "metadata": meta, "spec": body})
        return made

    def stop(self, name: str) -> None:
        """The learning controller decides to stop an experiment, and asks for nothing more."""
        self.decide_on(name, "Stop")
        found = self.cluster.get("Experiment", KEY.namespace, name)
        assert found is not None
        self.cluster.put({**found, "status": {}})

    # People ------------------------------------------------------------------------------------------------------

    def review(self, reviewer: str, verdict: str = "Approve", **spec: Any) -> None:
        """Somebody reviews the rollout's candidate, or whatever `subject` says."""
        subject = spec.pop("subject", None)
        if subject is None:
            assert self.status.candidate is not None
            subject = {"kind": "ModelRollout", "name": "ranker", "revision": self.status.candidate.revision}
        body = {"subject": subject, "verdict": verdict, "reviewer": reviewer, "reason": "so it is", **spec}
        self.reviews += 1
        meta = {"name": f"review-{self.reviews:04}", "namespace": KEY.namespace}
        made = self.cluster.put({"apiVersion": GROUP, "kind": "Review", "metadata": meta, "spec": body})
        made["metadata"]["creationTimestamp"] = self.clock.time.strftime("%Y-%m-%dT%H:%M:%SZ")

    def ask_to_promote(self, by: str, token: str, why: str = "the numbers will come") -> None:
        """Somebody asks, and admission has seen that it is they."""
        self.annotate("requested-by", by)
        self.annotate("rationale", why)
        self.annotate("promote", token)

    # What is seen ------------------------------------------------------------------------------------------------

    @property
    def status(self) -> ModelRolloutStatus:
        return self.status_of("ranker")

    def status_of(self, name: str) -> ModelRolloutStatus:
        found = self.cluster.get("ModelRollout", KEY.namespace, name)
        assert found is not None
        return ModelRolloutStatus.model_validate(found.get("status", {}))

    @property
    def accepted(self) -> tuple[str, str]:
        """Status and reason of the rollout's condition Accepted."""
        (found,) = (one for one in self.status.conditions if one.type == "Accepted")
        return found.status.value, found.reason

    @property
    def endpoint_status(self) -> dict[str, Any]:
        found = self.cluster.get("ModelEndpoint", KEY.namespace, KEY.endpoint)
        assert found is not None
        return dict(found.get("status", {}))

    @property
    def actions(self) -> list[str]:
        return [decision.action.value for decision in self.status.decisions]

    def deployed(self) -> dict[str, int]:
        """Replicas by revision."""
        return {
            obj["metadata"]["labels"]["crossfade.dev/revision"]: obj["spec"]["replicas"]
            for obj in self.cluster.all("Deployment")
            if obj["metadata"]["labels"].get("crossfade.dev/component") == "revision"
        }

    # Time --------------------------------------------------------------------------------------------------------

    async def turn(self) -> Outcome | None:
        """One turn of the controller and what the cluster makes of it. None when it was killed in it."""
        self.passes += 1
        outcome: Outcome | None = Outcome(self.clock.time)
        with suppress(Conflict, Unreachable):
            try:
                outcome = await self.reconciler.reconcile(KEY)
            except Crash:
                self.restart()
        self._settle()
        return outcome

    async def run(self, *, seconds: float = 0, until: Callable[[], bool] | None = None, turns: int = 2000) -> None:
        """Turn after turn: at once while something moves, else at the time that was asked for.

        Ends after so many simulated seconds, or when `until` holds; fails, with what was seen, when it never does.
        """
        end = self.clock.time + timedelta(seconds=seconds)
        for _ in range(turns):
            if until is not None and until():
                return
            before = self._fingerprint()
            outcome = await self.turn()
            if self._fingerprint() != before:
                continue
            due = outcome.requeue_at if outcome else None
            if until is None and (due is None or due > end):
                self.clock.time = end
                return
            if due is None:
                raise AssertionError(f"nothing more will happen: {self.status}")
            self.clock.time = max(due, self.clock.time + timedelta(milliseconds=1))
        raise AssertionError(f"not after {turns} turns: {self.status}")

    async def until_phase(self, phase: str) -> None:
        await self.run(until=lambda: str(self.status.phase) == phase)

    async def until_step(self, step: int) -> None:
        def there() -> bool:
            candidate = self.status.candidate
            return candidate is not None and candidate.step_started_at is not None and candidate.step + 1 == step

        await self.run(until=there)

    # The cluster's own controllers -------------------------------------------------------------------------------

    def _fingerprint(self) -> str:
        return repr([(key, obj["metadata"]["resourceVersion"]) for key, obj in sorted(self.cluster.objects.items())])

    def _settle(self) -> None:
        for deployment in self.cluster.all("Deployment"):
            self._make_pods(deployment)
        deployments = {obj["metadata"]["uid"] for obj in self.cluster.all("Deployment")}
        for pod in self.cluster.all("Pod"):
            if pod["metadata"]["ownerReferences"][0]["uid"] not in deployments:
                self.cluster.remove("Pod", KEY.namespace, pod["metadata"]["name"])
        for table in self.cluster.all("ConfigMap"):
            self._deliver(int(table["metadata"]["annotations"].get(GENERATION, 0)))

    def _make_pods(self, deployment: dict[str, Any]) -> None:
        meta, wanted = deployment["metadata"], deployment["spec"]["replicas"]
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        revision = labels.get("crossfade.dev/revision", "")
        ready = revision not in self.broken and revision not in self.crashing
        for index in range(20):
            name = f"{meta['name']}-{index}"
            present = self.cluster.get("Pod", KEY.namespace, name)
            if index >= wanted and present is not None:
                self.cluster.remove("Pod", KEY.namespace, name)
            if index < wanted:
                self._make_pod(name, deployment, labels, ready, revision in self.crashing)
        status = {"observedGeneration": meta["generation"], "readyReplicas": wanted if ready else 0}
        if deployment.get("status") != status:
            deployment["status"] = status
            meta["resourceVersion"] += "s"

    def _make_pod(
        self, name: str, deployment: dict[str, Any], labels: dict[str, str], ready: bool, crashing: bool
    ) -> None:
        state = {"waiting": {"reason": "CrashLoopBackOff"}} if crashing else {"running": {}}
        containers = [
            {**self._running(container, labels), "restartCount": 4 if crashing else 0, "state": state}
            for container in deployment["spec"]["template"]["spec"]["containers"]
        ]
        status = {
            "podIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": containers,
        }
        present = self.cluster.get("Pod", KEY.namespace, name)
        if present is not None and present["status"] == status:
            return
        owner = {"uid": deployment["metadata"]["uid"], "kind": "Deployment", "name": deployment["metadata"]["name"]}
        annotations = present["metadata"]["annotations"] if present else {}
        self.cluster.put(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": name,
                    "namespace": KEY.namespace,
                    "labels": labels,
                    "annotations": annotations,
                    "ownerReferences": [owner],
                },
                "status": status,
            }
        )

    def _running(self, container: dict[str, Any], labels: dict[str, str]) -> dict[str, str]:
        image = self.pulled.get(labels.get("crossfade.dev/revision", ""), container["image"])
        return {"name": container["name"], "imageID": f"registry/models@sha256:{sha256(image.encode()).hexdigest()}"}

    def _deliver(self, generation: int) -> None:
        """The kubelet brings the table to every router that was poked about it."""
        for pod in self.cluster.all("Pod"):
            name = pod["metadata"]["name"]
            poked = pod["metadata"]["annotations"].get(GENERATION) == str(generation)
            is_router = pod["metadata"]["labels"].get("crossfade.dev/component") == "router"
            if is_router and poked and name not in self.routers.deaf and self.routers.running.get(name) != generation:
                self.routers.running[name] = generation
                pod["metadata"]["resourceVersion"] += "r"
