"""The container runtime of the node."""

from pathlib import Path

from dev.cluster.commands import run
from dev.cluster.namespaces import NodeNamespaces

SOCKET = "/run/containerd/containerd.sock"
PAUSE_IMAGE = "localhost/crossfade-local/pause:1"
POD_SUBNET = "10.244.0.0/24"
NAMESPACE = "k8s.io"

# Point-to-point links, not a bridge: packets between two pods are then routed, and pass the rules of kube-proxy
# in both directions also where the kernel has no br_netfilter.
NETWORK = f"""\
{{"cniVersion": "0.4.0", "name": "crossfade", "plugins": [
  {{"type": "ptp", "ipMasq": false, "ipam": {{"type": "host-local", "dataDir": "/run/cni-addresses",
    "ranges": [[{{"subnet": "{POD_SUBNET}"}}]], "routes": [{{"dst": "0.0.0.0/0"}}]}}}},
  {{"type": "portmap", "capabilities": {{"portMappings": true}}}}
]}}
"""

CONFIG = """\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{networks}"
"""


def write_config(folder: Path) -> Path:
    """Write containerd's configuration and the pod network's; return the former's path."""
    networks = folder / "cni"
    networks.mkdir(parents=True, exist_ok=True)
    (networks / "10-crossfade.conflist").write_text(NETWORK)
    config = folder / "containerd.toml"
    config.write_text(CONFIG.format(socket=SOCKET, pause=PAUSE_IMAGE, networks=networks))
    return config


def control(spaces: NodeNamespaces, *arguments: str | Path) -> str:
    """Run ``ctr`` on the node, in the namespace where Kubernetes looks for images."""
    return run(spaces.inside(["ctr", "--address", SOCKET, "--namespace", NAMESPACE, *arguments]))


def import_image(spaces: NodeNamespaces, archive: Path) -> None:
    """Load an image archive, docker's or OCI's, under the names that it holds."""
    control(spaces, "images", "import", archive)
