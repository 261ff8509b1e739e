"""The control group below which a node's containers live."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from dev.cluster.waiting import NotYetError, wait_for

MOUNT = Path("/sys/fs/cgroup")
NEEDED = ("cpuset", "cpu", "memory", "pids")
SHARES_PER_CPU = 1024
WEIGHT_PER_NICE = 1.25
"""What one step of niceness costs a process, as the kernel's scheduler has it."""


def group_name(cluster: str) -> str:
    """Its path below every hierarchy's root, as the kubelet's ``cgroupRoot`` wants it."""
    return f"/crossfade-{cluster}"


def is_unified() -> bool:
    """Whether the machine has cgroup v2 only."""
    return (MOUNT / "cgroup.controllers").exists()


def ensure_groups(cluster: str) -> None:
    """Make the group in every hierarchy, ready for the kubelet to make groups below it."""
    for hierarchy in _hierarchies():
        group = hierarchy / group_name(cluster).lstrip("/")
        group.mkdir(exist_ok=True)
        _weigh(group)
        if is_unified():
            _delegate(hierarchy)
            _delegate(group)


def remove_groups(cluster: str, *, timeout: float = 20.0) -> None:
    """Remove the group and all below it; its processes must have been killed, and may take a moment to be gone."""
    groups = [hierarchy / group_name(cluster).lstrip("/") for hierarchy in _hierarchies()]

    def check() -> None:
        for group in groups:
            if group.exists():
                _remove(group)

    wait_for(f"the end of the control groups {group_name(cluster)}", check, timeout=timeout, interval=0.05)


def _weigh(group: Path) -> None:
    """Let the node's containers weigh what they would without a group around them.

    A new group of cgroup v1 weighs as much as one process: beside a machine's other work every pod would starve. And
    processes in a group do not gain by being nice or the opposite, so that is passed on to the group.
    """
    shares = group / "cpu.shares"
    if shares.exists():
        weight = SHARES_PER_CPU * (os.cpu_count() or 1) * WEIGHT_PER_NICE ** -os.nice(0)
        shares.write_text(str(round(weight)))


def _remove(group: Path) -> None:
    for folder in (*_descendants(group), group):
        try:
            folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError as busy:
            raise NotYetError(f"{folder}: {busy.strerror}") from busy


def _descendants(group: Path) -> Iterator[Path]:
    """All groups below, deepest first. A group may vanish while this looks."""
    with contextlib.suppress(FileNotFoundError):
        for child in group.iterdir():
            if child.is_dir():
                yield from _descendants(child)
                yield child


def _hierarchies() -> list[Path]:
    if is_unified():
        return [MOUNT]
    return [path for path in sorted(MOUNT.iterdir()) if (path / "cgroup.procs").exists() and not path.is_symlink()]


def _delegate(group: Path) -> None:
    available = (group / "cgroup.controllers").read_text().split()
    (group / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in NEEDED if name in available))
