"""The node runs short: of memory for all pods together, or of room where the analyzer keeps its evidence."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.cgroups import MOUNT, group_name, is_unified
from dev.cluster.commands import run
from dev.cluster.errors import ClusterError
from dev.cluster.node import Node
from dev.cluster.waiting import NotYetError
from dev.demo.kube import SYSTEM
from tests.e2e.support.experiments import template
from tests.e2e.support.manifests import Json
from tests.e2e.support.scene import Scene
from tests.e2e.support.stage import Stage, restarts

MIB = 1 << 20
GREEDY = "greedy"
WANTED, SPARE = 1024, 128
"""MiB that the greedy pod wants, and that there are."""


def no_memory(scene: Scene, seconds: float) -> None:
    """For so long a pod that the kernel spares takes almost all memory that the node's pods have together.

    Whoever asks for more meanwhile is killed, is started again, and asks again. Ends with the pod gone.
    """
    group = _memory_group(scene.stage.kube.name)
    anonymous = _used(group)
    before = _restarts(scene)
    with _limited(group, anonymous + SPARE * MIB):
        scene.apply(_greedy())
        try:
            ends = time.monotonic() + seconds
            scene.wait("pods to be killed for want of memory", lambda: _some_died(scene, before), seconds)
            time.sleep(max(0.0, ends - time.monotonic()))  # How long it lasts is what is tried.
        finally:
            scene.stage.delete_at_once(scene.name, GREEDY)


def _greedy() -> Json:
    """A pod whose requests are its limits, so that the kernel kills any other before it."""
    (container,) = template()["spec"]["containers"]
    code = f"import os, time\nheld = [os.urandom(1) * {MIB} for _ in range({WANTED})]\ntime.sleep(3600)"
    asked = {"cpu": "100m", "memory": f"{WANTED + 256}Mi"}
    shown = {
        "name": GREEDY,
        "image": container["image"],
        "command": ["python3", "-c", code],
        "resources": {"requests": asked, "limits": asked},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": GREEDY},
        "spec": {"containers": [shown], "restartPolicy": "Never"},
    }


def _some_died(scene: Scene, before: int) -> None:
    if (now := _restarts(scene)) < before + 3:
        raise NotYetError(f"{now - before} containers were started again")


def _restarts(scene: Scene) -> int:
    return sum(map(restarts, all_pods(scene)))


def all_pods(scene: Scene) -> list[Json]:
    """The pods of the scene and those of Crossfade itself."""
    return [*scene.stage.pods(scene.name, ""), *scene.stage.pods(SYSTEM, "")]


def _memory_group(cluster: str) -> Path:
    hierarchy = MOUNT if is_unified() else MOUNT / "memory"
    return hierarchy / group_name(cluster).lstrip("/")


def _used(group: Path) -> int:
    """Bytes that cannot be taken back: what processes have written, without the kernel's copies of files."""
    lines = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return int(lines["anon"] if is_unified() else lines["total_rss"])


@contextmanager
def _limited(group: Path, limit: int) -> Iterator[None]:
    file = group / ("memory.max" if is_unified() else "memory.limit_in_bytes")
    before = file.read_text().strip()
    file.write_text(str(limit))
    try:
        yield
    finally:
        # What v1 calls "no limit" is a number that it does not take back.
        file.write_text(before if is_unified() or int(before) < 1 << 62 else "-1")


# Room on a disk ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SmallDisk:
    """A disk of its own for the evidence's folder, with what was in it. Nobody may use it while it comes or goes."""

    node: Node
    folder: Path

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"

    @property
    def _copy(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-copy")

    def mount(self, room: int) -> None:
        """With `room` MiB beside what is there.

        The write-ahead log goes into the database before: it may have room inside for hours of evidence.
        """
        with closing(sqlite3.connect(self.folder / "evidence.db")) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        script = (
            'cp -a "$1" "$2"; size=$(($(du -sm "$2" | cut -f1) + $3)); mount -t tmpfs -o size="${size}m" tmpfs "$1"'
        )
        self._sh(f'{script}; cp -a "$2/." "$1"', self.folder, self._copy, str(room))

    def fill(self) -> None:
        """Until nothing more fits."""
        self._sh('! dd if=/dev/zero of="$1" bs=4k 2>&1', self._filler)

    def free(self) -> None:
        self._sh('rm -f "$1"', self._filler)

    def unmount(self) -> None:
        """What it holds by now goes to the folder below."""
        self.free()
        script = (
            'rm -rf "$2"; cp -a "$1" "$2"; umount "$1"; find "$1" -mindepth 1 -delete; cp -a "$2/." "$1"; rm -rf "$2"'
        )
        self._sh(script, self.folder, self._copy)

    def _sh(self, script: str, *arguments: str | Path) -> None:
        run(self.node.inside(["sh", "-euc", script, "sh", *arguments]), timeout=60)


def evidence_folder(stage: Stage) -> Path:
    """Where the analyzer's volume is on this machine."""
    kubectl = stage.kube.kubectl
    claim = ("persistentvolumeclaim", "crossfade-evidence", "--namespace", SYSTEM)
    volume = kubectl("get", *claim, "--output=jsonpath={.spec.volumeName}")
    found = kubectl("get", "persistentvolume", volume, "--output=jsonpath={.spec.hostPath.path}{.spec.local.path}")
    return Path(found)


def evidence_on_a_small_disk(stage: Stage) -> SmallDisk:
    """For the volume of the evidence.

    Raises:
        ClusterError: the cluster is not a node of this machine.
    """
    if not isinstance(stage.kube.backend, Node):
        raise ClusterError(f"{stage.kube.name} is no node without a container engine", "its disks are its own")
    return SmallDisk(stage.kube.backend, evidence_folder(stage))
