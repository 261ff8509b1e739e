"""The stage of the rounds: a local cluster, the chart, a scripted analyzer, and an endpoint with one revision."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.cluster.images import ImageStore, load_by_name, reference
from dev.cluster.paths import ClusterPaths
from dev.cluster.progress import step
from dev.demo.kube import SYSTEM, Kube
from dev.demo.staging import CHART, EXAMPLES

NAMESPACE = "bench"
ENDPOINT = ROLLOUT = "ranker"
ANALYZER = "analyzer"
ROUTERS = 2
INTERVAL = 10
OPS_PORT = 9902
IMAGES = ("crossfade-operator", "crossfade-router")
PYTHON = reference("crossfade-operator")
"""An image that has Python and the contract, for the scripted analyzer and for model servers that only answer."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """Where things are reached from this machine: a kubeconfig, and ports of 127.0.0.1."""

    kubeconfig: Path
    analyzer: int
    routers: tuple[int, ...]


@contextmanager
def raised(name: str) -> Iterator[Stage]:
    """The stage on a cluster of this name; the cluster is removed at the end."""
    kube = Kube(name)
    try:
        kube.backend.up()
        store = ImageStore.cached()
        load_by_name(store, kube.backend, ClusterPaths(name), tuple(i for i in IMAGES if i in store.names()))
        with step("installing the chart, with an analyzer that says what it is told"):
            _install(kube, store)
        with step("waiting for the first revision and its routers"):
            _open(kube)
        with ExitStack() as forwards:
            analyzer = forwards.enter_context(kube.forwarding(ANALYZER, 80, NAMESPACE))
            ports = [forwards.enter_context(_router(kube, pod)) for pod in _router_pods(kube)]
            yield Stage(kube.kubeconfig, analyzer, tuple(ports))
    finally:
        kube.backend.down()


def rollout(number: int) -> Json:
    """The rollout with the `number`-th revision: one that would hold its first slice for an hour."""
    container = {
        "name": "model",
        "image": PYTHON,
        "imagePullPolicy": "Never",
        "command": ["python3", "-m", "http.server", "8080", "--directory", "/tmp"],
        "env": [{"name": "NUMBER", "value": str(number)}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
    }
    step_ = {"slice": "10%", "hold": "1h"}
    strategy = {"steps": [step_], "analysis": {"interval": f"{INTERVAL}s"}}
    spec = {"endpoint": ENDPOINT, "scaleDownDelay": "5s", "strategy": strategy}
    return _object("ModelRollout", ROLLOUT, {**spec, "template": {"spec": {"containers": [container]}}})


def _install(kube: Kube, store: ImageStore) -> None:
    install = ["upgrade", "--install", "crossfade", str(CHART), "--namespace", SYSTEM, "--create-namespace"]
    for values in ("values", *(["values-node"] if "crossfade-router" in store.names() else [])):
        install += ["--values", str(EXAMPLES / f"{values}.yaml")]
    install += ["--set", f"serving.env.CROSSFADE_ANALYZER_URL=http://{ANALYZER}.{NAMESPACE}"]
    kube.helm(*install, "--set", "prometheus.url=http://prometheus.invalid:9090")
    kube.kubectl("scale", "deployment/crossfade-analyzer", "--namespace", SYSTEM, "--replicas=0")
    kube.kubectl("create", "namespace", NAMESPACE)
    _apply(kube, *_analyzer())
    for namespace, deployment in ((SYSTEM, "crossfade-serving"), (NAMESPACE, ANALYZER)):
        _await(kube, "rollout", "status", f"deployment/{deployment}", "--namespace", namespace)


def _open(kube: Kube) -> None:
    """The endpoint and its first revision, at rest."""
    _apply(kube, _object("ModelEndpoint", ENDPOINT, {"unit": {"header": "x-user-id"}, "router": {"replicas": ROUTERS}}))
    _apply(kube, rollout(0))
    wait = ("wait", "--namespace", NAMESPACE)
    _await(kube, *wait, f"modelrollout/{ROLLOUT}", "--for=condition=Promoted")
    _await(kube, "rollout", "status", f"deployment/{ENDPOINT}-router", "--namespace", NAMESPACE)
    _await(kube, *wait, f"modelendpoint/{ENDPOINT}", "--for=condition=RoutersConfirmed")


def _await(kube: Kube, *arguments: str, seconds: int = 300) -> None:
    kube.kubectl(*arguments, f"--timeout={seconds}s", timeout=seconds + 10)


def _apply(kube: Kube, *manifests: Json) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"apiVersion": "v1", "kind": "List", "items": manifests}, file)
        file.flush()
        kube.kubectl("apply", "--server-side", "--filename", file.name)


def _router_pods(kube: Kube) -> list[str]:
    selector = f"crossfade.dev/endpoint={ENDPOINT},crossfade.dev/component=router"
    return kube.kubectl("get", "pods", "--namespace", NAMESPACE, "--selector", selector, "--output", "name").split()


def _router(kube: Kube, pod: str) -> Any:
    return kube.backend.forwarding(pod, OPS_PORT, local_port=0, namespace=NAMESPACE)


def _analyzer() -> tuple[Json, ...]:
    labels = {"app": ANALYZER}
    script = {"name": "script", "mountPath": "/script"}
    container = {
        "name": ANALYZER,
        "image": PYTHON,
        "imagePullPolicy": "Never",
        "command": ["python3", "/script/analyzer.py"],
        "volumeMounts": [script],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
    }
    pod = {"containers": [container], "volumes": [{"name": "script", "configMap": {"name": ANALYZER}}]}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    text = Path(__file__).with_name("analyzer.py").read_text()
    return (
        {**_object("ConfigMap", ANALYZER, None, "v1"), "data": {"analyzer.py": text}},
        _object("Deployment", ANALYZER, spec, "apps/v1"),
        _object("Service", ANALYZER, {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]}, "v1"),
    )


def _object(kind: str, name: str, spec: Json | None, version: str = "crossfade.dev/v1alpha1") -> Json:
    found: Json = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}}
    return found if spec is None else {**found, "spec": spec}
