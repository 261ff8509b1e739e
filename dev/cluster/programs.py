"""The programs of a cluster, built from the Go modules that ``dev/tools/go.mod`` pins."""

import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.cache import Cache
from dev.cluster.commands import run
from dev.cluster.errors import ClusterError
from dev.cluster.paths import TOOLS_MODULE, cache_root
from dev.cluster.progress import step

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "helm": "helm.sh/helm/v3/cmd/helm",
    "kind": "sigs.k8s.io/kind",
    "coredns": "./coredns",
    "forward": "./forward",
}
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager")
CLIENTS = ("kubectl", "helm")
NODE = (*CONTROL_PLANE, "kube-scheduler", "kubelet", "kube-proxy", *CLIENTS, "coredns", "forward")

BUILD_TIMEOUT = 3600.0
GO_HINT = "install Go from your distribution or https://go.dev/doc/install; dev/tools/go.mod says which version"


@dataclass(frozen=True)
class Programs:
    """Finds programs in the cache and builds those that are missing; ``Programs.cached()`` makes one."""

    cache: Cache
    module: Path
    kubernetes_version: str

    @classmethod
    def cached(cls, root: Path | None = None, module: Path = TOOLS_MODULE) -> "Programs":
        """The programs for the versions that the module pins, in ``root`` (default: the user's cache)."""
        folder = (root or cache_root()) / "programs"
        return cls(Cache(folder, versions_key(module)), module, _kubernetes_version(module))

    def path(self, name: str) -> Path:
        """The built program, which is built first when need be (the first one takes minutes)."""
        if name not in PACKAGES:
            raise ClusterError(f"no program named {name!r}", f"there are: {', '.join(PACKAGES)}")
        return self.cache.ensure(self._entry(name), lambda folder: self._build(name, folder)) / name

    def ensure(self, names: Iterable[str]) -> None:
        """Build whatever is missing of ``names``, in this order."""
        for name in names:
            self.path(name)

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those that would have to be built."""
        return [name for name in names if self.cache.find(self._entry(name)) is None]

    def _entry(self, name: str) -> str:
        """A program of ours changes with its own source, the others only with the pinned versions."""
        if not PACKAGES[name].startswith("./"):
            return name
        return f"{name}-{_fingerprint(self.module, sorted((self.module / name).glob('*.go')))}"

    def _build(self, name: str, folder: Path) -> None:
        if shutil.which("go") is None:
            raise ClusterError(f"command not found: go (needed to build {name})", GO_HINT)
        with step(f"building {name}", expect="the first programs take some minutes each"):
            argv = ["go", "build", "-trimpath", "-mod=readonly", "-ldflags", self._linker_flags()]
            # Static programs run in any image and on any C library.
            run(
                [*argv, "-o", folder / name, PACKAGES[name]],
                cwd=self.module,
                env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
                timeout=BUILD_TIMEOUT,
            )

    def _linker_flags(self) -> str:
        """Kubernetes learns its version from the linker; without it, clients see v0.0.0 and refuse to talk."""
        major, minor, _ = self.kubernetes_version.removeprefix("v").split(".", 2)
        facts = {"gitVersion": self.kubernetes_version, "gitMajor": major, "gitMinor": minor}
        return "-s -w " + " ".join(f"-X k8s.io/component-base/version.{k}={v}" for k, v in facts.items())


def find_client(programs: Programs, name: str) -> Path:
    """A client that any version serves: the one on PATH, else our own build."""
    installed = shutil.which(name)
    return Path(installed) if installed else programs.path(name)


def versions_key(module: Path) -> str:
    """What changes with any pinned version, and with nothing else."""
    return _fingerprint(module, [module / "go.mod", module / "go.sum"])


def _fingerprint(module: Path, files: Iterable[Path]) -> str:
    """Sixteen hexadecimal digits for the names and contents of files."""
    content = hashlib.sha256()
    for path in files:
        content.update(f"{path.relative_to(module)}\0".encode())
        content.update(path.read_bytes() + b"\0")
    return content.hexdigest()[:16]


def _kubernetes_version(module: Path) -> str:
    found = re.search(r"^\s*k8s\.io/kubernetes (v\d+\.\d+\.\d+\S*)", (module / "go.mod").read_text(), re.MULTILINE)
    if not found:
        raise ClusterError(f"{module / 'go.mod'} requires no k8s.io/kubernetes", "restore it from version control")
    return found.group(1)
