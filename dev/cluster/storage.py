"""Volumes for claims: folders of the node, made beforehand, as there is no provisioner."""

from pathlib import Path

CLASS = "standard"
COUNT = 12
CAPACITY = "2Gi"


def volume_name(number: int) -> str:
    """PersistentVolumes belong to the cluster, folders to the node; both have this name."""
    return f"local-{number:02}"


def storage_class() -> dict[str, object]:
    """The default class. A claim is bound when a pod that uses it is scheduled, as kind's is."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Retain",
    }


def volume(number: int, folder: Path, node: str) -> dict[str, object]:
    """A ``local`` volume: unlike a hostPath, it gets the pod's fsGroup, so that restricted pods can write."""
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume_name(number)},
        "spec": {
            "capacity": {"storage": CAPACITY},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": CLASS,
            "local": {"path": str(folder / volume_name(number))},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
