"""A kind cluster: the cluster where a container engine runs."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.backend import Component, Status
from dev.cluster.commands import run, tail
from dev.cluster.errors import ClusterError
from dev.cluster.kubectl import Kubectl
from dev.cluster.paths import ClusterPaths
from dev.cluster.programs import Programs, find_client
from dev.cluster.progress import step

ENGINES = ("docker", "podman")
FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


def find_engine() -> str | None:
    """The container engine that answers, not merely one whose command is installed."""
    for engine in ENGINES:
        if shutil.which(engine) is None:
            continue
        with contextlib.suppress(ClusterError):
            run([engine, "info"], timeout=20)
            return engine
    return None


@dataclass(frozen=True)
class Kind:
    """A kind cluster; see ``backend.Backend`` for what its verbs promise."""

    paths: ClusterPaths
    programs: Programs
    engine: str

    kind = "kind"

    def up(self) -> None:
        if not self._exists():
            self.paths.root.mkdir(parents=True, exist_ok=True)
            with step("kind cluster", expect="the first one downloads kind's node image"):
                image = os.environ.get("KIND_NODE_IMAGE")
                chosen = ("--image", image) if image else ()
                self._kind("create", "cluster", "--wait", "180s", *chosen, "--kubeconfig", str(self.paths.kubeconfig))
        with step("cluster DNS"):
            self._kubectl("--namespace", "kube-system", "rollout", "status", "deployment/coredns", "--timeout", "110s")

    def down(self) -> None:
        if self._exists():
            with step("removing the kind cluster"):
                self._kind("delete", "cluster", "--kubeconfig", str(self.paths.kubeconfig))
        shutil.rmtree(self.paths.root, ignore_errors=True)

    def status(self) -> Status:
        exists = self._exists()
        return Status(self.kind, exists, (Component(f"kind cluster in {self.engine}", exists),))

    def kubeconfig(self) -> Path:
        if not self._exists():
            raise ClusterError(f"cluster {self.paths.name!r} is not up", "start it: python -m dev.cluster up")
        if not self.paths.kubeconfig.exists():
            self._kind("export", "kubeconfig", "--kubeconfig", str(self.paths.kubeconfig))
        return self.paths.kubeconfig

    def load_image(self, archive: Path) -> None:
        self._kind("load", "image-archive", str(archive))

    @contextlib.contextmanager
    def forwarding(self, target: str, port: int, *, local_port: int, namespace: str) -> Iterator[int]:
        argv: list[str | Path] = [self._kubectl.program, "--kubeconfig", self.kubeconfig(), "--namespace", namespace]
        argv += ["port-forward", "--address", "127.0.0.1", target, f"{local_port or ''}:{port}"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                yield _forwarded_port(process, target)
            finally:
                process.terminate()

    @property
    def _kubectl(self) -> Kubectl:
        return Kubectl(find_client(self.programs, "kubectl"), self.paths.kubeconfig)

    def _exists(self) -> bool:
        return self.paths.name in self._run("get", "clusters").split()

    def _kind(self, *arguments: str) -> str:
        return self._run(*arguments, "--name", self.paths.name)

    def _run(self, *arguments: str) -> str:
        env = {**os.environ, "KIND_EXPERIMENTAL_PROVIDER": self.engine}
        return run([find_client(self.programs, "kind"), *arguments], env=env, timeout=900)


def _forwarded_port(process: "subprocess.Popen[str]", target: str) -> int:
    assert process.stdout is not None  # noqa: S101  it was opened as a pipe
    seen = ""
    for line in process.stdout:
        seen += line
        if found := FORWARDED.search(line):
            return int(found.group(1))
    raise ClusterError(f"cannot forward to {target}:\n{tail(seen)}")
