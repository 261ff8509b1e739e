"""Configuration of the programs that make a machine a node."""

from pathlib import Path

from dev.cluster.cgroups import group_name
from dev.cluster.containerd import SOCKET
from dev.cluster.controlplane import POD_RANGE

DNS_ADDRESS = "10.96.0.10"


def kubelet(cluster: str, authority: Path) -> dict[str, object]:
    """A KubeletConfiguration that works with control groups of version 1 and 2, and without systemd."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "authentication": {
            "x509": {"clientCAFile": str(authority)},
            "webhook": {"enabled": True},
            "anonymous": {"enabled": False},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": "",  # pods see none of the machine's name servers
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": group_name(cluster),
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        # A developer's disk is often nearly full; images cannot be pulled again, so they are never collected.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
    }


def kube_proxy(kubeconfig: Path) -> dict[str, object]:
    """A KubeProxyConfiguration that leaves the machine's connection tracking as it is."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "mode": "iptables",
        "clusterCIDR": POD_RANGE,
        "conntrack": {"maxPerCore": 0},
    }
