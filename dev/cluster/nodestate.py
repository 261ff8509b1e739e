"""What a node asks of, and leaves to, the machine it runs on."""

import os
import shutil
from pathlib import Path

from dev.cluster.errors import ClusterError
from dev.cluster.namespaces import HOLDER
from dev.cluster.paths import state_root
from dev.cluster.processes import ProcessTable


def require_root() -> None:
    """Namespaces, mounts and control groups of a node belong to root."""
    if os.geteuid() != 0:
        raise ClusterError(
            "a node without a container engine needs root",
            "start a container engine (Docker or Podman) and use kind, or run this as root",
        )


def any_node_running() -> bool:
    """Whether a node of any cluster of this user runs."""
    folders = state_root().glob("*/processes")
    return any(ProcessTable(folder, folder).running(HOLDER) for folder in folders)


def remove_tree(folder: Path) -> None:
    """Remove a cluster's folder.

    Raises:
        ClusterError: something is mounted in it, whose content would be removed too.
    """
    inside = [point for point in _mount_points() if point.is_relative_to(folder.resolve())]
    if inside:
        raise ClusterError(f"{inside[0]} is still mounted", f"unmount it (umount {inside[0]}), then repeat")
    shutil.rmtree(folder)


def _mount_points() -> list[Path]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [Path(line.split()[1].replace("\\040", " ")) for line in lines]
