"""Setting the stage: the cluster, the images, the chart. Each part is safe to repeat."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dev.cluster.errors import ClusterError
from dev.cluster.images import ImageStore, load
from dev.cluster.paths import REPOSITORY, ClusterPaths
from dev.cluster.progress import step
from dev.demo.kube import NAMESPACE, SYSTEM, Kube
from dev.demo.show import Show

EXAMPLES = Path("examples/demo")
CHART = Path("charts/crossfade")
RECORD_ADMINISTRATORS = "crossfade:record-administrators"
_INSTALL_SECONDS = 300


def raise_stage(kube: Kube, show: Show) -> None:
    """A running cluster with Crossfade in it, from nothing or from whatever is there already."""
    show.heading("The stage: a real Kubernetes, and Crossfade in it")
    kube.backend.up()
    store = ImageStore.cached()
    fingerprint = _load_images(kube, store)
    install = ["upgrade", "--install", "crossfade", str(CHART), "--namespace", SYSTEM, "--create-namespace"]
    for values in _values(store):
        install += ["--values", str(values)]
    show.command(f"helm {' '.join(install)}")
    with step("installing the chart"):
        # Helm installs CRDs once and never upgrades them; a person upgrades them the same way.
        kube.kubectl("apply", "--server-side", "--force-conflicts", "-f", CHART / "crds")
        kube.helm(*install, "--set", f"podAnnotations.demo/images={fingerprint}")
    with step("waiting until controllers, analyzer and Prometheus are ready"):
        _wait_until_ready(kube)


def clear_stage(kube: Kube) -> None:
    """Remove what an earlier performance left: its rollout, endpoint and pods. The cluster and the chart stay."""
    if not kube.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found", "--output", "name").strip():
        return
    with step("removing what an earlier performance left"):
        # A running experiment's end is one more record.
        kube.kubectl("delete", "experiments", "--all", "--namespace", NAMESPACE, "--timeout=60s", timeout=90)
        # Records hold their namespace up until their time is over, or until an administrator of records takes them out.
        who = [f"--as-group={group}" for group in (RECORD_ADMINISTRATORS, "system:masters")]
        kube.kubectl("delete", "decisions,reviews", "--all", "--namespace", NAMESPACE, "--as=demo", *who)
        kube.kubectl("delete", "namespace", NAMESPACE, "--wait=true", "--timeout=150s", timeout=180)


def strike_stage(kube: Kube, show: Show) -> None:
    """Remove the whole cluster."""
    kube.backend.down()
    show.done(f"cluster {kube.name} is gone, with all that it kept on this machine")


def _values(store: ImageStore) -> tuple[Path, ...]:
    """Without a container engine the images of Envoy and Prometheus are ours too; with one they are the stock ones."""
    mine = (EXAMPLES / "values-node.yaml",) if "crossfade-router" in store.names() else ()
    return (EXAMPLES / "values.yaml", *mine)


def _load_images(kube: Kube, store: ImageStore) -> str:
    """Build and load every image; returns a short name for their contents, so that changed ones restart pods."""
    contents = hashlib.sha256()
    for name in store.names():
        archive = store.build(name).archive
        load(kube.backend, ClusterPaths(kube.name), archive)
        contents.update(f"{archive}\0".encode())
    return contents.hexdigest()[:12]


def _wait_until_ready(kube: Kube) -> None:
    for part in ("prometheus", "analyzer", "serving", "learning"):
        try:
            kube.kubectl(
                "rollout", "status", f"deployment/crossfade-{part}", "--namespace", SYSTEM,
                f"--timeout={_INSTALL_SECONDS}s", timeout=_INSTALL_SECONDS + 10,
            )  # fmt: skip
        except ClusterError as error:
            raise ClusterError(
                f"{part} did not become ready: {error.problem}",
                f"look with: python -m dev.cluster kubectl -n {SYSTEM} describe pods; … logs deploy/crossfade-{part}",
            ) from error


def example(name: str, folder: Path = EXAMPLES) -> Path:
    """A manifest of the demo; raises `ClusterError` when the repository lacks it."""
    path = folder / f"{name}.yaml"
    if not (REPOSITORY / path).is_file():
        raise ClusterError(f"there is no {path}", "restore it from version control")
    return path
