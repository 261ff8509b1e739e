"""A small world of experiments in memory: an endpoint, arms whose pods come and go, an analyzer and the serving side.

The controller under test is the real one. The serving side is simulated by its contract: it grants what
`status.sliceRequest` asks for in the endpoint's ledger unless it is `full` or `away`, and takes it back when nobody
asks any more. The analyzer keeps evidence of its own, and refuses a design that changed under way.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from crossfade_operator.api.experiment_status import ExperimentStatus
from crossfade_operator.core.revision import revision_of
from crossfade_operator.ports.cluster import Conflict, Unreachable
from crossfade_operator.ports.learning import Name
from crossfade_operator.runtime.learning.reconcile import ExperimentReconciler
from tests.fakes.cluster import GROUP, Crash
from tests.fakes.grants import granted
from tests.fakes.learning import FakeLearning
from tests.fakes.telemetry import FakeTelemetry
from tests.scenario.learning.analyst import DIGEST, FakeAnalyzer

ARM_CLASS = "crossfade-arms"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAMESPACE, ENDPOINT = "recs", "ranker"
NAME = Name(NAMESPACE, "two-tower")
OWNER, DECIDER = "team-ranking", "ana"


class FakeClock:
    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time


def template(image: str) -> dict[str, Any]:
    return {
        "spec": {"containers": [{"name": "model", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}]}
    }


STABLE = revision_of(template("v1"))
CONTROL = {"name": "control", "role": "Control", "revision": "Stable"}
TREATMENT = {"name": "treatment", "role": "Treatment", "replicas": 2, "template": template("v2")}
METRICS = [
    {"metric": "plays", "role": "Success", "mde": {"relative": "1%"}},
    {"metric": "error-rate", "role": "Guardrail", "margin": {"absolute": "0.5%"}},
]
DESIGN = {
    "hypothesis": "Two towers raise plays by 1 %.",
    "slice": "20%",
    "arms": [CONTROL, TREATMENT],
    "metrics": METRICS,
    "analysis": {"interval": "1m"},
    "minRuntime": "10m",
    "maxRuntime": "1h",
}


def experiment(name: str = NAME.name, design: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": GROUP,
        "kind": "Experiment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "endpoint": ENDPOINT,
            "owner": OWNER,
            "decisionMaker": DECIDER,
            "desiredState": "Running",
            "design": {**DESIGN, **(design or {})},
            **spec,
        },
    }


def metric(name: str = "plays", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": GROUP,
        "kind": "Metric",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "type": "Mean",
            "direction": "HigherIsBetter",
            "prometheus": {"numerator": f"{name}_sum", "denominator": f"{name}_count"},
            **spec,
        },
    }


class World:
    """Drive it with `run`, change it with `apply`, `edit`, `review` and the attributes, and look at `status`."""

    def __init__(self, **policy: Any) -> None:
        self.clock, self.analyzer, self.telemetry = FakeClock(), FakeAnalyzer(), FakeTelemetry()
        self.cluster = FakeLearning(self.clock.now)
        self.names = [NAME]
        self.crashing: set[str] = set()
        self.images: dict[str, str] = {}
        self.full: str | None = None
        self.serving_away = self.routers_deaf = False
        self.restart()
        self.cluster.put(
            {
                "apiVersion": GROUP,
                "kind": "ModelEndpoint",
                "metadata": {"name": ENDPOINT, "namespace": NAMESPACE},
                "spec": {"unit": {"header": "x-user-id"}, "policy": policy},
                "status": {"stableRevision": STABLE, "route": self._route(1)},
            }
        )
        self.cluster.put(metric())
        self._record_stable()

    def _route(self, generation: int, confirmed: int | None = None) -> dict[str, Any]:
        return {
            "generation": generation,
            "confirmedGeneration": generation if confirmed is None else confirmed,
            "digest": DIGEST,
            "decision": "ranker-000001",
            "writtenAt": START.isoformat(),
        }

    def _record_stable(self) -> None:
        labels = {"endpoint": ENDPOINT, "component": "revision", "revision": STABLE, "rollout": "ranker"}
        self.cluster.put(
            {
                "apiVersion": "apps/v1",
                "kind": "ControllerRevision",
                "metadata": {
                    "name": f"ranker-{STABLE}",
                    "namespace": NAMESPACE,
                    "labels": {f"crossfade.dev/{label}": value for label, value in labels.items()},
                },
                "data": {"template": template("v1")},
                "revision": 1,
            }
        )

    def restart(self) -> None:
        """A new controller process: nothing is remembered but what is in the cluster."""
        self.reconciler = ExperimentReconciler(self.cluster, self.analyzer, self.clock, self.telemetry, ARM_CLASS)

    # People ------------------------------------------------------------------------------------------------------

    def apply(self, manifest: dict[str, Any]) -> None:
        self.cluster.put(manifest)

    def edit(self, name: str = NAME.name, **spec: Any) -> None:
        """Change fields of the spec; None removes one."""
        found = copy.deepcopy(self.obj(name))
        changed = {key: value for key, value in {**found["spec"], **spec}.items() if value is not None}
        self.cluster.put({**found, "spec": changed})

    def delete(self) -> None:
        """As a user would: it goes when nothing holds it."""
        self.cluster.delete_by_hand(NAME)

    @property
    def exists(self) -> bool:
        return self.cluster.get("Experiment", NAMESPACE, NAME.name) is not None

    def review(self, verdict: str, by: str, *, design: str | None = None, **spec: Any) -> None:
        """A Review of the experiment with its present design, unless another subject is given."""
        number = len(self.cluster.all("Review")) + 1
        subject = {"kind": "Experiment", "name": NAME.name, "design": design or self.status.design_hash}
        reason = {} if verdict == "Approve" else {"reason": "because"}
        self.cluster.put(
            {
                "apiVersion": GROUP,
                "kind": "Review",
                "metadata": {"name": f"review-{number:03}", "namespace": NAMESPACE},
                "spec": {"subject": subject, "verdict": verdict, "reviewer": by, **reason, **spec},
            }
        )

    def decide(self, action: str, *, by: str = DECIDER, **request: Any) -> None:
        self.edit(decision={"action": action, "by": by, "rationale": "as the numbers say", **request})

    # What is seen ------------------------------------------------------------------------------------------------

    def obj(self, name: str = NAME.name) -> dict[str, Any]:
        found = self.cluster.get("Experiment", NAMESPACE, name)
        assert found is not None
        return found

    @property
    def status(self) -> ExperimentStatus:
        return self.status_of(NAME.name)

    def status_of(self, name: str) -> ExperimentStatus:
        return ExperimentStatus.model_validate(self.obj(name).get("status", {}))

    @property
    def phases(self) -> list[str]:
        return [transition.phase.value for transition in self.status.transitions]

    @property
    def decisions(self) -> list[dict[str, Any]]:
        return [obj["spec"] for obj in self.cluster.all("Decision")]

    @property
    def actions(self) -> list[str]:
        return [spec["action"] for spec in self.decisions]

    @property
    def endpoint(self) -> dict[str, Any]:
        found = self.cluster.get("ModelEndpoint", NAMESPACE, ENDPOINT)
        assert found is not None
        return found

    def holders(self) -> set[str]:
        return {entry["holder"] for entry in self.endpoint["status"].get("ledger", ()) if entry["arm"] == "experiment"}

    def arms(self) -> set[str]:
        """The arms that have Deployments, as `<experiment>.<arm>`."""
        labels = [obj["metadata"]["labels"] for obj in self.cluster.all("Deployment")]
        return {f"{one['crossfade.dev/experiment']}.{one['crossfade.dev/arm']}" for one in labels}

    def condition(self, kind: str, name: str = NAME.name) -> tuple[str, str]:
        found = next(one for one in self.status_of(name).conditions if one.type == kind)
        return found.status.value, found.message

    # Time --------------------------------------------------------------------------------------------------------

    async def turn(self) -> datetime | None:
        """One turn of every experiment and what the world makes of it; when the next is due."""
        due: list[datetime | None] = []
        for name in self.names:
            with suppress(Conflict, Unreachable):
                try:
                    due.append(await self.reconciler.reconcile(name))
                    continue
                except Crash:
                    self.restart()
            due.append(self.clock.time)
        self.settle()
        return min(filter(None, due), default=None)

    async def run(self, *, seconds: float = 0, until: Callable[[], bool] | None = None, turns: int = 3000) -> None:
        """Turn after turn: at once while something moves, else at the time that was asked for.

        Ends after so many simulated seconds, or when `until` holds; fails, with what was seen, when it never does.
        """
        end = self.clock.time + timedelta(seconds=seconds)
        for _ in range(turns):
            if until is not None and until():
                return
            before = self._fingerprint()
            due = await self.turn()
            if self._fingerprint() != before:
                continue
            if until is None and (due is None or due > end):
                self.clock.time = end
                return
            if due is None:
                raise AssertionError(f"nothing more will happen: {self.status.phase} {self.status.message}")
            self.clock.time = max(due, self.clock.time + timedelta(milliseconds=1))
        raise AssertionError(f"not after {turns} turns: {self.status.phase} {self.status.message}")

    async def until_phase(self, phase: str) -> None:
        await self.run(until=lambda: str(self.status.phase) == phase)

    def _fingerprint(self) -> str:
        return repr([(key, obj["metadata"]["resourceVersion"]) for key, obj in sorted(self.cluster.objects.items())])

    # The rest of the cluster -------------------------------------------------------------------------------------

    def settle(self) -> None:
        for deployment in self.cluster.all("Deployment"):
            self._make_pods(deployment)
        living = {obj["metadata"]["uid"] for obj in self.cluster.all("Deployment")}
        for pod in self.cluster.all("Pod"):
            if pod["metadata"]["ownerReferences"][0]["uid"] not in living:
                self.cluster.remove("Pod", NAMESPACE, pod["metadata"]["name"])
        if not self.serving_away:
            self._serve()

    def _make_pods(self, deployment: dict[str, Any]) -> None:
        meta, wanted = deployment["metadata"], deployment["spec"]["replicas"]
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        arm = labels["crossfade.dev/arm"]
        ready = arm not in self.crashing
        image = self.images.get(arm, deployment["spec"]["template"]["spec"]["containers"][0]["image"])
        for index in range(wanted):
            self._make_pod(f"{meta['name']}-{index}", meta, labels, ready, image)
        status = {"observedGeneration": meta["generation"], "readyReplicas": wanted if ready else 0}
        if deployment.get("status") != status:
            deployment["status"] = status
            meta["resourceVersion"] += "s"

    def _make_pod(self, name: str, owner: dict[str, Any], labels: dict[str, str], ready: bool, image: str) -> None:
        waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
        container = {"name": "model", "imageID": f"registry/model@sha256:{image}", "restartCount": 0}
        status = {
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [container if ready else {**container, "state": waiting}],
        }
        present = self.cluster.get("Pod", NAMESPACE, name)
        if present is not None and present["status"] == status:
            return
        reference = {"uid": owner["uid"], "kind": "Deployment", "name": owner["name"]}
        metadata = {"name": name, "namespace": NAMESPACE, "labels": labels, "ownerReferences": [reference]}
        self.cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status})

    def _serve(self) -> None:
        """The serving side: grant what is asked for, refuse when full, take back what nobody asks for."""
        requests = [
            (f"Experiment/{obj['metadata']['name']}", obj["status"]["sliceRequest"])
            for obj in self.cluster.all("Experiment")
            if obj.get("status", {}).get("sliceRequest") is not None
        ]
        if self.full is None:
            self._write(granted(requests), [])
        else:
            refused = [{"holder": holder, "request": one["id"], "message": self.full} for holder, one in requests]
            self._write([], refused)

    def _write(self, ledger: list[dict[str, Any]], refused: list[dict[str, Any]]) -> None:
        found = self.cluster.get("ModelEndpoint", NAMESPACE, ENDPOINT)
        if found is None:
            return
        status = found.setdefault("status", {"stableRevision": STABLE, "route": self._route(1)})
        route, before = status["route"], status.get("ledger", [])
        strip = [{key: value for key, value in entry.items() if key != "generation"} for entry in before]
        generation = route["generation"] + (strip != ledger)
        new = before if strip == ledger else [{**entry, "generation": generation} for entry in ledger]
        confirmed = route["confirmedGeneration"] if self.routers_deaf else generation
        changed = {**status, "ledger": new, "refusedRequests": refused, "route": self._route(generation, confirmed)}
        if changed != status:
            found["status"] = changed
            found["metadata"]["resourceVersion"] += "e"


async def running(world: World, *, signed: str = "", **spec: Any) -> World:
    """`signed`: who asked for what, as in the annotation `crossfade.dev/state-by`."""
    made = experiment(**spec)
    made["metadata"]["annotations"] = {"crossfade.dev/state-by": signed} if signed else {}
    world.apply(made)
    await world.until_phase("Running")
    return world


async def decidable(world: World) -> World:
    """Stopped, with its last look taken and its arms gone."""
    await world.run(until=lambda: world.status.reason in ("DecisionPending", "DecisionIncomplete"))
    return world
