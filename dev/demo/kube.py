"""The demo's cluster: kubectl and helm as a person would call them, and the objects that are looked at."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from crossfade_operator.cli import names
from crossfade_operator.cli.client import KubernetesCluster
from crossfade_operator.cli.rollouts.view import Rollout, rollout_of
from dev.cluster.backend import Backend
from dev.cluster.choice import choose_backend
from dev.cluster.commands import run
from dev.cluster.errors import ClusterError
from dev.cluster.paths import REPOSITORY, ClusterPaths
from dev.cluster.programs import Programs, find_client

NAMESPACE = "demo"
SYSTEM = "crossfade-system"
ENDPOINT = ROLLOUT = "ranker"

T = TypeVar("T")


class Kube:
    """One local cluster by name. Problems are `ClusterError` (clients) or `cli.problem.Problem` (the API server)."""

    def __init__(self, name: str) -> None:
        self._programs = Programs.cached()
        self.backend: Backend = choose_backend(ClusterPaths(name), self._programs)
        self.name = name

    @property
    def kubeconfig(self) -> Path:
        return self.backend.kubeconfig()

    def kubectl(self, *arguments: str | Path, timeout: float = 120) -> str:
        """Run kubectl from the repository's root and return what it printed."""
        return self._client("kubectl", *arguments, timeout=timeout)

    def helm(self, *arguments: str | Path, timeout: float = 600) -> str:
        return self._client("helm", *arguments, timeout=timeout)

    def _client(self, name: str, *arguments: str | Path, timeout: float, stdin: str | None = None) -> str:
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        argv = [find_client(self._programs, name), *arguments]
        return run(argv, cwd=REPOSITORY, env=environment, timeout=timeout, stdin=stdin)

    def apply(self, path: Path | str, text: str | None = None) -> None:
        """`kubectl apply` of a file, or of `text` where the path is `-`, in the demo's namespace."""
        self._client("kubectl", "apply", "--namespace", NAMESPACE, "--filename", path, timeout=120, stdin=text)

    def objects(self) -> KubernetesCluster:
        """The demo's namespace, as the plugin reads it."""
        return KubernetesCluster(str(self.kubeconfig), namespace=NAMESPACE)

    def rollout(self) -> Rollout:
        """The demo's rollout as it is now."""
        return rollout_of(self.rollout_object())

    def rollout_object(self) -> Mapping[str, Any]:
        return self.objects().get(names.ROLLOUT, ROLLOUT)

    def forwarding(self, service: str, port: int, namespace: str) -> AbstractContextManager[int]:
        """While open, a port of 127.0.0.1 leads to the Service; gives the port."""
        return self.backend.forwarding(f"svc/{service}", port, local_port=0, namespace=namespace)


def poll(what: str, look: Callable[[], T | None], seconds: float, *, every: float = 0.5) -> T:
    """Call `look` until it gives something; raises `ClusterError` after `seconds`."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() >= deadline:
            raise ClusterError(f"waited {seconds:.0f} s for {what}", "look with: make demo-status")
        time.sleep(every)
    return found
