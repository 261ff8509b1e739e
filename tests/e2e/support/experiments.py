"""An experiment on a scene's endpoint, and users who are counted by arm, as they see it themselves."""

from __future__ import annotations

import copy
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossfade_operator.api.meta import API_VERSION
from dev.cluster.paths import REPOSITORY
from dev.cluster.waiting import NotYetError
from dev.demo.kube import ENDPOINT, SYSTEM
from dev.demo.traffic import Summary, Traffic
from dev.load.slices import OTHERS
from dev.load.tally import Latencies
from tests.e2e.support.manifests import Json, rollout
from tests.e2e.support.scene import LONGEST_LOAD, Scene

EXPERIMENT = "trial"
SLICE = "40%"
RATE = 20.0
"""Requests a second: many scenarios are played at once on one machine."""
BAD_MODEL = REPOSITORY / "tests/e2e/support/badmodel.py"
ERRORS: Json = {"metric": "error-rate", "role": "Guardrail", "margin": {"absolute": "5%"}}


def template(model: str = "v2") -> Json:
    """The pod template of a good arm."""
    found: Json = copy.deepcopy(rollout(model)["spec"]["template"])
    return found


def bad_template(fault: str, after: int = 60) -> Json:
    """The pod template of an arm that behaves for `after` inferences, in the image of the others."""
    found = template()
    (container,) = found["spec"]["containers"]
    container["command"] = ["python3", "-c", BAD_MODEL.read_text()]
    container["args"] = []
    container["env"] = [{"name": "FAULT", "value": fault}, {"name": "AFTER", "value": str(after)}]
    container["resources"]["limits"] = {"memory": "96Mi"}
    container["resources"]["requests"]["memory"] = "32Mi"
    return found


def experiment(treatment: Json, *, name: str = EXPERIMENT, metrics: Sequence[Json] = (ERRORS,), **spec: Any) -> Json:
    """Stable against `treatment`, a pod template, for longer than any test. `spec` replaces fields of the spec."""
    design = {
        "hypothesis": "The treatment is no worse than what everybody gets today.",
        "slice": SLICE,
        "arms": [
            {"name": "control", "role": "Control", "revision": "Stable"},
            {"name": "treatment", "role": "Treatment", "template": treatment},
        ],
        "metrics": copy.deepcopy(list(metrics)),
        "analysis": {"method": "AlwaysValid", "interval": "5s", "prePeriod": "0s"},
        "minRuntime": "1h",
        "maxRuntime": "2h",
    }
    written = {
        "endpoint": ENDPOINT,
        "owner": "team-ranking",
        "decisionMaker": "ana@example.com",
        "desiredState": "Running",
        "design": design,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {**written, **spec},
    }


def seen(scene: Scene, name: str = EXPERIMENT) -> Json:
    """The experiment as it is now."""
    return scene.stage.get("experiments", scene.name, name)


def phase_of(obj: Json) -> str:
    status = obj.get("status", {})
    return f"{status.get('phase')} {status.get('reason')}: {status.get('message')}"


def reach(scene: Scene, phase: str, seconds: float, *, name: str = EXPERIMENT, reason: str | None = None) -> Json:
    """The experiment as soon as it is in `phase` (for `reason`)."""

    def check() -> Json:
        found = seen(scene, name)
        status = found.get("status", {})
        if status.get("phase") != phase or reason not in (None, status.get("reason")):
            raise NotYetError(phase_of(found))
        return found

    return scene.wait(f"{name} to be {phase}", check, seconds)


def windows(scene: Scene, more_than: int, seconds: float) -> Json:
    """The experiment as soon as it has more windows of evidence than that."""

    def check() -> Json:
        found = seen(scene)
        if found["status"].get("windows", 0) <= more_than:
            raise NotYetError(f"{found['status'].get('windows', 0)} windows; {phase_of(found)}")
        return found

    return scene.wait(f"more than {more_than} windows", check, seconds)


def run(scene: Scene, treatment: Json) -> Json:
    """Start an experiment, and return when it runs. Users ask all the while: without traffic nothing can be planned."""
    with scene.users(RATE):
        scene.apply(experiment(treatment))
        return reach(scene, "Running", 300)


# Users by arm ------------------------------------------------------------------------------------------------


