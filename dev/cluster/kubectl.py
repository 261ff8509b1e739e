"""What bringing up a cluster asks of the API, through kubectl."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.cluster.commands import run
from dev.cluster.errors import ClusterError
from dev.cluster.waiting import NotYetError, wait_for


@dataclass(frozen=True)
class Kubectl:
    """kubectl with its kubeconfig."""

    program: Path
    config: Path

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Run it and return what it prints."""
        return run([self.program, "--kubeconfig", self.config, *arguments], stdin=stdin, timeout=120)

    def get(self, *arguments: str) -> Any:
        """``kubectl get`` as parsed JSON."""
        return json.loads(self("get", *arguments, "--output", "json"))

    def apply(self, manifests: str) -> None:
        """Server-side apply; ours wins over hand-made changes."""
        flags = ("--server-side", "--force-conflicts", "--field-manager", "crossfade-local")
        self("apply", *flags, "--filename", "-", stdin=manifests)

    def wait_for_node(self, name: str, *, timeout: float) -> None:
        """Until the node registered itself and is Ready."""

        def check() -> None:
            nodes = {node["metadata"]["name"]: node for node in self.get("nodes")["items"]}
            if name not in nodes:
                raise NotYetError(f"nodes {sorted(nodes)}")
            ready = [each for each in nodes[name]["status"]["conditions"] if each["type"] == "Ready"]
            if not ready or ready[0]["status"] != "True":
                raise NotYetError(ready[0]["message"] if ready else "no Ready condition")

        wait_for(f"node {name} to be Ready", check, timeout=timeout, interval=0.2)

    def pods(self, namespace: str) -> str:
        """The pods and their phases, in one line."""
        pods = self.get("pods", "--namespace", namespace)["items"]
        return ", ".join(f"{pod['metadata']['name']} is {pod['status']['phase']}" for pod in pods) or "no pods"

    def remove_released_volumes(self) -> None:
        """Forget volumes whose claim is gone, with what was in them, so that they can be made anew."""
        for volume in self.get("persistentvolumes")["items"]:
            if volume.get("status", {}).get("phase") == "Released" and "local" in volume["spec"]:
                self("delete", "persistentvolume", volume["metadata"]["name"])
                _empty(Path(volume["spec"]["local"]["path"]))

    def address_of(self, target: str, *, namespace: str) -> str:
        """The cluster address of ``svc/NAME`` or ``pod/NAME``."""
        kind, _, name = target.partition("/")
        if kind in ("svc", "service", "services") and name:
            address = self.get("service", name, "--namespace", namespace)["spec"].get("clusterIP", "None")
            absent = "is headless: name one of its pods instead"
        elif kind in ("pod", "po", "pods") and name:
            address = self.get("pod", name, "--namespace", namespace)["status"].get("podIP", "None")
            absent = "has no address yet"
        else:
            raise ClusterError(f"cannot forward to {target!r}", "give svc/NAME or pod/NAME")
        if address == "None":
            raise ClusterError(f"{target} in namespace {namespace} {absent}")
        return str(address)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
