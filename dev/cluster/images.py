"""Our images: built when their content changed, loaded into a cluster when it does not have them yet."""

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.backend import Backend
from dev.cluster.base import BaseImage
from dev.cluster.builders import BuildahBuilder, Builder, EngineBuilder
from dev.cluster.cache import Cache, digest
from dev.cluster.contexts import Context, PrometheusContext, PythonContext, RouterContext
from dev.cluster.errors import ClusterError
from dev.cluster.kind import find_engine
from dev.cluster.paths import ClusterPaths, cache_root
from dev.cluster.progress import say, step

TAG = "dev"
ARCHIVE = "image.tar"
CONTEXTS: dict[str, Context] = {
    "crossfade-operator": PythonContext("crossfade-operator", ("operator", "analyzer")),
    "crossfade-analyzer": PythonContext("crossfade-analyzer", ("analyzer",), extras=("service",)),
    "crossfade-serving": PythonContext("crossfade-serving", ("serving_image",), models=True),
    "crossfade-router": RouterContext(),
    "crossfade-prometheus": PrometheusContext(),
}
PULLED_BY_ENGINES = ("crossfade-router", "crossfade-prometheus")
NAMES = tuple(CONTEXTS)


@dataclass(frozen=True)
class BuiltImage:
    """An image in an archive as ``docker save`` writes it."""

    name: str
    archive: Path

    @property
    def reference(self) -> str:
        """What a pod names it by."""
        return reference(self.name)


def reference(name: str) -> str:
    """The full name of one of our images."""
    return f"localhost/{name}:{TAG}"


@dataclass(frozen=True)
class ImageStore:
    """Builds images with ``builder`` and keeps the last archive of each in the cache."""

    builder: Builder
    root: Path

    @classmethod
    def cached(cls) -> "ImageStore":
        """With the container engine that answers, else with buildah; in the user's cache."""
        engine = find_engine()
        builder: Builder = EngineBuilder(engine) if engine else BuildahBuilder(BaseImage.cached())
        return cls(builder, cache_root() / "images")

    def names(self) -> tuple[str, ...]:
        """The images to build here; with an engine, the stock images of Envoy and Prometheus are pulled instead."""
        if isinstance(self.builder, EngineBuilder):
            return tuple(name for name in NAMES if name not in PULLED_BY_ENGINES)
        return NAMES

    def build(self, name: str) -> BuiltImage:
        """The image with today's content; built only when that changed.

        Raises:
            ClusterError: no such image, or the build failed.
        """
        if name not in self.names():
            raise ClusterError(f"no image named {name!r} is built here", f"there are: {', '.join(self.names())}")
        context = CONTEXTS[name]
        key = hashlib.sha256(f"{self.builder.fingerprint} {context.fingerprint()}".encode()).hexdigest()[:16]
        cache = Cache(self.root, name)
        if (folder := cache.find(key)) is None:
            with step(f"building {reference(name)}", expect="some seconds up to a minute"):
                folder = cache.ensure(key, lambda target: self._build(name, context, target))
            cache.keep_only(key)
        return BuiltImage(name, folder / ARCHIVE)

    def _build(self, name: str, context: Context, target: Path) -> None:
        with tempfile.TemporaryDirectory(prefix=f"{name}-") as scratch:
            folder = Path(scratch) / "context"
            folder.mkdir()
            context.fill(folder)
            shutil.copy2(context.dockerfile, folder / "Dockerfile")
            self.builder.build(folder, tag=reference(name), archive=target / ARCHIVE)


def load(backend: Backend, paths: ClusterPaths, archive: Path) -> bool:
    """Load an archive into the cluster unless it was the last of its kind to be loaded; tell whether it was needed.

    Raises:
        ClusterError: the archive is not there, or the node refuses it.
    """
    if not archive.is_file():
        raise ClusterError(f"no image archive at {archive}", "give the name of one of our images, or a file's path")
    content = digest(archive)
    if _loaded(paths).get(str(archive.parent.parent)) == content:
        return False
    with step(f"loading {archive.parent.parent.name if archive.name == ARCHIVE else archive.name}"):
        backend.load_image(archive)
    paths.root.mkdir(parents=True, exist_ok=True)
    _record(paths).write_text(json.dumps(_loaded(paths) | {str(archive.parent.parent): content}))
    return True


def load_by_name(store: ImageStore, backend: Backend, paths: ClusterPaths, names: tuple[str, ...]) -> None:
    """Build what changed of our images, and load what is new; a name with a slash is the path of an archive."""
    for name in names:
        archive = Path(name) if "/" in name else store.build(name).archive
        if not load(backend, paths, archive):
            say(f"  ✓ {name} is loaded already")


def _record(paths: ClusterPaths) -> Path:
    return paths.root / "images.json"


def _loaded(paths: ClusterPaths) -> dict[str, str]:
    try:
        return dict(json.loads(_record(paths).read_text()))
    except FileNotFoundError:
        return {}
