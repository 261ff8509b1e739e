"""The two ways of turning a Dockerfile into an image archive: a container engine, or buildah without any."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dev.cluster import packages
from dev.cluster.base import BaseImage
from dev.cluster.commands import run
from dev.cluster.paths import cache_root

BUILD_TIMEOUT = 1800.0


class Builder(Protocol):
    """Builds a folder with a Dockerfile."""

    @property
    def fingerprint(self) -> str:
        """Changes when the same context would give another image."""

    def build(self, context: Path, *, tag: str, archive: Path) -> None:
        """Build the ``Dockerfile`` in ``context``, and write the image under the name ``tag`` to ``archive``."""


@dataclass(frozen=True)
class EngineBuilder:
    """Docker or Podman, with the base image that the Dockerfile names."""

    engine: str

    @property
    def fingerprint(self) -> str:
        return self.engine

    def build(self, context: Path, *, tag: str, archive: Path) -> None:
        run([self.engine, "build", "--tag", tag, context], timeout=BUILD_TIMEOUT)
        run([self.engine, "save", "--output", archive, tag], timeout=BUILD_TIMEOUT)


@dataclass(frozen=True)
class BuildahBuilder:
    """buildah as root, from our own base image; needs no registry and no daemon."""

    base: BaseImage

    @property
    def fingerprint(self) -> str:
        return self.base.key

    def build(self, context: Path, *, tag: str, archive: Path) -> None:
        packages.ensure(packages.IMAGES, purpose="building images without a container engine")
        with _buildah() as buildah:
            base = self._ensure_base(buildah)
            # The Dockerfiles only copy: no step of theirs runs, so nothing can be fetched inside a build.
            options = ["--isolation", "chroot", "--pull-never", "--layers"]
            build = [*buildah, "build", *options, "--build-arg", f"BASE_IMAGE={base}", "--tag", tag, str(context)]
            run(build, timeout=BUILD_TIMEOUT)
            run([*buildah, "push", "--quiet", tag, f"docker-archive:{archive}:{tag}"], timeout=BUILD_TIMEOUT)
            run([*buildah, "rmi", tag])

    def _ensure_base(self, buildah: list[str]) -> str:
        tag = f"localhost/crossfade-local/base:{self.base.key}"
        if tag not in run([*buildah, "images", "--format", "{{.Name}}:{{.Tag}}"]).split():
            root_files = self.base.ensure()
            container = run([*buildah, "from", "scratch"]).strip()
            run([*buildah, "add", "--quiet", container, str(root_files), "/"], timeout=BUILD_TIMEOUT)
            run([*buildah, "commit", "--quiet", "--rm", "--timestamp", "0", container, tag], timeout=BUILD_TIMEOUT)
        return tag


@contextmanager
def _buildah() -> Iterator[list[str]]:
    """The start of a buildah command line: storage of our own, and mounts that end with each command."""
    storage = cache_root() / "containers"
    storage.mkdir(parents=True, exist_ok=True)
    # What buildah notes about present mounts would outlive them, so it goes to a folder that ends here too.
    with tempfile.TemporaryDirectory(prefix="crossfade-buildah-") as run_root:
        private = ["unshare", "--mount", "--propagation", "slave", "--"]
        yield [*private, "buildah", "--root", str(storage), "--runroot", run_root, "--storage-driver", "overlay"]
