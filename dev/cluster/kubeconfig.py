"""Kubeconfig files that need no other file."""

import base64
import os
from pathlib import Path

import yaml

from dev.cluster.pki import Pki, Subject


def write_kubeconfig(path: Path, *, cluster: str, url: str, pki: Pki, subject: Subject) -> Path:
    """Write a kubeconfig for ``subject``, readable by its owner only, with certificates and key inside."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": cluster, "cluster": {"server": url, "certificate-authority-data": _encoded(pki.authority)}}
        ],
        "users": [
            {
                "name": subject.name,
                "user": {
                    "client-certificate-data": _encoded(pki.certificate(subject)),
                    "client-key-data": _encoded(pki.key(subject)),
                },
            }
        ],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": subject.name}}],
        "current-context": cluster,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        yaml.safe_dump(content, file, sort_keys=False)
    fresh.rename(path)
    return path


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")
