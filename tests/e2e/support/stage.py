"""The cluster that all scenes share, with Crossfade installed: what a test sees of it and does to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from kubernetes import client, config

from dev.cluster.commands import run
from dev.cluster.errors import ClusterError
from dev.cluster.paths import REPOSITORY
from dev.cluster.programs import Programs, find_client
from dev.cluster.waiting import NotYetError, wait_for
from dev.demo.kube import SYSTEM, Kube
from dev.load.__main__ import MODELS

Json = dict[str, Any]
GROUP, VERSION = "crossfade.dev", "v1alpha1"
LOG_LINES = 40


class Stage:
    """One cluster with the chart installed. Safe to use from several threads."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        api = config.new_client_from_config(str(kube.kubeconfig))  # type: ignore[no-untyped-call]
        self.core, self.apps, self.custom = client.CoreV1Api(api), client.AppsV1Api(api), client.CustomObjectsApi(api)
        self._raw = api

    # Objects -------------------------------------------------------------------------------------------------

    def get(self, plural: str, namespace: str, name: str) -> Json:
        """One of our own objects."""
        return cast(Json, self.custom.get_namespaced_custom_object(GROUP, VERSION, namespace, plural, name))

    def pods(self, namespace: str, selector: str) -> list[Json]:
        """Pods by labels, those on their way out included."""
        return self._plain(self.core.list_namespaced_pod(namespace, label_selector=selector))

    def deployments(self, namespace: str, selector: str = "") -> list[Json]:
        return self._plain(self.apps.list_namespaced_deployment(namespace, label_selector=selector))

    def apply(self, namespace: str, *manifests: Mapping[str, Any]) -> None:
        """`kubectl apply`, as a person would."""
        bundle = {"apiVersion": "v1", "kind": "List", "items": manifests}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(bundle, file)
            file.flush()
            self.kube.kubectl("apply", "--namespace", namespace, "--filename", file.name)

    def remove(self, namespace: str, *, wait: bool = True) -> None:
        """Remove a namespace with its records, which hold it up until an administrator of records lets them go."""
        if not self.kube.kubectl("get", "namespace", namespace, "--ignore-not-found", "--output=name").strip():
            return
        who = ("--as=tests", "--as-group=crossfade:record-administrators", "--as-group=system:masters")
        self.kube.kubectl("delete", "modelrollouts", "--all", "--namespace", namespace, "--wait=false")
        # A running experiment's end is one more record.
        self.kube.kubectl("delete", "experiments", "--all", "--namespace", namespace, "--timeout=90s", timeout=100)
        self.kube.kubectl("delete", "decisions,reviews", "--all", "--namespace", namespace, *who)
        self.kube.kubectl(
            "delete", "namespace", namespace, f"--wait={str(wait).lower()}", "--timeout=120s", timeout=130
        )

    def crossfade(self, namespace: str, *arguments: str) -> str:
        """`kubectl crossfade …`: kubectl finds the plugin on PATH, as on a person's machine."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "KUBECONFIG": str(self.kube.kubeconfig)}
        kubectl = find_client(Programs.cached(), "kubectl")
        return run([kubectl, "crossfade", *arguments, "--namespace", namespace], env=environment, timeout=60)

    def _plain(self, listed: Any) -> list[Json]:
        found: list[Json] = self._raw.sanitize_for_serialization(listed)["items"]
        return found

    # Crossfade itself ----------------------------------------------------------------------------------------

    def system_pods(self, component: str) -> list[Json]:
        """The living pods of `serving`, `analyzer` or `prometheus`."""
        pods = self.pods(SYSTEM, f"app.kubernetes.io/component={component}")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def scale(self, component: str, replicas: int) -> None:
        """Scale a part of Crossfade, and return when as many of its pods are ready and no other is left."""
        name = f"crossfade-{component}"
        self.kube.kubectl("scale", f"deployment/{name}", "--namespace", SYSTEM, f"--replicas={replicas}")

        def scaled() -> None:
            pods = self.pods(SYSTEM, f"app.kubernetes.io/component={component}")
            ready = [pod["metadata"]["name"] for pod in pods if is_ready(pod)]
            if len(ready) != replicas or len(pods) != replicas:
                raise NotYetError(f"{len(ready)} of {len(pods)} pods are ready")

        wait_for(f"{replicas} ready pods of {name}", scaled, timeout=120, interval=0.5)

    def prometheus_config(self) -> Json:
        found = self.core.read_namespaced_config_map("crossfade-prometheus", SYSTEM)
        return cast(Json, yaml.safe_load(found.data["prometheus.yml"]))

    def configure_prometheus(self, content: Json) -> None:
        """Give Prometheus this configuration, and return when it runs with it and without what it had scraped."""
        data = {"data": {"prometheus.yml": yaml.safe_dump(content, sort_keys=False)}}
        self.scale("prometheus", 0)
        self.core.patch_namespaced_config_map("crossfade-prometheus", SYSTEM, data)
        self.scale("prometheus", 1)

    def leader(self) -> str:
        """The pod of the active controller, by its Lease; `NotYetError` while nobody is."""
        lease = client.CoordinationV1Api(self._raw).read_namespaced_lease("crossfade-serving", SYSTEM)
        holder = (lease.spec and lease.spec.holder_identity) or ""
        found = [pod for pod in self.system_pods("serving") if holder.startswith(pod["metadata"]["name"])]
        if not found:
            raise NotYetError(f"the Lease is held by {holder!r}")
        return str(found[0]["metadata"]["name"])

    def logs(self, component: str, lines: int = LOG_LINES) -> str:
        """The last lines of a part of Crossfade."""
        try:
            return self.kube.kubectl(
                "logs", "--namespace", SYSTEM, f"--selector=app.kubernetes.io/component={component}",
                f"--tail={lines}", "--prefix",
            )  # fmt: skip
        except ClusterError as error:
            return f"(no log: {error.problem})"

    # Violence ------------------------------------------------------------------------------------------------

    def kill_program(self, pod: Json, program: str) -> None:
        """SIGKILL to the processes of a pod whose command line holds `program`, as when memory runs out."""
        self.signal_program(pod, program, signal.SIGKILL)

    def signal_program(self, pod: Json, program: str, number: signal.Signals) -> None:
        """A signal to the processes of a pod whose command line holds `program`."""
        found = [pid for pid in _processes_of(pod["metadata"]["uid"]) if program in _command(pid)]
        if not found:
            raise NotYetError(f"{pod['metadata']['name']} runs no {program}")
        for pid in found:
            os.kill(pid, number)

    def delete_at_once(self, namespace: str, *pods: str) -> None:
        """Delete pods without grace: their processes are killed and nobody waits for them."""
        self.kube.kubectl(
            "delete", "pod", *pods, "--namespace", namespace, "--grace-period=0", "--force", "--wait=false"
        )


def is_ready(pod: Json) -> bool:
    """Ready, and not on its way out."""
    conditions = pod["status"].get("conditions") or ()
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def restarts(pod: Json) -> int:
    """How often the pod's containers were started again."""
    return sum(container["restartCount"] for container in pod["status"].get("containerStatuses") or ())


def train_models() -> None:
    """Make the demo's models where the load looks for them: it tells versions apart by their digests."""
    if not (MODELS / "v1").is_dir():
        argv = [sys.executable, "-m", "serving_image.training.train", "--output", str(MODELS)]
        subprocess.run(argv, cwd=REPOSITORY, check=True, capture_output=True)


def _processes_of(uid: str) -> list[int]:
    """Processes in a pod's control groups; the kubelet names those by the pod's uid, with dashes or without."""
    names = (uid, uid.replace("-", "_"))
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if any(name in _read(pid, "cgroup") for name in names)]


def _command(pid: int) -> str:
    return _read(pid, "cmdline").replace("\0", " ")


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""
