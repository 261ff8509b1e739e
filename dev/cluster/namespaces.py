"""The Linux namespaces that are a node: what runs in them sees a machine of its own, and ends with them."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.commands import run
from dev.cluster.errors import ClusterError
from dev.cluster.paths import ClusterPaths
from dev.cluster.processes import ProcessRecord, ProcessTable, identity_of
from dev.cluster.waiting import NotYetError, wait_for

HOLDER = "node"
HOSTNAME = "crossfade-node"
ADDRESS = "10.89.0.1"
COVERED = (Path("/run"), Path("/var"))

# A bridge carries the node's address, as not every kernel has dummy devices. The default route leads into it, so that
# programs that look for "the" address of the machine find this one; nothing ever leaves.
SETUP = f"""
mount -t tmpfs -o mode=0755 tmpfs /run
mount --bind "$1" /var/lib
mount --bind "$2" /var/log
hostname {HOSTNAME}
ip link set lo up
ip link add node0 type bridge
ip address add {ADDRESS}/24 dev node0
ip link set node0 up
ip route add default dev node0
echo 1 > /proc/sys/net/ipv4/ip_forward
"""


@dataclass(frozen=True)
class NodeNamespaces:
    """Live namespaces, entered through the process that holds them."""

    holder: ProcessRecord

    def inside(self, argv: Sequence[str | Path]) -> list[str | Path]:
        """The command line that runs ``argv`` on the node."""
        own = f"/proc/{self.holder.pid}/ns"
        spaces = [f"--{kind}={own}/{kind}" for kind in ("mount", "net", "uts", "ipc")]
        spaces[0] = f"--mount={own}/mnt"
        return ["nsenter", *spaces, f"--pid={own}/pid_for_children", "--", *argv]

    def in_network(self, argv: Sequence[str | Path]) -> list[str | Path]:
        """The command line that runs ``argv`` with the node's network, but with the host's files."""
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--", *argv]


def ensure_namespaces(table: ProcessTable, paths: ClusterPaths) -> NodeNamespaces:
    """Make the namespaces and the network device of the node, or find them.

    The process that holds them is an init: when it is killed, the kernel ends every process of the node, containers
    included, and with the last one go all mounts, devices and iptables rules.

    Raises:
        ClusterError: the kernel or a missing right forbids it.
    """
    if running := table.running(HOLDER):
        return NodeNamespaces(running)
    _refuse_covered(paths.root)
    # What is left of a node that was killed or cut off by a restart still holds the old network.
    table.stop_all(grace=0)
    init = shutil.which("catatonit")
    if init is None:
        raise ClusterError("command not found: catatonit", "install it (Debian: apt-get install catatonit)")
    lib, log = paths.root / "lib", paths.root / "container-logs"
    for folder in (lib, log):
        folder.mkdir(parents=True, exist_ok=True)
    argv = ["unshare", "--mount", "--propagation", "slave", "--net", "--uts", "--ipc"]
    # With --kill-child, the init dies with the process that is on record.
    argv += ["--pid", "--fork", "--kill-child", "--mount-proc", init, "-P"]
    spaces = NodeNamespaces(table.start(HOLDER, argv))
    try:
        wait_for("the node's namespaces", lambda: _check_init(table, spaces), timeout=10, interval=0.02)
        run(spaces.inside(["sh", "-euc", SETUP, "sh", lib, log]), timeout=30)
    except BaseException:
        table.stop(HOLDER, grace=0)
        raise
    return spaces


def end_namespaces(table: ProcessTable) -> None:
    """Kill everything on the node, and return when the kernel is done with it. Does nothing when it is gone."""
    holder = table.running(HOLDER)
    init = _find_init(holder) if holder else None
    table.stop(HOLDER, grace=0)
    if init is not None:
        # An init ends only after every other process of its namespace was killed and reaped.
        wait_for("the end of the node's processes", lambda: _check_gone(init), timeout=30, interval=0.02)


def _check_init(table: ProcessTable, spaces: NodeNamespaces) -> None:
    """Until the init has replaced unshare, /proc may not be mounted yet."""
    table.require_alive(HOLDER)
    init = _find_init(spaces.holder)
    if init is None or "catatonit" not in Path(f"/proc/{init}/comm").read_text():
        raise NotYetError("no init yet")


def _find_init(holder: ProcessRecord) -> int | None:
    children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
    return int(children[0]) if children else None


def _check_gone(pid: int) -> None:
    if identity_of(pid) is not None:
        raise NotYetError(f"process {pid} is still there")


def _refuse_covered(state: Path) -> None:
    """The node has a /run, /var/lib and /var/log of its own, under which the state could not be seen."""
    for folder in COVERED:
        if state.resolve().is_relative_to(folder):
            raise ClusterError(
                f"the cluster's state cannot live in {state}", "set XDG_STATE_HOME to a folder outside /run and /var"
            )