@contextmanager
def users(scene: Scene, *, warmed_up: int = 200) -> Iterator[Traffic]:
    """Users at `RATE` requests a second, counted by the arms that the ledger has now."""
    status = scene.endpoint()["status"]
    slices: dict[str, list[list[int]]] = {}
    for entry in status["ledger"]:
        if entry["arm"] == "experiment":
            spans = [[span["from"], span["to"]] for span in entry["ranges"]]
            slices.setdefault(entry["label"].rpartition(".")[2], []).extend(spans)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "slices.json")
        path.write_text(json.dumps({"salt": status["salt"], "slices": slices}))
        with (
            scene.stage.kube.forwarding(ENDPOINT, 80, scene.name) as port,
            Traffic(port, rate=RATE, seconds=LONGEST_LOAD, slices=path) as traffic,
        ):
            try:
                scene.wait(f"{warmed_up} requests", lambda: _requests(traffic, warmed_up), 120)
                yield traffic
            finally:
                scene.load = traffic.stop()


def _requests(traffic: Traffic, least: int) -> Summary:
    latest = traffic.latest
    if latest["requests"] < least:
        raise NotYetError(f"{latest['requests']} requests")
    return latest


@dataclass(frozen=True)
class Met:
    """What the users of one slice met between two moments."""

    requests: int
    failed: int
    models: Mapping[str, int]
    p99: float
    """Milliseconds."""


def between(earlier: Summary, later: Summary, name: str = OTHERS) -> Met:
    """What a slice's users met from one summary to a later one."""
    before, after = (one["slices"].get(name, _NOTHING) for one in (earlier, later))
    bins = Counter({int(k): v for k, v in after["latency_bins"].items()})
    bins.subtract({int(k): v for k, v in before["latency_bins"].items()})
    models = Counter(after["models"])
    models.subtract(before["models"])
    delays = Latencies(Counter({k: v for k, v in bins.items() if v > 0})).quantile(0.99)
    requests = after["requests"] - before["requests"]
    return Met(requests, after["failed"] - before["failed"], +models, 1000 * (delays or 0.0))


_NOTHING: Mapping[str, Any] = {"requests": 0, "failed": 0, "models": {}, "latency_bins": {}}


def more(scene: Scene, traffic: Traffic, requests: int, seconds: float = 180) -> tuple[Summary, Summary]:
    """Two summaries with at least so many requests of everybody between them."""
    earlier = traffic.latest
    later = scene.wait(f"{requests} more requests", lambda: _requests(traffic, earlier["requests"] + requests), seconds)
    return earlier, later


def nobody_else_notices(quiet: Met, disturbed: Met) -> None:
    """Users outside the experiment got what they got before, by stable and as fast, as far as noise lets one say."""
    assert disturbed.requests > 100, disturbed
    assert disturbed.failed == 0, disturbed
    assert disturbed.p99 < 10 * quiet.p99 + 200, f"p99 was {quiet.p99:.0f} ms, and then {disturbed.p99:.0f} ms"
    assert set(disturbed.models) == {"v1"}, disturbed.models


# The record --------------------------------------------------------------------------------------------------


def evidence(scene: Scene, name: str = EXPERIMENT) -> list[str]:
    """The digests of the experiment's chain of evidence, oldest first, as the analyzer has them now."""
    found = seen(scene, name)
    subject = f"Experiment/{scene.name}/{name}/{found['metadata']['uid']}/{found['spec']['run']}"
    digests: list[str] = []
    while True:
        page = json.loads(_ask_analyzer(scene, f"v1/subjects/{subject}?after={len(digests) - 1}&limit=500"))
        digests += [entry["digest"] for entry in page["entries"]]
        if not page["more"]:
            return digests


def _ask_analyzer(scene: Scene, path: str) -> str:
    service = f"/api/v1/namespaces/{SYSTEM}/services/crossfade-analyzer:http/proxy"
    return scene.stage.kube.kubectl("get", "--raw", f"{service}/{path}")


def objects(scene: Scene) -> set[str]:
    """Everything in the namespace but what comes and goes by itself, and the experiment's records."""
    kinds = "deployments,services,configmaps,controllerrevisions.apps,poddisruptionbudgets,serviceaccounts,secrets"
    ours = "modelendpoints,modelrollouts,experiments,metrics"
    found = scene.stage.kube.kubectl("get", f"{kinds},{ours}", "--namespace", scene.name, "--output", "name")
    return set(found.split())
